package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

func (g *ground) page(q schema.GraphQuery) schema.GraphPage {
	g.t.Helper()
	page, err := g.GraphPage(g.t.Context(), q)
	g.must(err)
	return page
}

func (g *ground) drawn(tenant string) schema.GraphPage {
	g.t.Helper()
	return g.page(schema.GraphQuery{TenantID: tenant})
}

// lines tells a graph in short, one line a thing.
func lines(page schema.GraphPage) string {
	var text strings.Builder
	for _, s := range page.Schemas {
		name, state := s.Name, "no run"
		if name == "" {
			name = "-"
		}
		if s.Run != nil {
			state = fmt.Sprintf("%s %d/%d", s.Run.State, s.Run.Attempts, s.Run.MaxAttempts)
		}
		fmt.Fprintf(&text, "%s %s/%s %d fields, seq %d, %s, error %q\n", name, s.Status, s.AnalysisStatus, len(s.Fields), s.Seq, state, s.Error)
	}
	for _, e := range page.Entities {
		fmt.Fprintf(&text, "%s: %d fields\n", e.Name, len(e.Fields))
	}
	for _, l := range page.Links {
		fmt.Fprintf(&text, "link of %d, %d by hand", l.Fields, l.ByHand)
		if l.Confidence != nil {
			fmt.Fprintf(&text, ", %.2f, at least %.2f", *l.Confidence, *l.Low)
		}
		text.WriteString("\n")
	}
	return text.String()
}

func wantLines(t *testing.T, page schema.GraphPage, want string) {
	t.Helper()
	if diff := cmp.Diff(strings.TrimLeft(want, "\n"), lines(page)); diff != "" {
		t.Errorf("graph (-want +got):\n%s", diff)
	}
}

func TestGraphTellsWhereEverythingStands(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		done, failing, retrying := g.insertCustomer(), g.insertCustomer(), g.insertCustomer()
		g.insertCustomer() // nobody has touched it yet
		g.sql("UPDATE schemas SET created_at = '2025-03-04 05:06:07' WHERE id = ?", done)
		c := g.claim(done, "a")
		g.commit(c, createCustomer())
		g.must(g.Fail(t.Context(), g.claim(failing, "a"), run.Failure{Code: "invalid", Text: "it has no usable field"}))
		g.claim(retrying, "a")
		g.sql("UPDATE schemacast_runs SET error_text = 'the model is busy' WHERE schema_id = ?", retrying)

		page := g.drawn(g.tenant)
		wantLines(t, page, `
- pending/pending 2 fields, seq 0, no run, error ""
- pending/processing 2 fields, seq 1, running 1/6, error "the model is busy"
- pending/failed 2 fields, seq 2, failed 1/6, error "it has no usable field"
customer_source confirmed/completed 2 fields, seq 2, completed 1/6, error ""
Customer: 2 fields
link of 2, 0 by hand, 0.95, at least 0.90
`)
		s := page.Schemas[3]
		if s.ID != done || s.Run.ID != c.RunID || s.TenantID != g.tenant || s.CreatedAt.Format(appTime) != "2025-03-04 05:06:07" {
			t.Errorf("the analysed schema is %+v", s)
		}
		if s.Engine != schema.EngineOffline || s.AnalyzedAt.IsZero() || s.Run.Ended.Before(s.Run.Started) || s.Run.Requested.IsZero() {
			t.Errorf("the analysed schema is %+v", s)
		}
		if page.Seq != 5 || page.Next != "" || page.Delta || page.Totals != (schema.GraphTotals{Schemas: 4, Entities: 1}) || page.Typical < 0 {
			t.Errorf("the page is %+v", page)
		}
		if l := page.Links[0]; l.SchemaID != done || l.EntityID != page.Entities[0].ID {
			t.Errorf("the link leads from %d to %d", l.SchemaID, l.EntityID)
		}
		for _, f := range s.Fields {
			if f.Sample != nil {
				t.Errorf("field %s carries the value %s", f.Name, f.Sample)
			}
		}
	})
}

// What humans and older programs wrote is shown as far as it makes sense.
func TestGraphOfForeignRows(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		g.commit(g.claim(id, "a"), createCustomer())
		entity := g.drawn(g.tenant).Entities[0].ID
		g.sql("DELETE FROM schema_mappings")
		for _, row := range []struct{ definition, kind, formula any }{
			{`{"schema_mapping":{"fields":[{"sourcePath":"id","fieldName":"id","isArray":false}]},"entity_name":"x"}`, "direct", nil},
			{`{"schema_mapping":{"fields":[{"sourcePath":"e_mail","fieldName":"email"}]}}`, "formula", "$trim(e_mail)"},
			{`{"schema_mapping":{"fields":[]}}`, "direct", nil},
			{`[1]`, "direct", nil},
			{nil, "direct", nil},
		} {
			g.sql("INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, mapping_definition, mapping_type, formula_expression) VALUES (?, ?, 'e_mail', ?, ?, ?)",
				id, entity, row.definition, row.kind, row.formula)
		}
		g.sql("UPDATE schemas SET type = 'entity', ai_analysis_status = 'failed', ai_analysis_error = 'the old job failed', detected_fields = '{}' WHERE id = ?", id)
		wantLines(t, g.drawn(g.tenant), `
customer_source confirmed/failed 0 fields, seq 2, completed 1/6, error "the old job failed"
Customer: 2 fields
link of 2, 1 by hand, 1.00, at least 1.00
`)
		g.sql("UPDATE schemas SET ai_recommendations = '{\"field_mappings\": 7}' WHERE id = ?", id)
		if l := g.drawn(g.tenant).Links; len(l) != 1 || l[0].ByHand != 2 || l[0].Confidence != nil {
			t.Errorf("without a recommendation the links are %+v", l)
		}
	})
}

func TestGraphShowsOneTenant(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		theirs := g.insert("other", "theirs", customer)
		g.commit(g.claim(theirs, "a"), createCustomer())
		other := g.drawn("other")
		mine := g.insertCustomer()
		g.sql("UPDATE schemas SET ai_analysis_status = 'disabled' WHERE id = ?", mine)
		// The program before us mapped onto whatever id the model gave.
		g.sql("INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, mapping_definition) VALUES (?, ?, 'id', '{\"schema_mapping\":{\"fields\":[{\"sourcePath\":\"id\",\"fieldName\":\"id\"}]}}')", mine, other.Entities[0].ID)
		page := g.drawn(g.tenant)
		wantLines(t, page, "- pending/disabled 2 fields, seq 0, no run, error \"\"\n")
		if page.Seq != 0 {
			t.Errorf("seq is %d: it counts the events of another tenant", page.Seq)
		}
		for _, unknown := range []string{"", "nobody", "Globex", "a\x00b", "a\xffb", strings.Repeat("x", 300)} {
			if _, err := g.GraphPage(t.Context(), schema.GraphQuery{TenantID: unknown}); !errors.Is(err, schema.ErrUnknownTenant) {
				t.Errorf("graph of %q: %v", unknown, err)
			}
		}
		// A token of one tenant tells nothing of another.
		if q := g.page(schema.GraphQuery{TenantID: g.tenant, Since: other.Since}); q.Delta {
			t.Error("another tenant's moment made a delta")
		}
	})
}

// all reads every page.
func (g *ground) all(q schema.GraphQuery) (pages []schema.GraphPage) {
	g.t.Helper()
	for {
		page := g.page(q)
		pages = append(pages, page)
		if page.Next == "" {
			return pages
		}
		if len(pages) > 50 {
			g.t.Fatal("the pages have no end")
		}
		q.Cursor = page.Next
	}
}

func TestGraphPages(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		for range 5 {
			g.commit(g.claim(g.insertCustomer(), "a"), createCustomer())
		}
		for i := range 3 {
			g.sql("INSERT INTO schemas (hash, name, tenant_id, sample_data, detected_fields, status, type) VALUES (?, ?, ?, '[]', ?, 'confirmed', 'struct')",
				fmt.Sprint("s", i), fmt.Sprint("Unused", i), g.tenant, customer)
		}
		for _, tc := range []struct {
			limit, fields int
			want          string // schemas/entities of each page
		}{
			{500, 20000, "5/4"},
			{5, 20000, "5/1 0/3"},
			{7, 20000, "5/3 0/1"},
			{2, 20000, "2/1 2/1 1/2 0/2"},
			{2, 4, "1/1 1/1 1/1 1/1 1/1 0/2 0/1"},
			{500, 6, "2/1 2/1 1/2 0/2"},
			{500, 1, "1/1 1/1 1/1 1/1 1/1 0/1 0/1 0/1"},
		} {
			var got []string
			var schemas, entities []int64
			seen := map[int64]bool{}
			q := schema.GraphQuery{TenantID: g.tenant, Limit: tc.limit}
			for {
				page, err := g.graphPage(t.Context(), q, tc.fields)
				g.must(err)
				got = append(got, fmt.Sprintf("%d/%d", len(page.Schemas), len(page.Entities)))
				for _, s := range page.Schemas {
					schemas = append(schemas, s.ID)
				}
				for _, e := range page.Entities {
					if !seen[e.ID] {
						seen[e.ID] = true
						entities = append(entities, e.ID)
					}
				}
				if len(page.Links) != len(page.Schemas) || page.Totals != (schema.GraphTotals{Schemas: 5, Entities: 4}) {
					t.Errorf("limit %d: %d links for %d schemas, totals %+v", tc.limit, len(page.Links), len(page.Schemas), page.Totals)
				}
				if q.Cursor = page.Next; q.Cursor == "" || len(got) > 20 {
					break
				}
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("limit %d, %d fields (-want +got):\n%s", tc.limit, tc.fields, diff)
			}
			if len(schemas) != 5 || len(entities) != 4 {
				t.Errorf("limit %d, %d fields: %d schemas and %d entities in all", tc.limit, tc.fields, len(schemas), len(entities))
			}
			for i := 1; i < len(schemas); i++ {
				if schemas[i] >= schemas[i-1] {
					t.Errorf("limit %d: the newest is not first: %v", tc.limit, schemas)
				}
			}
		}
	})
}

func TestGraphRefusesForeignCursors(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g.insertCustomer()
		g.insertCustomer()
		g.insert("other", "theirs", customer)
		g.insert("other", "theirs2", customer)
		theirs := g.page(schema.GraphQuery{TenantID: "other", Limit: 1}).Next
		for _, cursor := range []string{"x", "!!", "e30", theirs, theirs[:len(theirs)-4], strings.Repeat("A", 10_000)} {
			if _, err := g.GraphPage(t.Context(), schema.GraphQuery{TenantID: g.tenant, Cursor: cursor}); !errors.Is(err, schema.ErrBadCursor) {
				t.Errorf("cursor %.20s: %v", cursor, err)
			}
		}
		for _, since := range []string{"x", "!!", strings.Repeat("A", 10_000), theirs} {
			if page := g.page(schema.GraphQuery{TenantID: g.tenant, Since: since}); page.Delta || len(page.Schemas) != 2 {
				t.Errorf("since %.20s: %+v", since, page)
			}
		}
	})
}

// All tables are read as they were at one moment, and nobody has to wait for it.
func TestGraphIsOneMoment(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		c := g.claim(id, "a")
		other := g.another(func(*Config) {})
		g.must(g.snapshot(t.Context(), func(x *tx) error {
			reader := &graphReader{tx: x, wanted: schema.GraphQuery{TenantID: g.tenant}, limit: 9, fields: 99, confidences: map[int64]confidences{}}
			g.must(reader.begin())
			other.commit(c, createCustomer())
			g.must(reader.readSchemas())
			g.must(reader.readLinks())
			g.must(reader.readLinkedEntities())
			wantLines(t, reader.page, "- pending/processing 2 fields, seq 1, running 1/6, error \"\"\n")
			return nil
		}))
		if seq := g.drawn(g.tenant).Seq; seq != 2 {
			t.Errorf("seq after the commit is %d", seq)
		}
	})
}

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
