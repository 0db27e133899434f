package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/schema"
)

func (g *ground) take(owner string) string {
	g.t.Helper()
	events, err := g.Take(g.t.Context(), owner, time.Minute, 100)
	g.must(err)
	return list(events)
}

func list(events []schema.Event) string {
	text := ""
	for _, e := range events {
		text += fmt.Sprintf("%d/%d:%s ", e.SchemaID, e.Seq, e.Kind)
	}
	return text
}

func (g *ground) wantTake(owner, want string) {
	g.t.Helper()
	if got := g.take(owner); got != want {
		g.t.Errorf("%s takes %q, want %q", owner, got, want)
	}
}

func TestOutboxGivesAStreamToOneRelay(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		c := g.claim(id, "a")
		first := fmt.Sprintf("%d/1:started ", id)
		g.wantTake("r1", first)
		g.wantTake("r2", "")
		g.wantTake("r1", first)
		g.commit(c, createCustomer())
		g.wantTake("r2", "")
		g.wantTake("r1", first+fmt.Sprintf("%d/2:completed ", id))

		g.must(g.Settle(t.Context(), "r2", []broadcast.Delivery{{SchemaID: id, Seq: 2}}))
		g.wantTake("r1", first+fmt.Sprintf("%d/2:completed ", id))
		g.must(g.Settle(t.Context(), "r1", []broadcast.Delivery{{SchemaID: id, Seq: 1}}))
		g.wantTake("r1", fmt.Sprintf("%d/2:completed ", id))
		g.must(g.Settle(t.Context(), "r1", []broadcast.Delivery{{SchemaID: id, Seq: 2, Dropped: "too large"}}))
		g.wantTake("r1", "")
		g.wantValue("2 too large", "SELECT count(*) || ' ' || max(dropped) FROM schemacast_events WHERE sent_ms IS NOT NULL")
		g.wantValue("", "SELECT lease_owner FROM schemacast_streams")
	})
}

func TestOutboxLeaseExpiresAndDefers(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		g.claim(id, "a")
		want := fmt.Sprintf("%d/1:started ", id)
		g.wantTake("dead", want)
		g.sql("UPDATE schemacast_streams SET lease_until_ms = 0")
		g.wantTake("r1", want)
		g.must(g.Defer(t.Context(), "r1", []int64{id}, time.Hour))
		g.wantTake("r1", "")
		g.wantTake("r2", "")
		g.sql("UPDATE schemacast_streams SET due_ms = 0")
		g.wantTake("r2", want)
	})
}

// A relay counts on the lease that it took while it sends.
func TestNewEventsDoNotShortenTheLeaseOfTheRelay(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		worker := g.another(func(c *Config) { c.RelayOwner = "mine" })
		id := g.insertCustomer()
		c := worker.claim(id, "a")
		worker.take("mine")
		before := g.value("SELECT lease_until_ms FROM schemacast_streams")
		worker.commit(c, createCustomer())
		g.wantValue(before, "SELECT lease_until_ms FROM schemacast_streams")
		g.wantValue("mine 2", "SELECT lease_owner || ' ' || last_seq FROM schemacast_streams")
	})
}

func TestWriterLeasesItsStreamAndNudgesItsRelay(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		nudged := make(chan int64, 10)
		worker := g.another(func(c *Config) {
			c.RelayOwner = "mine"
			c.Nudge = func(id int64) { nudged <- id }
		})
		id := g.insertCustomer()
		worker.claim(id, "a")
		select {
		case got := <-nudged:
			if got != id {
				t.Errorf("nudged for %d, want %d", got, id)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the relay was not nudged")
		}
		g.wantTake("another", "")
		g.wantTake("mine", fmt.Sprintf("%d/1:started ", id))
	})
}

func TestEventsComeBackAsTheyWere(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		_, err := g.Request(t.Context(), Request{SchemaIDs: []int64{id}, By: "user-9"})
		g.must(err)
		c := g.claim(id, "a")
		g.must(g.Progress(t.Context(), c, schema.Progress{Stage: "ask", Done: 1, Total: 3}))
		g.commit(c, createCustomer())
		events, err := g.Take(t.Context(), "r", time.Minute, 10)
		g.must(err)
		if len(events) != 3 {
			t.Fatalf("%d events: %s", len(events), list(events))
		}
		started, progress, completed := events[0], events[1], events[2]
		if s := started.Started; s == nil || s.TenantName != "Globex" || string(s.Fields) != customer || s.Name != "" {
			t.Errorf("started = %+v", s)
		}
		if p := progress.Progress; p == nil || *p != (schema.Progress{Stage: "ask", Done: 1, Total: 3}) {
			t.Errorf("progress = %+v", p)
		}
		e := completed.Completed
		if e == nil || e.Schema.ID != id || e.Schema.Name != "customer_source" || e.Schema.Status != schema.StatusConfirmed || e.Schema.CreatedAt.IsZero() || e.MappingsCount != 2 {
			t.Fatalf("completed = %+v", e)
		}
		if e.Entity == nil || e.Entity.Name != "Customer" || e.Entity.Kind != schema.KindStruct || e.Entity.ID == 0 {
			t.Errorf("entity = %+v", e.Entity)
		}
		for _, ev := range events {
			if ev.RequestedBy != "user-9" || ev.RunID != c.RunID || ev.TenantID != g.tenant || len(ev.ID) != 26 || time.Since(ev.OccurredAt).Abs() > time.Hour {
				t.Errorf("event = %+v", ev)
			}
		}
	})
}

func TestLongStreamIsTakenInParts(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		c := g.claim(id, "a")
		for range maxTaken {
			g.must(g.Progress(t.Context(), c, schema.Progress{Stage: "ask"}))
		}
		for _, want := range []int{maxTaken, 1, 0} {
			events, err := g.Take(t.Context(), "r", time.Minute, 10)
			g.must(err)
			if len(events) != want {
				t.Fatalf("%d events, want %d", len(events), want)
			}
			var sent []broadcast.Delivery
			for _, e := range events {
				sent = append(sent, broadcast.Delivery{SchemaID: id, Seq: e.Seq})
			}
			g.must(g.Settle(t.Context(), "r", sent))
		}
	})
}

func TestADamagedEventHoldsUpNothing(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		damaged, whole := g.insert(g.tenant, "h1", customer), g.insert(g.tenant, "h2", customer)
		g.claim(damaged, "a")
		g.claim(whole, "a")
		g.sql("UPDATE schemacast_events SET payload = 'not json' WHERE schema_id = ?", damaged)
		events, err := g.Take(t.Context(), "r", time.Minute, 10)
		g.must(err)
		if len(events) != 2 || events[0].SchemaID != damaged || events[0].Started != nil || events[1].Started == nil {
			t.Errorf("events %+v, want the damaged one without its parts, and the other", events)
		}
	})
}

func TestTakeIsBoundedInBytes(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		for i := range 3 {
			g.claim(g.insert(g.tenant, fmt.Sprint("h", i), customer), "a")
		}
		large := `{"failed":{"error":"` + strings.Repeat("x", maxTakenBytes) + `"}}`
		g.sql("UPDATE schemacast_events SET payload = ?", large)
		seen := map[int64]bool{}
		for range 3 {
			events, err := g.Take(t.Context(), "r", time.Minute, 10)
			g.must(err)
			if len(events) != 1 || seen[events[0].SchemaID] {
				t.Fatalf("%d events, want one that was not taken before", len(events))
			}
			seen[events[0].SchemaID] = true
			g.must(g.Settle(t.Context(), "r", []broadcast.Delivery{{SchemaID: events[0].SchemaID, Seq: events[0].Seq}}))
		}
	})
}

func TestUnsentIsCounted(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		none, err := g.Unsent(t.Context())
		g.must(err)
		if none.Events != 0 || none.Streams != 0 || !none.Oldest.IsZero() || none.AsOf.IsZero() {
			t.Errorf("unsent %+v, want nothing by the database's clock", none)
		}
		for i := range 2 {
			g.claim(g.insert(g.tenant, fmt.Sprint("h", i), customer), "a")
		}
		g.sql("UPDATE schemacast_events SET occurred_ms = occurred_ms - 60000 WHERE schema_id = (SELECT min(schema_id) FROM schemacast_events)")
		some, err := g.Unsent(t.Context())
		g.must(err)
		if some.Events != 2 || some.Streams != 2 || some.Age() < time.Minute {
			t.Errorf("unsent %+v, want two events, the older of a minute ago", some)
		}
	})
}

func TestManyStreamsAreSharedByTwoRelays(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		for i := range 20 {
			g.claim(g.insert(g.tenant, fmt.Sprint("h", i), customer), "a")
		}
		seen := map[int64]string{}
		for round, owner := range []string{"r1", "r2", "r1", "r2"} {
			events, err := g.Take(t.Context(), owner, time.Minute, 8*(1+round/2))
			g.must(err)
			for _, e := range events {
				if by := seen[e.SchemaID]; by != "" && by != owner {
					t.Errorf("stream %d went to %s and %s", e.SchemaID, by, owner)
				}
				seen[e.SchemaID] = owner
			}
		}
		if len(seen) != 20 {
			t.Errorf("%d streams were taken, want 20", len(seen))
		}
	})
}
