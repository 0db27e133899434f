package store

import (
	"sync"
	"time"
)

const (
	// glanceShare of its time a process may spend on asking whether the entities of a large
	// tenant are still the same: an answer that took 10 ms is good for 100.
	glanceShare = 10
	// quickGlance is no reason to wait: most tenants have some hundred entities at most.
	quickGlance = 5 * time.Millisecond
)

// glances keeps versions of entities that took long to find. What changes in between is
// noticed a little later by the analyses, and at once by a commit.
type glances struct {
	mu      sync.Mutex
	tenants map[string]glance
}

type glance struct {
	version string
	until   time.Time
}

// fresh returns a version that is good still, or an empty one.
func (g *glances) fresh(tenantID string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	seen, ok := g.tenants[tenantID]
	switch {
	case !ok:
		return ""
	case time.Now().After(seen.until):
		delete(g.tenants, tenantID)
		return ""
	}
	return seen.version
}

// keep notes a version that somebody began to ask for a while ago.
func (g *glances) keep(tenantID, version string, began time.Time) {
	took := time.Since(began)
	if took < quickGlance {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tenants == nil {
		g.tenants = make(map[string]glance)
	}
	g.tenants[tenantID] = glance{version: version, until: time.Now().Add(glanceShare * took)}
}
