package broadcast

import (
	"log/slog"
	"sync"
	"time"
)

// Health says whether events arrive at the server.
type Health string

// The states of a relay. None of them touches an analysis, and none loses an event.
const (
	HealthOK       Health = "ok"
	HealthRetrying Health = "retrying" // the server or the outbox does not answer; it is tried again
	HealthDegraded Health = "degraded" // nothing passes until somebody changes the configuration
)

// Status is what a relay tells about itself.
type Status struct {
	Health Health
	Reason string    // of the latest failure, empty when Health is HealthOK
	Since  time.Time // when Health began
	// Counters since the start of the process, in events. Dropped were given up, and are
	// what to alert on; Superseded is progress that a later event made needless; Deferred
	// were given back unsent, once for each time.
	Sent, Dropped, Superseded, Deferred uint64
	// Suspects is how many events failed while others passed and are tried by themselves.
	Suspects int
	// Unsent is what waited for all relays when it was last counted, zero before that
	// and without a RelayConfig.Meter.
	Unsent Unsent
	// Counted is when that was, by the clock of this machine.
	Counted time.Time
}

// gauge holds the Status, and logs when it changes: once, not for each try.
type gauge struct {
	log    *slog.Logger
	mu     sync.Mutex
	status Status
	ahead  time.Duration // of the database's clock
	ticks  bool          // whether ahead is known
}

// newGauge makes a gauge. Without a meter the clock of this machine has to do.
func newGauge(log *slog.Logger, metered bool) *gauge {
	return &gauge{log: log, status: Status{Health: HealthOK, Since: time.Now()}, ticks: !metered}
}

func (g *gauge) read() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.status
}

// settled counts an event; dropped says why it was not sent.
func (g *gauge) settled(dropped string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch dropped {
	case "":
		g.status.Sent++
	case Superseded:
		g.status.Superseded++
	default:
		g.status.Dropped++
	}
}

func (g *gauge) deferred(events int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status.Deferred += uint64(events)
}

func (g *gauge) suspected(events int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status.Suspects = events
}

// measured notes what waits, and by how much the database's clock is ahead of ours.
func (g *gauge) measured(u Unsent, ahead time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status.Unsent, g.status.Counted, g.ahead, g.ticks = u, time.Now(), ahead, true
}

// databaseTime is false when the database's clock is not known yet.
func (g *gauge) databaseTime() (time.Time, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Add(g.ahead), g.ticks
}

// fine notes that the server took something.
func (g *gauge) fine() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.status.Health == HealthOK {
		return
	}
	g.log.Info("broadcasting works again",
		slog.String("was", string(g.status.Health)), slog.Duration("duration", time.Since(g.status.Since)))
	g.status.Health, g.status.Reason, g.status.Since = HealthOK, "", time.Now()
}

// broken notes a failure. A degraded state is told again when its reason changes,
// since then somebody is working on it.
func (g *gauge) broken(health Health, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.status
	g.status.Reason = err.Error()
	if before.Health != health {
		g.status.Health, g.status.Since = health, time.Now()
	}
	switch {
	case health == HealthDegraded && (before.Health != health || before.Reason != g.status.Reason):
		g.log.Error("broadcasting is misconfigured, events wait in the outbox", slog.String("error", err.Error()))
	case before.Health == HealthOK:
		g.log.Warn("broadcasting is interrupted, events wait in the outbox", slog.String("error", err.Error()))
	}
}
