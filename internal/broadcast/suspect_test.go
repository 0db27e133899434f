package broadcast

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// mustLoseNothing fails when the outbox forgot an event that was neither sent nor given up.
func (b *bench) mustLoseNothing() {
	b.t.Helper()
	b.outbox.mu.Lock()
	defer b.outbox.mu.Unlock()
	if len(b.outbox.lost) > 0 {
		b.t.Errorf("the outbox forgot %v", b.outbox.lost)
	}
}

// poison answers like scripted failure whenever a request holds the event of a schema.
func (b *bench) poison(id int64, fail func(ctx context.Context) (*http.Response, error)) {
	b.wire.script = func(ctx context.Context, _ int, r request) (*http.Response, error) {
		for _, data := range r.Data {
			if decodeSent(b.t, data) == (sent{SchemaID: id, Seq: 1}) {
				return fail(ctx)
			}
		}
		return nil, nil
	}
}

// An event on which the server or something before it breaks holds up neither the other
// schemas nor, for ever, its own.
func TestRelayIsolatesAPoisonousEvent(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(context.Context) (*http.Response, error){
		"the server answers 500":       func(context.Context) (*http.Response, error) { return answer(500, "oops"), nil },
		"a firewall answers 403":       func(context.Context) (*http.Response, error) { return answer(403, "blocked"), nil },
		"a firewall shows a page":      func(context.Context) (*http.Response, error) { return answer(200, "<html>blocked</html>"), nil },
		"the server hangs":             func(ctx context.Context) (*http.Response, error) { <-ctx.Done(); return nil, ctx.Err() },
		"the connection is reset":      func(context.Context) (*http.Response, error) { return nil, http.ErrServerClosed },
		"the client library panics":    func(context.Context) (*http.Response, error) { panic("a defect of the library") },
		"its code is none of Pusher's": func(context.Context) (*http.Response, error) { return answer(200, `{"error":"?","code":9}`), nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.poison(3, fail)
				b.fill("one", 40)
				r := b.relay("one", nil)
				<-time.After(3 * time.Minute)
				if got := b.outbox.left(); got != 3 {
					t.Errorf("%d events wait after three minutes, want those of one schema", got)
				}
				// Only while others pass is it the event's fault.
				tick := time.NewTicker(2 * time.Second)
				defer tick.Stop()
				for range 600 {
					<-tick.C
					b.outbox.add("one", shortEvent(100, schema.EventStarted))
					r.Nudge(100)
				}
				b.outbox.waitEmpty(t)
				dropped, _, _ := b.outbox.counters()
				if len(dropped) != 1 || !strings.Contains(dropped["3/1"], "failed 10 times while other events passed") {
					t.Errorf("dropped %v, want the poisonous event alone", dropped)
				}
				if got := b.wire.delivered(); !slices.Contains(got, sent{3, 2}) || !slices.Contains(got, sent{3, 3}) {
					t.Error("what stood behind the poisonous event did not arrive")
				}
				if n := b.log.count("tried again by itself"); n != 1 {
					t.Errorf("told %d times about the suspect, want once", n)
				}
				b.mustLoseNothing()
			})
		})
	}
}

// A firewall that dislikes a name in the list of fields lets the smaller form pass.
func TestRelayShrinksASuspect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.wire.script = func(_ context.Context, _ int, r request) (*http.Response, error) {
			if strings.Contains(strings.Join(r.Data, ""), "DROP TABLE") {
				return answer(403, "blocked"), nil
			}
			return nil, nil
		}
		bad := shortEvent(1, schema.EventStarted)
		bad.Started.Fields = []byte(`[{"name":"x'; DROP TABLE users"}]`)
		b.outbox.add("one", bad)
		r := b.relay("one", nil)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for range 240 {
			<-tick.C
			b.outbox.add("one", shortEvent(2, schema.EventStarted))
			r.Nudge(2)
		}
		b.outbox.waitEmpty(t)
		if got := b.wire.delivered(); !slices.Contains(got, sent{1, 1}) {
			t.Error("the event did not arrive in any form")
		}
		if dropped, _, _ := b.outbox.counters(); len(dropped) > 0 {
			t.Errorf("dropped: %v", dropped)
		}
	})
}

// An event that fails alone, while nothing else passes, is never given up.
func TestRelayBlamesNoEventForTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		back := time.Now().Add(3 * time.Hour)
		b.wire.script = func(_ context.Context, _ int, r request) (*http.Response, error) {
			if len(r.Data) > 0 && time.Now().Before(back) {
				return answer(500, "the adapter of the server is down"), nil
			}
			return nil, nil
		}
		b.fill("one", 3)
		r := b.relay("one", nil)
		<-time.After(2 * time.Hour)
		if s := r.Status(); s.Health != HealthRetrying || s.Dropped > 0 {
			t.Errorf("status = %+v, want retrying and nothing dropped", s)
		}
		b.outbox.waitEmpty(t)
		b.wire.mustBeInOrder(3, 3)
		b.mustLoseNothing()
	})
}

// A server that fails now and then, or most of the time, proves nothing against an event,
// however long that lasts. Only when it is sound again the poisonous one is given up.
func TestRelayGivesNothingUpForAnUnsoundServer(t *testing.T) {
	t.Parallel()
	for _, percent := range []int{20, 60} {
		t.Run(fmt.Sprintf("%d percent", percent), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				dice := rand.New(rand.NewPCG(uint64(percent), 1))
				over := time.Now().Add(15 * time.Minute)
				b.poison(9_999, func(context.Context) (*http.Response, error) { return answer(503, "poison"), nil })
				poison := b.wire.script
				b.wire.script = func(ctx context.Context, call int, r request) (*http.Response, error) {
					if time.Now().Before(over) && dice.IntN(100) < percent {
						return answer(503, "overloaded"), nil
					}
					return poison(ctx, call, r)
				}
				b.outbox.add("one", shortEvent(9_999, schema.EventStarted))
				r := b.relay("one", nil)
				tick := time.NewTicker(time.Second)
				defer tick.Stop()
				for id := range int64(2 * 15 * 60) {
					<-tick.C
					b.outbox.add("one", shortEvent(id+1, schema.EventStarted))
					r.Nudge(id + 1)
					if dropped, _, _ := b.outbox.counters(); time.Now().Before(over) && len(dropped) > 0 {
						t.Fatalf("dropped while the server was unsound: %v", dropped)
					}
				}
				b.outbox.waitEmpty(t)
				b.wire.mustBeInOrder(2*15*60, 1)
				if dropped, _, _ := b.outbox.counters(); len(dropped) != 1 || dropped["9999/1"] == "" {
					t.Errorf("dropped %v, want the poisonous event alone", dropped)
				}
			})
		})
	}
}

// On a slow line ten large events take longer than the timeout, one does not.
func TestRelaySendsLessAtOnceOnASlowLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.wire.script = func(ctx context.Context, _ int, r request) (*http.Response, error) {
			select {
			case <-time.After(time.Duration(len(r.Data)) * time.Second):
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		b.fill("one", 50)
		b.relay("one", nil)
		b.outbox.waitEmpty(t)
		b.wire.mustBeInOrder(50, 3)
		b.mustLoseNothing()
	})
}

// A relay that can not reach the server holds up nothing for the others.
func TestOneBrokenRelayHoldsUpNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		broken := newTestServer(t, testConfig(), roundTripper(func(*http.Request) (*http.Response, error) {
			return answer(200, `{"error":"The secret authentication failed","code":401}`), nil
		}))
		b.relayThrough(broken, "broken", nil)
		synctest.Wait()
		b.relay("sound", nil)
		for id := range int64(100) {
			b.outbox.add("", shortEvent(id+1, schema.EventStarted))
		}
		begin := time.Now()
		b.outbox.waitEmpty(t)
		b.wire.mustBeInOrder(100, 1)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("the sound relay needed %s", took)
		}
	})
}

// A server that hangs never reaches a writer: a nudge returns at once.
func TestNudgeNeverWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.wire.script = func(ctx context.Context, _ int, _ request) (*http.Response, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		b.fill("one", 10)
		r := b.relay("one", nil)
		synctest.Wait() // in the first request
		begin := time.Now()
		for range 10_000 {
			r.Nudge(1)
		}
		if took := time.Since(begin); took > 0 {
			t.Errorf("10,000 nudges took %s", took)
		}
	})
}
