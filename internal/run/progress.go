package run

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// reporter turns the analyzer's reports into progress events: none for an analysis
// that ends soon, and then only the latest of each interval. It never makes the
// analyzer wait, and what it can not write is not missed.
type reporter struct {
	attempt *attempt
	wake    chan struct{}
	stop    func()

	mu     sync.Mutex
	latest schema.Progress
}

// startProgress runs until its stop, which waits: no progress may follow the event
// that ends the run.
func (a *attempt) startProgress(ctx context.Context) *reporter {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	r := &reporter{attempt: a, wake: make(chan struct{}, 1)}
	r.stop = func() {
		cancel()
		<-ended
	}
	go func() {
		defer close(ended)
		r.loop(ctx)
	}()
	return r
}

// report is analysis.Request.Progress.
func (r *reporter) report(stage string, done, total int) {
	r.mu.Lock()
	r.latest = schema.Progress{Stage: stage, Done: done, Total: total}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *reporter) loop(ctx context.Context) {
	interval := time.NewTicker(r.attempt.handler.cfg.ProgressEvery)
	defer interval.Stop()
	var sent schema.Progress
	for {
		select {
		case <-ctx.Done():
			return
		case <-interval.C:
		}
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		r.mu.Lock()
		latest := r.latest
		r.mu.Unlock()
		if latest == sent {
			continue
		}
		r.send(ctx, latest)
		sent = latest
		// The next interval begins now, not when the analyzer reported.
		interval.Reset(r.attempt.handler.cfg.ProgressEvery)
	}
}

func (r *reporter) send(ctx context.Context, p schema.Progress) {
	a := r.attempt
	defer func() {
		if v := recover(); v != nil {
			logPanic(ctx, a.log, "progress", v)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, a.handler.cfg.StoreTimeout)
	defer cancel()
	err := a.handler.store.Progress(ctx, a.claim, p)
	switch {
	case errors.Is(err, ErrClaimLost):
		a.cancel(ErrClaimLost)
	case err != nil && ctx.Err() == nil:
		a.log.DebugContext(ctx, "progress not written", "error", err)
	}
}
