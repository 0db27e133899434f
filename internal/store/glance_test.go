package store

import (
	"testing"
	"time"
)

// TestLongGlancesAreKept: what took long to find is good for a while, the rest is asked for
// each time.
func TestLongGlancesAreKept(t *testing.T) {
	t.Parallel()
	var g glances
	g.keep("small", "1", time.Now())
	g.keep("large", "2", time.Now().Add(-time.Hour))
	if small, large := g.fresh("small"), g.fresh("large"); small != "" || large != "2" {
		t.Errorf("versions of a small and a large tenant: %q, %q", small, large)
	}
	g.tenants["large"] = glance{version: "2", until: time.Now().Add(-time.Second)}
	if late := g.fresh("large"); late != "" || len(g.tenants) != 0 {
		t.Errorf("after its time it is %q, %d are kept", late, len(g.tenants))
	}
}
