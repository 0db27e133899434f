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
	// Counters since the start of the process, in events.
	Sent, Dropped, Deferred uint64
}

// gauge holds the Status, and logs when it changes: once, not for each try.
type gauge struct {
	log    *slog.Logger
	mu     sync.Mutex
	status Status
}

func newGauge(log *slog.Logger) *gauge {
	return &gauge{log: log, status: Status{Health: HealthOK, Since: time.Now()}}
}

func (g *gauge) read() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.status
}

func (g *gauge) count(sent, dropped, deferred int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status.Sent += uint64(sent)
	g.status.Dropped += uint64(dropped)
	g.status.Deferred += uint64(deferred)
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
