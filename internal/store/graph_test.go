package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

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
