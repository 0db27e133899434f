package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// periodic repeats a job until it is stopped. It lives once.
type periodic struct {
	name string

	mu     sync.Mutex
	cancel context.CancelFunc
	ended  chan struct{}
}

// start runs the job at once, when now is true, and then after each interval, to which
// up to a tenth is added so that many processes do not fall into step. The end of ctx
// does not end it. A job that panics is logged and comes again.
func (p *periodic) start(ctx context.Context, log *slog.Logger, every time.Duration, now bool, job func(context.Context)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel != nil {
		return fmt.Errorf("start %s: it was started before", p.name)
	}
	ctx, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	p.ended = make(chan struct{})
	ended := p.ended
	guarded := func() {
		defer func() {
			if v := recover(); v != nil {
				logPanic(ctx, log, p.name, v)
			}
		}()
		job(ctx)
	}
	go func() {
		defer close(ended)
		if now {
			guarded()
		}
		for wait(ctx, every+rand.N(every/10+1)) {
			guarded()
		}
	}()
	return nil
}

// stop ends it and waits for the job in hand, which hears of it by its context, but not
// longer than ctx lasts.
func (p *periodic) stop(ctx context.Context) error {
	p.mu.Lock()
	if p.cancel == nil {
		p.cancel = func() {} // it does not start any more
		p.mu.Unlock()
		return nil
	}
	p.cancel()
	ended := p.ended
	p.mu.Unlock()
	if ended == nil {
		return nil
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop %s: its last round does not end: %w", p.name, context.Cause(ctx))
	}
}

// wait says whether d went by before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// trouble logs an error that comes back each round once when it begins and once when it
// is over.
type trouble struct {
	mu   sync.Mutex
	last error
}

func (t *trouble) set(ctx context.Context, log *slog.Logger, job string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil && errors.Is(context.Cause(ctx), context.Canceled):
		return // it was told to stop
	case err != nil && t.last == nil:
		log.ErrorContext(ctx, "round failed; the next one tries again", "job", job, "error", err)
	case err == nil && t.last != nil:
		log.InfoContext(ctx, "rounds work again", "job", job)
	}
	t.last = err
}

// err is how the last round ended.
func (t *trouble) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}
