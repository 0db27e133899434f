package broadcast

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

// Two relays share some hundred streams, and everything that can fail fails now and
// then.
func TestRelaysKeepOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.wire.script = func(_ context.Context, call int, r request) (*http.Response, error) {
			switch {
			case call%11 == 0:
				return nil, errRefused
			case call%7 == 0:
				return answer(200, soketiBusy), nil
			case call%5 == 0 && len(r.Data) > 1:
				return answer(200, soketiTooLarge), nil
			case call%13 == 0:
				<-time.After(3 * time.Second)
			}
			return nil, nil
		}
		b.fill("gone", 400)
		b.outbox.fail = func(call string) error {
			if call == "settle" && b.outbox.takes%17 == 0 {
				b.outbox.takes++ // once
				return errors.New("the database restarts")
			}
			return nil
		}
		b.relay("one", nil)
		b.relay("two", nil)
		b.outbox.waitEmpty(t)
		b.wire.mustBeInOrder(400, 3)
		if dropped, _, _ := b.outbox.counters(); len(dropped) > 0 {
			t.Errorf("dropped: %v", dropped)
		}
	})
}

// One event that nobody takes costs only itself.
func TestRelayDropsWhatCanNotPass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.wire.script = func(_ context.Context, _ int, r request) (*http.Response, error) {
			for _, data := range r.Data {
				if decodeSent(t, data) == (sent{SchemaID: 2, Seq: 1}) {
					return answer(200, soketiTooLarge), nil
				}
			}
			return nil, nil
		}
		b.fill("one", 3)
		long := shortEvent(4, schema.EventStarted)
		long.Started.Name = strings.Repeat("n", 200000)
		foreign := shortEvent(5, schema.EventStarted)
		foreign.TenantID = "no name"
		for _, ev := range []schema.Event{long, foreign, shortEvent(4, schema.EventFailed)} {
			b.outbox.add("one", ev)
		}
		r := b.relay("one", nil)
		b.outbox.waitEmpty(t)
		reasons := map[string]string{"2/1": "answered 413", "4/1": "smallest form", "5/1": `tenant id "no name"`}
		dropped, _, _ := b.outbox.counters()
		if len(dropped) != len(reasons) {
			t.Errorf("dropped %v, want %d events", dropped, len(reasons))
		}
		for event, want := range reasons {
			if got := dropped[event]; !strings.Contains(got, want) {
				t.Errorf("event %s was dropped because %q, want a reason with %q", event, got, want)
			}
		}
		want := map[sent]bool{
			{1, 1}: true, {1, 2}: true, {1, 3}: true, {2, 2}: true, {2, 3}: true,
			{3, 1}: true, {3, 2}: true, {3, 3}: true, {4, 2}: true,
		}
		got := map[sent]bool{}
		for _, e := range b.wire.delivered() {
			got[e] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("delivered (-want +got):\n%s", diff)
		}
		if status := r.Status(); status.Dropped != 3 || status.Health != HealthOK {
			t.Errorf("status = %+v, want 3 dropped and good health", status)
		}
	})
}

// What is held in memory depends on bytes, not on the number of streams alone.
func TestRelayTakesFewWideSchemasAtOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fields int
		taken  []int
	}{
		"narrow": {1, []int{10, 14}},
		"wide":   {20_000, []int{10, 5, 5, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				fields := json.RawMessage("[" + strings.Repeat(`{"name":"a","type":"string"},`, tt.fields) + "{}]")
				for id := range int64(24) {
					ev := shortEvent(id+1, schema.EventStarted)
					ev.Started.Fields = fields
					b.outbox.add("gone", ev)
				}
				b.relay("one", nil)
				b.outbox.waitEmpty(t)
				b.wire.mustBeInOrder(24, 1)
				b.outbox.mu.Lock()
				defer b.outbox.mu.Unlock()
				if diff := cmp.Diff(tt.taken, b.outbox.taken); diff != "" {
					t.Errorf("streams taken (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A refusal for size is first answered with a smaller form.
func TestRelayShrinksBeforeItDrops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var forms []string
		b.wire.script = func(_ context.Context, _ int, r request) (*http.Response, error) {
			data := strings.Join(r.Data, "")
			if strings.Contains(data, `"name":"a"`) {
				forms = append(forms, data)
				return answer(200, soketiTooLarge), nil
			}
			return nil, nil
		}
		b.outbox.add("one", shortEvent(1, schema.EventStarted))
		b.relay("one", nil)
		b.outbox.waitEmpty(t)
		if len(forms) != 2 || !strings.Contains(forms[0], "sample_value\":1") || !strings.Contains(forms[1], `[{"name":"a"}]`) {
			t.Errorf("refused forms = %q, want full and without samples", forms)
		}
		if diff := cmp.Diff([]sent{{1, 1}}, b.wire.delivered()); diff != "" {
			t.Errorf("delivered (-want +got):\n%s", diff)
		}
	})
}

// Nothing is on the wire after the lease has ended, and a request that would be cut
// off by its end is not begun.
func TestRelaySendsOnlyUnderItsLease(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		lease, slowest time.Duration
		cut            int
	}{
		"some requests outlast the lease": {8 * time.Second, 5 * time.Second, 1},
		"all requests are short":          {9 * time.Second, 2 * time.Second, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.wire.script = func(ctx context.Context, call int, r request) (*http.Response, error) {
					select {
					case <-time.After(time.Duration(call) * time.Second % (tt.slowest + time.Second)):
					case <-ctx.Done():
						return nil, ctx.Err()
					}
					for _, data := range r.Data {
						if e := decodeSent(t, data); !b.outbox.holds("one", e.SchemaID) {
							t.Errorf("event %d of schema %d was on the wire without a lease", e.Seq, e.SchemaID)
						}
					}
					return nil, nil
				}
				b.fill("one", 200)
				b.relay("one", func(c *RelayConfig) { c.LeaseTTL, c.Streams = tt.lease, 1000 })
				b.outbox.waitEmpty(t)
				b.wire.mustBeInOrder(200, 3)
				if cut := min(1, b.log.count("interrupted")); cut != tt.cut {
					t.Errorf("requests were cut off: %d, want %d", cut, tt.cut)
				}
			})
		})
	}
}

// The events of a process that died are sent when its leases have run out.
func TestRelayTakesOverFromTheDead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.fill("killed", 10)
		begin := time.Now()
		b.relay("one", nil)
		b.outbox.waitEmpty(t)
		b.wire.mustBeInOrder(10, 3)
		if took := time.Since(begin); took < 10*time.Second || took > 12*time.Second {
			t.Errorf("took over after %s, want the rest of the lease (10 s) and a poll", took)
		}
	})
}

// A nudge sends at once; without one the poll does, and nobody ever waits for it.
func TestRelayNudge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		r := b.relay("one", nil)
		synctest.Wait()
		begin := time.Now()
		b.outbox.add("one", shortEvent(1, schema.EventStarted))
		for range 1000 {
			r.Nudge(1)
		}
		synctest.Wait()
		if got := len(b.wire.delivered()); got != 1 || time.Since(begin) != 0 {
			t.Errorf("%d events were sent %s after the nudge, want 1 at once", got, time.Since(begin))
		}
		b.outbox.waitEmpty(t)
		b.outbox.add("one", shortEvent(2, schema.EventStarted))
		b.outbox.waitEmpty(t)
		if took := time.Since(begin); took == 0 || took > time.Second {
			t.Errorf("without a nudge the event left after %s, want the poll interval", took)
		}
	})
}
