package run

import (
	"context"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"github.com/schemacast/schemacast/internal/task"
)

// The measures of the tenant gate.
const (
	// fullFor is for how long a refusal is believed. After it one task asks again.
	fullFor = 500 * time.Millisecond
	// Tasks of a full tenant come back one after the other, so that a crowd does not keep
	// the queue busy with coming and going: each takes its turn after the one before,
	// and a crowd too long for that spreads over the longest wait.
	turnInteractive = 10 * time.Millisecond
	turnBackfill    = 50 * time.Millisecond
	mostInteractive = 10 * time.Second
	mostBackfill    = 5 * time.Minute
	// leastTurn is what even the first one waits.
	leastTurn = 500 * time.Millisecond
	// gateSize bounds the memory of a process that many tenants are full in.
	gateSize = 10_000
)

// tenantGate remembers for a moment which tenants have as many runs as they may, so that
// ten thousand tasks of one tenant are not ten thousand claims. The database decides;
// the gate only spares it the question.
type tenantGate struct {
	now func() time.Time

	mu      sync.Mutex
	tenants map[string]*crowd
}

// crowd is what waits for one tenant in one process.
type crowd struct {
	full time.Time // until then nobody asks
	// Until when turns are given away, by kind of queue.
	interactive, backfill time.Time
}

func newTenantGate() *tenantGate {
	return &tenantGate{now: time.Now, tenants: map[string]*crowd{}}
}

// shut says whether a task of a tenant need not ask. Whoever finds the time over asks,
// and the others wait for what he hears.
func (g *tenantGate) shut(tenant string) bool {
	if tenant == "" {
		return false // the task does not say whose it is
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.tenants[tenant]
	if c == nil || c.full.IsZero() {
		return false
	}
	now := g.now()
	if now.Before(c.full) {
		return true
	}
	c.full = now.Add(fullFor)
	return false
}

// refused notes that a tenant is full.
func (g *tenantGate) refused(tenant string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.of(tenant).full = g.now().Add(fullFor)
}

// open notes that a tenant has a slot, or may have one.
func (g *tenantGate) open(tenant string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.tenants[tenant]; c != nil {
		c.full = time.Time{}
	}
}

// turn returns when a task of a full tenant shall come back.
func (g *tenantGate) turn(tenant string, backfill bool) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, now := g.of(tenant), g.now()
	last, gap, most := &c.interactive, turnInteractive, mostInteractive
	if backfill {
		last, gap, most = &c.backfill, turnBackfill, mostBackfill
	}
	if next := now.Add(leastTurn); last.Before(next) {
		*last = next
	} else {
		*last = last.Add(gap)
	}
	if last.Sub(now) > most {
		// The turns begin anew among those that were given.
		*last = now.Add(leastTurn)
	}
	return last.Sub(now)
}

// of returns the crowd of a tenant. The caller holds the lock.
func (g *tenantGate) of(tenant string) *crowd {
	if c, found := g.tenants[tenant]; found {
		return c
	}
	if len(g.tenants) >= gateSize {
		g.forget()
	}
	c := &crowd{}
	g.tenants[tenant] = c
	return c
}

// forget drops crowds that are over, and all when none is: they form again.
func (g *tenantGate) forget() {
	now := g.now()
	for tenant, c := range g.tenants {
		if now.After(c.full) && now.After(c.interactive) && now.After(c.backfill) {
			delete(g.tenants, tenant)
		}
	}
	if len(g.tenants) >= gateSize {
		clear(g.tenants)
	}
}

// waitForTenant gives a task back until its tenant has a slot. That is nobody's fault
// and has no limit: the tenant's other runs go on.
func (h *Handler) waitForTenant(ctx context.Context, tenant string) error {
	return snooze(h.gate.turn(tenant, isBackfill(ctx)), "the tenant has as many runs going on as it may")
}

// isBackfill says whether nobody waits for the task of ctx.
func isBackfill(ctx context.Context) bool {
	queue, _ := asynq.GetQueueName(ctx)
	return queue == task.QueueBackfill
}
