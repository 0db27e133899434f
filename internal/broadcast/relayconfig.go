package broadcast

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/schemacast/schemacast/internal/schema"
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
	// mends: the server's or this process's. Defaults to 30 s.
	ConfigRetry time.Duration
	// DrainTimeout limits how long Stop goes on sending. Defaults to 5 s.
	DrainTimeout time.Duration
	// Meter measures the outbox for Status. Defaults to none, then Status.Unsent stays
	// zero and the age of events is told by the clock of this machine.
	Meter Meter
	// MeterInterval is how often Meter is asked, less often when its answers take long.
	// Defaults to 15 s.
	MeterInterval time.Duration
	// Delivered is told how long an event was on its way, from the change that it tells of
	// until the server had it, as far as the database's clock is known. It must not block.
	// Defaults to nobody.
	Delivered func(kind schema.EventKind, took time.Duration)
	// Tracer begins the span of a delivery, in the trace of the change. Defaults to one that
	// records nothing.
	Tracer trace.Tracer
	// Log gets one line for each change of health and each event that is given up.
	// Defaults to none.
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
	c.MeterInterval = orDefault(c.MeterInterval, 15*time.Second)
	if c.Delivered == nil {
		c.Delivered = func(schema.EventKind, time.Duration) {}
	}
	if c.Tracer == nil {
		c.Tracer = noop.NewTracerProvider().Tracer("")
	}
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
		{"interval of the meter", c.MeterInterval},
	} {
		if d.value < 0 {
			return c, fmt.Errorf("configure relay: the %s of %s is negative", d.name, d.value)
		}
	}
	return c, nil
}
