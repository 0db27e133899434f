package store

import (
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// long is before the overlap of a delta.
const long = "2025-01-01 00:00:00"

// age makes all rows look as if nothing had happened for long, and returns that moment.
func (g *ground) age() (page schema.GraphPage) {
	g.t.Helper()
	g.looks.never = true
	for _, table := range []string{"schemas", "schema_mappings"} {
		g.sql("UPDATE "+table+" SET created_at = ?, updated_at = ?", long, long)
	}
	g.sql("UPDATE schemacast_runs SET requested_ms = 1, ended_ms = CASE WHEN ended_ms IS NULL THEN NULL ELSE 2 END")
	g.sql("UPDATE schemacast_attempts SET ended_ms = 2 WHERE ended_ms IS NOT NULL")
	page = g.drawn(g.tenant)
	if again := g.page(schema.GraphQuery{TenantID: g.tenant, Known: page.Tag}); !again.Unchanged || again.Tag != page.Tag || len(again.Schemas) > 0 {
		g.t.Fatalf("nothing changed, and the answer is %+v", again)
	}
	if delta := g.page(schema.GraphQuery{TenantID: g.tenant, Since: page.Since}); !delta.Delta || len(delta.Schemas)+len(delta.Entities) > 0 {
		g.t.Fatalf("nothing changed, and the delta is\n%s", lines(delta))
	}
	return page
}

// Every change that a page shows changes the tag and is in the delta, with as little else
// as can be.
func TestGraphDelta(t *testing.T) {
	type act func(t *testing.T, g *ground, first, second int64)
	for name, tc := range map[string]struct {
		act      act
		schemas  int
		entities int
	}{
		"a new schema": {func(_ *testing.T, g *ground, _, _ int64) { g.insertCustomer() }, 1, 0},
		"a request": {func(t *testing.T, g *ground, first, _ int64) {
			_, err := g.Request(t.Context(), Request{SchemaIDs: []int64{first}})
			g.must(err)
		}, 1, 1},
		"a run that ends without touching the row": {func(_ *testing.T, g *ground, first, _ int64) {
			g.sql("UPDATE schemacast_runs SET ended_ms = "+g.dialect.now+", error_text = 'x' WHERE schema_id = ?", first)
			g.sql("UPDATE schemacast_streams SET last_seq = last_seq + 1 WHERE schema_id = ?", first)
		}, 1, 1},
		"an edited mapping": {func(_ *testing.T, g *ground, first, _ int64) {
			g.sql("UPDATE schema_mappings SET formula_expression = 'x', updated_at = "+g.dialect.appNow+" WHERE schema_id = ?", first)
		}, 1, 1},
		"a deleted mapping": {func(_ *testing.T, g *ground, first, _ int64) {
			g.sql("DELETE FROM schema_mappings WHERE id = (SELECT max(id) FROM schema_mappings WHERE schema_id = ?)", first)
		}, 1, 1},
		"all mappings deleted": {func(_ *testing.T, g *ground, first, _ int64) {
			g.sql("DELETE FROM schema_mappings WHERE schema_id = ?", first)
		}, 1, 0},
		"a mapping without any time": {func(_ *testing.T, g *ground, first, second int64) {
			g.sql("INSERT INTO schema_mappings (schema_id, target_schema_id, field_path) VALUES (?, (SELECT max(target_schema_id) FROM schema_mappings), 'x')", second)
			_ = first
		}, 1, 1},
		"a rejected schema": {func(_ *testing.T, g *ground, first, _ int64) {
			g.sql("UPDATE schemas SET status = 'rejected', updated_at = "+g.dialect.appNow+" WHERE id = ?", first)
		}, 1, 1},
		"a renamed entity": {func(_ *testing.T, g *ground, _, _ int64) {
			g.sql("UPDATE schemas SET name = 'Client', updated_at = " + g.dialect.appNow + " WHERE type = 'struct'")
		}, 0, 1},
		"an analysis that starts and fails": {func(t *testing.T, g *ground, _, second int64) {
			g.must(g.Fail(t.Context(), g.claim(second, "a"), run.Failure{Code: "x", Text: "x"}))
		}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			conformance(t, func(t *testing.T, g *ground) {
				first := g.insertCustomer()
				g.commit(g.claim(first, "a"), createCustomer())
				second := g.insertCustomer()
				before := g.age()
				tc.act(t, g, first, second)
				q := schema.GraphQuery{TenantID: g.tenant, Since: before.Since, Known: before.Tag}
				got := g.page(q)
				if got.Unchanged || !got.Delta || len(got.Schemas) != tc.schemas || len(got.Entities) != tc.entities {
					t.Errorf("the delta is %t/%t\n%s", got.Unchanged, got.Delta, lines(got))
				}
				// What was changed is told again for a while, in case something was late.
				if later := g.page(schema.GraphQuery{TenantID: g.tenant, Since: got.Since}); !later.Delta {
					t.Error("the moment of a delta makes none")
				}
			})
		})
	}
}

// While a run is open its attempts tell of no event.
func TestGraphDeltaOfOpenRuns(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		g.insertCustomer()
		c := g.claim(id, "a")
		g.sql("UPDATE schemas SET created_at = ?, updated_at = ?", long, long)
		before := g.drawn(g.tenant)
		g.must(g.Release(t.Context(), c))
		got := g.page(schema.GraphQuery{TenantID: g.tenant, Since: before.Since, Known: before.Tag})
		if got.Unchanged || len(got.Schemas) != 1 || got.Schemas[0].Run.State != stateRequested {
			t.Errorf("the delta after a release is\n%s", lines(got))
		}
	})
}

// A delta has pages too, and all of them have the moment of the first.
func TestGraphDeltaPages(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		for range 3 {
			g.insertCustomer()
		}
		before := g.age()
		ids := map[int64]bool{}
		for range 5 {
			ids[g.insertCustomer()] = true
		}
		pages := g.all(schema.GraphQuery{TenantID: g.tenant, Since: before.Since, Limit: 2})
		for _, page := range pages {
			if !page.Delta || page.Since != pages[0].Since {
				t.Errorf("a page of the delta is %+v", page)
			}
			for _, s := range page.Schemas {
				delete(ids, s.ID)
			}
		}
		if len(ids) > 0 || len(pages) != 3 {
			t.Errorf("%d pages, and %d schemas are missing", len(pages), len(ids))
		}
	})
}

// An old moment, or one of a clock that was ahead, is no start.
func TestGraphDeltaBounds(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g.insertCustomer()
		now := g.drawn(g.tenant).Since
		base, ok := parseSince(now, g.tenant)
		if !ok {
			t.Fatal("the moment can not be read")
		}
		for _, tc := range []struct {
			ago  time.Duration
			want bool
		}{{time.Hour, true}, {25 * time.Hour, false}, {-time.Hour, false}} {
			moved := base
			moved.at = base.at.Add(-tc.ago)
			if got := g.page(schema.GraphQuery{TenantID: g.tenant, Since: moved.encode(g.tenant)}); got.Delta != tc.want || len(got.Schemas) != 1 {
				t.Errorf("a moment %s ago makes a delta: %t", tc.ago, got.Delta)
			}
		}
		many := base
		for i := range usefulBuckets + 1 {
			many.prints[i]++
		}
		if g.page(schema.GraphQuery{TenantID: g.tenant, Since: many.encode(g.tenant)}).Delta {
			t.Error("where most changed, a delta is of no use")
		}
	})
}

// Where the mappings are many they are not looked at each time: what a human did is told
// late then, and is told.
func TestGraphTellsOfMappingsLate(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		g.commit(g.claim(id, "a"), createCustomer())
		before := g.age()
		g.looks.never = false
		remembered := func() {
			base, ok := parseSince(before.Since, g.tenant)
			if !ok {
				t.Fatal("the moment can not be read")
			}
			g.looks.keep(g.tenant, mappingState{prints: base.prints, newest: 1, times: g.mappingTimes()}, time.Hour)
		}
		remembered()
		g.sql("DELETE FROM schema_mappings WHERE id = (SELECT max(id) FROM schema_mappings)")
		late := g.page(schema.GraphQuery{TenantID: g.tenant, Since: before.Since})
		if !late.Delta || len(late.Schemas) > 0 {
			t.Fatalf("the look is not remembered:\n%s", lines(late))
		}
		g.looks = mappingLooks{}
		found := g.page(schema.GraphQuery{TenantID: g.tenant, Since: late.Since, Known: late.Tag})
		if found.Unchanged || len(found.Schemas) != 1 || len(found.Links) != 1 || found.Links[0].Fields != 1 {
			t.Errorf("after the next look the delta is\n%s", lines(found))
		}
	})
}

func (g *ground) mappingTimes() int64 {
	return toID(g.t, g.value("SELECT CAST(COALESCE(sum("+g.dialect.epoch("updated_at")+"), 0) AS bigint) FROM schema_mappings"))
}
