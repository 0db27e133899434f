package broadcast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// phase is where a relay stands in its life.
type phase int

const (
	fresh phase = iota
	running
	stopped
)

// Relay sends the events of the outbox, in one goroutine: with batches that is
// faster than many, and it can not reorder.
type Relay struct {
	outbox    Outbox
	publisher Publisher
	renderer  *Renderer
	cfg       RelayConfig
	log       *slog.Logger
	gauge     *gauge

	wake   chan struct{} // holds one nudge
	stop   chan struct{} // closed by Stop
	done   chan struct{} // closed when the goroutine has ended
	unsent error         // why the drain left events, read after done

	mu     sync.Mutex
	phase  phase
	cancel context.CancelFunc

	// Of the goroutine alone.
	retry     *backoff.ExponentialBackOff
	batch     int                // messages a request at the moment
	streams   int                // streams a round at the moment
	unsettled []Delivery         // what the outbox could not be told yet
	suspects  map[int64]*suspect // by stream
	tally     tally              // since the start
	proven    bool               // the server took something since the last failure
}

// NewRelay makes a relay. Start runs it.
func NewRelay(outbox Outbox, publisher Publisher, renderer *Renderer, cfg RelayConfig) (*Relay, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	return &Relay{
		outbox: outbox, publisher: publisher, renderer: renderer, cfg: cfg, log: cfg.Log,
		gauge: newGauge(cfg.Log, cfg.Meter != nil),
		wake:  make(chan struct{}, 1),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
		retry: &backoff.ExponentialBackOff{
			InitialInterval:     min(500*time.Millisecond, cfg.MaxBackoff),
			RandomizationFactor: 0.5,
			Multiplier:          2,
			MaxInterval:         cfg.MaxBackoff,
		},
		batch:    cfg.Batch,
		streams:  min(firstStreams, cfg.Streams),
		suspects: make(map[int64]*suspect),
	}, nil
}

// Start runs the relay until Stop, or until ctx ends, which skips the drain. A relay
// can be started once.
func (r *Relay) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase != fresh {
		return errors.New("start relay: it was started or stopped before; make a new one")
	}
	r.phase = running
	ctx, r.cancel = context.WithCancel(ctx)
	go r.run(ctx)
	return nil
}

// Stop sends what is due, for at most DrainTimeout and until ctx ends, and then gives
// the streams back, for which it takes a few seconds more at most. What is left is
// safe in the outbox and sent by another relay; the error says why. Stop it after
// whatever writes events.
func (r *Relay) Stop(ctx context.Context) error {
	if !r.ending() {
		return nil
	}
	limit := time.AfterFunc(r.cfg.DrainTimeout, r.cancel)
	defer limit.Stop()
	defer context.AfterFunc(ctx, r.cancel)()
	<-r.done
	if r.unsent != nil {
		return fmt.Errorf("drain relay: %w", r.unsent)
	}
	return nil
}

// ending begins the end of a running relay, false when it never ran.
func (r *Relay) ending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase == running {
		close(r.stop)
	}
	r.phase = stopped
	return r.cancel != nil
}

// Nudge says that a schema has new events. It never blocks. The outbox knows which
// streams are due, so the id only makes the call readable.
func (r *Relay) Nudge(_ int64) {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Status tells how the relay does.
func (r *Relay) Status() Status { return r.gauge.read() }

// pace is what a round says about the next one.
type pace struct {
	wait time.Duration // 0 when there may be more
	deaf bool          // a nudge does not shorten the wait
	err  error         // why the round failed
}

func (r *Relay) run(ctx context.Context) {
	var meter sync.WaitGroup
	meter.Go(func() { r.measure(ctx) })
	defer func() {
		r.cancel()
		meter.Wait()
		close(r.done)
	}()
	for r.rest(ctx, r.guarded(ctx)) {
	}
	r.drain(ctx)
}

// guarded keeps a panic, of the database driver say, away from the analyses in this
// process. The streams come back when their lease runs out.
func (r *Relay) guarded(ctx context.Context) (p pace) {
	defer func() {
		if v := recover(); v != nil {
			err := fmt.Errorf("panic in the relay: %v", v)
			r.log.Error("relay panicked", slog.String("error", err.Error()), slog.String("stack", string(debug.Stack())))
			r.gauge.broken(HealthDegraded, err)
			p = pace{wait: r.cfg.ConfigRetry, deaf: true, err: err}
		}
	}()
	return r.round(ctx)
}

// rest waits for the next round, false when there is none.
func (r *Relay) rest(ctx context.Context, p pace) bool {
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	wake := r.wake
	if p.deaf {
		wake = nil
	}
	select {
	case <-r.stop:
		return false
	case <-ctx.Done():
		return false
	default:
	}
	select {
	case <-r.stop:
		return false
	case <-ctx.Done():
		return false
	case <-wake:
	case <-timer.C:
	}
	return true
}

// drain sends until nothing is due. A server that fails now is not waited for.
func (r *Relay) drain(ctx context.Context) {
	for ctx.Err() == nil {
		p := r.guarded(ctx)
		if p.err != nil {
			r.unsent = p.err
			return
		}
		if p.wait > 0 {
			return
		}
	}
	r.unsent = errors.New("it was cut off before the outbox was empty; the rest is sent by another relay, or after the next start")
}
