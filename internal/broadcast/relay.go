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

// RelayConfig is how a Relay works.
type RelayConfig struct {
	// Owner names this process in leases, unique among all. It must be the owner
	// that the store gives the streams of new events to.
	Owner string
	// PollInterval is how often the outbox is looked through for streams that other
	// processes left behind. Own events do not wait for it. Defaults to 1 s.
	PollInterval time.Duration
	// LeaseTTL is how long a stream belongs to the relay that took it. After two
	// thirds of it nothing more is sent. It should be several times the publisher's
	// timeout. Defaults to 30 s.
	LeaseTTL time.Duration
	// Streams is how many streams are taken at once, at most: their events are held
	// in memory, so those of wide schemas are taken a few at a time. Defaults to 32.
	Streams int
	// Batch is how many messages go into one request, at most and by default 10. A
	// server that limits the rate is sent smaller ones for a while.
	Batch int
	// MaxBackoff limits the pause after a failure of the server. Defaults to 10 s.
	MaxBackoff time.Duration
	// ConfigRetry is the pause after a refusal that only a change of configuration
	// mends. Defaults to 30 s.
	ConfigRetry time.Duration
	// DrainTimeout limits how long Stop goes on sending. Defaults to 5 s.
	DrainTimeout time.Duration
	// Log gets one line for each change of health and each dropped event. Defaults
	// to none.
	Log *slog.Logger
}

func (c RelayConfig) resolve() (RelayConfig, error) {
	if c.Owner == "" {
		return c, errors.New("configure relay: the owner is empty; give each process a name of its own")
	}
	c.PollInterval = orDefault(c.PollInterval, time.Second)
	c.LeaseTTL = orDefault(c.LeaseTTL, 30*time.Second)
	c.Streams = orDefault(c.Streams, 32)
	c.Batch = orDefault(c.Batch, maxBatch)
	c.MaxBackoff = orDefault(c.MaxBackoff, 10*time.Second)
	c.ConfigRetry = orDefault(c.ConfigRetry, 30*time.Second)
	c.DrainTimeout = orDefault(c.DrainTimeout, 5*time.Second)
	c.Log = orDefault(c.Log, slog.New(slog.DiscardHandler))
	if c.Batch < 1 || c.Batch > maxBatch {
		return c, fmt.Errorf("configure relay: a batch of %d messages is not possible; choose 1 to %d", c.Batch, maxBatch)
	}
	if c.Streams < 1 {
		return c, fmt.Errorf("configure relay: %d streams at once are not possible; choose 1 or more", c.Streams)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"poll interval", c.PollInterval},
		{"lease", c.LeaseTTL},
		{"longest backoff", c.MaxBackoff},
		{"pause after a misconfiguration", c.ConfigRetry},
		{"drain timeout", c.DrainTimeout},
	} {
		if d.value < 0 {
			return c, fmt.Errorf("configure relay: the %s of %s is negative", d.name, d.value)
		}
	}
	return c, nil
}

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
	batch     int        // messages a request at the moment
	streams   int        // streams a round at the moment
	unsettled []Delivery // what the outbox could not be told yet
}

// NewRelay makes a relay. Start runs it.
func NewRelay(outbox Outbox, publisher Publisher, renderer *Renderer, cfg RelayConfig) (*Relay, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	return &Relay{
		outbox: outbox, publisher: publisher, renderer: renderer, cfg: cfg, log: cfg.Log,
		gauge: newGauge(cfg.Log),
		wake:  make(chan struct{}, 1),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
		retry: &backoff.ExponentialBackOff{
			InitialInterval:     min(500*time.Millisecond, cfg.MaxBackoff),
			RandomizationFactor: 0.5,
			Multiplier:          2,
			MaxInterval:         cfg.MaxBackoff,
		},
		batch:   cfg.Batch,
		streams: min(firstStreams, cfg.Streams),
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
	defer close(r.done)
	defer r.cancel()
	for r.rest(ctx, r.guarded(ctx)) {
	}
	r.drain(ctx)
}

// guarded keeps a panic, of the client library say, away from the analyses in this
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
