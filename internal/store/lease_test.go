package store

import (
	"fmt"
	"testing"
	"time"
)

func TestOneOfManyLeads(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		const candidates = 16
		leaders := make(chan string, candidates)
		for i := range candidates {
			go func() {
				owner := fmt.Sprintf("worker %d", i)
				leads, err := g.Lead(t.Context(), "sweep", owner, time.Minute)
				if err != nil {
					t.Error(err)
				}
				if !leads {
					owner = ""
				}
				leaders <- owner
			}()
		}
		leader := ""
		for range candidates {
			if l := <-leaders; l != "" {
				if leader != "" {
					t.Errorf("both %s and %s lead", leader, l)
				}
				leader = l
			}
		}
		if leader == "" {
			t.Fatal("nobody leads")
		}
		g.wantLeads(true, "sweep", leader) // renewed
		g.wantLeads(false, "sweep", "another")
		g.wantLeads(true, "doctor", "another") // another job
		g.must(g.Resign(t.Context(), "sweep", "another"))
		g.wantLeads(false, "sweep", "another")
		g.must(g.Resign(t.Context(), "sweep", leader))
		g.wantLeads(true, "sweep", "another")
	})
}

// A leader that died is followed once its lease is over; then it does not lead any
// more, whatever it believes.
func TestLeaseEnds(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		if leads, err := g.Lead(t.Context(), "sweep", "a", -time.Millisecond); err != nil || !leads {
			t.Fatalf("lead: %v %v", leads, err)
		}
		g.wantLeads(true, "sweep", "b")
		g.wantLeads(false, "sweep", "a")
	})
}

func (g *ground) wantLeads(want bool, job, owner string) {
	g.t.Helper()
	leads, err := g.Lead(g.t.Context(), job, owner, time.Minute)
	g.must(err)
	if leads != want {
		g.t.Errorf("%s leads %s: %v, want %v", owner, job, leads, want)
	}
}
