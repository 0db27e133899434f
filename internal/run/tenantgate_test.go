package run

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

func TestTenantGateLetsOneAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newTenantGate()
		check := func(when, tenant string, want ...bool) {
			t.Helper()
			var got []bool
			for range want {
				got = append(got, g.shut(tenant))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: shut for %q (-want +got):\n%s", when, tenant, diff)
			}
		}
		check("at first", "a", false, false)
		g.refused("a")
		check("after a refusal", "a", true, true)
		check("others", "b", false, false)
		check("a task without a tenant", "", false)
		lapse(fullFor)
		check("later, for one", "a", false, true, true)
		g.open("a")
		check("when a run has ended", "a", false, false)
	})
}

func TestTenantsTurns(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name       string
		backfill   bool
		gap, least time.Duration
		most       time.Duration
	}{
		{"interactive", false, turnInteractive, leastTurn, mostInteractive},
		{"backfill", true, turnBackfill, leastTurn, mostBackfill},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newTenantGate()
				seen := map[time.Duration]int{}
				var longest time.Duration
				for range 10_000 {
					d := g.turn("a", tc.backfill)
					if d < tc.least || d > tc.most {
						t.Fatalf("a turn after %s, want %s to %s", d, tc.least, tc.most)
					}
					seen[d]++
					longest = max(longest, d)
				}
				// No moment has more than its share.
				share := 1 + 10_000/int((tc.most-tc.least)/tc.gap)
				for d, n := range seen {
					if n > share {
						t.Fatalf("%d tasks come back after %s, want at most %d", n, d, share)
					}
				}
				if longest < tc.most/2 {
					t.Errorf("the longest turn is %s, want the crowd to spread over %s", longest, tc.most)
				}
				if d := g.turn("b", tc.backfill); d != tc.least {
					t.Errorf("another tenant waits %s, want %s", d, tc.least)
				}
				lapse(tc.most)
				if d := g.turn("a", tc.backfill); d != tc.least {
					t.Errorf("when the crowd is gone a task waits %s, want %s", d, tc.least)
				}
			})
		})
	}
}

func TestTenantGateIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newTenantGate()
		for n := range 3 * gateSize {
			g.refused(fmt.Sprint(n))
			g.turn(fmt.Sprint(n), true)
		}
		if got := len(g.tenants); got > gateSize {
			t.Errorf("%d tenants remembered, want at most %d", got, gateSize)
		}
	})
}

// slots is a store that refuses a tenant's third run.
type slots struct {
	*fakeStore
	t      *testing.T
	claims atomic.Int64

	mu      sync.Mutex
	running map[string]int
	most    map[string]int
}

func (s *slots) Claim(ctx context.Context, r ClaimRequest) (*Claim, error) {
	s.claims.Add(1)
	if r.TenantSlots != 2 {
		s.t.Errorf("claimed with %d slots, want 2", r.TenantSlots)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tenant := s.fakeStore.run(r.SchemaID).schema.TenantID
	if s.running[tenant] >= r.TenantSlots {
		return nil, fmt.Errorf("claim: %w", &TenantBusyError{Slots: r.TenantSlots})
	}
	c, err := s.fakeStore.Claim(ctx, r)
	if err == nil {
		s.running[tenant]++
		s.most[tenant] = max(s.most[tenant], s.running[tenant])
	}
	return c, err
}

func (s *slots) Commit(ctx context.Context, c *Claim, d Decision) (Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[c.Schema.TenantID]--
	return s.fakeStore.Commit(ctx, c, d)
}

// Two thousand tasks of one tenant hold up neither the five of another one nor the
// database.
func TestNoisyTenant(t *testing.T) {
	t.Parallel()
	opts := redis.UniversalOptions{Addrs: []string{testenv.Redis(t)}}
	const noisy, quiet = 2000, 5
	store := &slots{fakeStore: newFakeStore(), t: t, running: map[string]int{}, most: map[string]int{}}
	var requests []task.Request
	for id := int64(1); id <= noisy+quiet; id++ {
		tenant := "noisy"
		if id > noisy {
			tenant = "quiet"
		}
		store.runs[id] = &fakeRun{state: "pending", schema: schema.Schema{ID: id, TenantID: tenant}}
		requests = append(requests, task.Request{Payload: task.Payload{SchemaID: id, TenantID: tenant}, Queue: task.QueueBackfill})
	}
	client := NewRedis(opts)
	t.Cleanup(func() { _ = client.Close() })
	producer, err := task.NewProducer(client, task.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := producer.Enqueue(t.Context(), requests...); err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	analyse := func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
		if r.Schema.TenantID == "noisy" {
			<-release
		}
		return good(ctx, r)
	}
	h := newTestHandler(t, store, analyzerFunc(analyse), HandlerConfig{TenantSlots: 2})
	service := startService(t, opts, h, ServiceConfig{BackfillSlots: 8})
	for id := int64(noisy + 1); id <= noisy+quiet; id++ {
		store.waitState(t, id, "completed")
	}
	// All the others went by meanwhile, most of them without a question to the database.
	if n := store.claims.Load(); n > noisy/4 {
		t.Errorf("%d claims for %d tasks of a full tenant", n, noisy)
	}
	close(release)
	eventually(t, "the noisy tenant goes on", func() bool {
		done := 0
		for id := int64(1); id <= noisy; id++ {
			if store.run(id).state == "completed" {
				done++
			}
		}
		return done > 10
	})
	stop(t, service)
	if diff := cmp.Diff(2, store.most["noisy"]); diff != "" {
		t.Errorf("runs of the noisy tenant at a time (-want +got):\n%s", diff)
	}
}
