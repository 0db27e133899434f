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

func (g *ground) drawn(tenant string) schema.Graph {
	g.t.Helper()
	graph, err := g.Graph(g.t.Context(), tenant)
	g.must(err)
	return graph
}

// lines tells a graph in short, one line a thing.
func lines(graph schema.Graph) string {
	var text strings.Builder
	for _, s := range graph.Schemas {
		name := s.Name
		if name == "" {
			name = "-"
		}
		fmt.Fprintf(&text, "%s %s/%s %d fields, seq %d, run %t, error %q\n",
			name, s.Status, s.AnalysisStatus, len(s.Fields), s.Seq, s.RunID != "", s.Error)
	}
	for _, e := range graph.Entities {
		fmt.Fprintf(&text, "%s: %d fields\n", e.Name, len(e.Fields))
	}
	for _, m := range graph.Mappings {
		confidence := "by hand"
		if m.Confidence != nil {
			confidence = fmt.Sprint(*m.Confidence)
		}
		fmt.Fprintf(&text, "%s -> %s (%s %q) %s\n", m.Source, m.Target, m.Type, m.Formula, confidence)
	}
	return text.String()
}

func wantLines(t *testing.T, graph schema.Graph, want string) {
	t.Helper()
	if diff := cmp.Diff(strings.TrimLeft(want, "\n"), lines(graph)); diff != "" {
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

		graph := g.drawn(g.tenant)
		wantLines(t, graph, `
- pending/pending 2 fields, seq 0, run false, error ""
- pending/processing 2 fields, seq 1, run true, error "the model is busy"
- pending/failed 2 fields, seq 2, run true, error "it has no usable field"
customer_source confirmed/completed 2 fields, seq 2, run true, error ""
Customer: 2 fields
id -> id (direct "") 1
e_mail -> email (formula "$lowercase(e_mail)") 0.9
`)
		s := graph.Schemas[3]
		if s.ID != done || s.RunID != c.RunID || s.TenantID != g.tenant || s.CreatedAt.Format(appTime) != "2025-03-04 05:06:07" {
			t.Errorf("the analysed schema is %+v", s)
		}
		if graph.Seq != 5 || graph.Truncated {
			t.Errorf("seq %d, truncated %t; want the number of events, 5", graph.Seq, graph.Truncated)
		}
		m := graph.Mappings[0]
		if m.SchemaID != done || m.EntityID != graph.Entities[0].ID {
			t.Errorf("the mapping leads from %d to %d", m.SchemaID, m.EntityID)
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
customer_source confirmed/failed 0 fields, seq 2, run true, error "the old job failed"
Customer: 2 fields
id -> id (direct "") 1
e_mail -> email (formula "$trim(e_mail)") by hand
`)
	})
}

func TestGraphShowsOneTenant(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		theirs := g.insert("other", "theirs", customer)
		g.commit(g.claim(theirs, "a"), createCustomer())
		foreign := g.drawn("other").Entities[0].ID
		mine := g.insertCustomer()
		g.sql("UPDATE schemas SET ai_analysis_status = 'disabled' WHERE id = ?", mine)
		// The program before us mapped onto whatever id the model gave.
		g.sql("INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, mapping_definition) VALUES (?, ?, 'id', '{\"schema_mapping\":{\"fields\":[{\"sourcePath\":\"id\",\"fieldName\":\"id\"}]}}')", mine, foreign)
		graph := g.drawn(g.tenant)
		wantLines(t, graph, "- pending/disabled 2 fields, seq 0, run false, error \"\"\n")
		if graph.Seq != 0 {
			t.Errorf("seq is %d: it counts the events of another tenant", graph.Seq)
		}
		for _, unknown := range []string{"", "nobody", "Globex", "a\x00b", "a\xffb", strings.Repeat("x", 300)} {
			if _, err := g.Graph(t.Context(), unknown); !errors.Is(err, schema.ErrUnknownTenant) {
				t.Errorf("graph of %q: %v", unknown, err)
			}
		}
	})
}

func TestGraphIsBounded(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		for range 3 {
			g.commit(g.claim(g.insertCustomer(), "a"), createCustomer())
		}
		g.sql("INSERT INTO schemas (hash, name, tenant_id, sample_data, detected_fields, status, type) VALUES ('s', 'Unused', ?, '[]', ?, 'confirmed', 'struct')", g.tenant, customer)
		for _, tc := range []struct {
			name                        string
			limits                      graphLimits
			schemas, entities, mappings int
			truncated                   bool
		}{
			{"nothing is cut", graphLimits{3, 2, 6, 6}, 3, 2, 6, false},
			{"schemas", graphLimits{2, 9, 99, 99}, 2, 2, 4, true},
			{"fields", graphLimits{9, 9, 5, 99}, 2, 2, 4, true},
			{"mappings", graphLimits{9, 9, 99, 5}, 3, 2, 5, true},
			{"entities that are mapped to come first", graphLimits{9, 1, 99, 99}, 3, 1, 6, true},
			{"no mapping without its entity", graphLimits{9, 0, 99, 99}, 3, 0, 0, true},
			{"no schema", graphLimits{0, 9, 99, 99}, 0, 2, 0, true},
		} {
			graph, err := g.graph(t.Context(), g.tenant, tc.limits)
			g.must(err)
			got := []any{len(graph.Schemas), len(graph.Entities), len(graph.Mappings), graph.Truncated}
			if diff := cmp.Diff([]any{tc.schemas, tc.entities, tc.mappings, tc.truncated}, got); diff != "" {
				t.Errorf("%s: schemas, entities, mappings, truncated (-want +got):\n%s", tc.name, diff)
			}
			for i := 1; i < len(graph.Schemas); i++ {
				if graph.Schemas[i].ID > graph.Schemas[i-1].ID {
					t.Errorf("%s: the newest is not first", tc.name)
				}
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
			reader := &graphReader{tx: x, tenantID: g.tenant, limits: defaultGraphLimits, confidences: map[int64]confidences{}}
			g.must(reader.readTenant())
			other.commit(c, createCustomer())
			g.must(reader.readSchemas())
			g.must(reader.readMappings())
			g.must(reader.readEntities())
			wantLines(t, reader.graph, "- pending/processing 2 fields, seq 1, run true, error \"\"\n")
			return nil
		}))
		if seq := g.drawn(g.tenant).Seq; seq != 2 {
			t.Errorf("seq after the commit is %d", seq)
		}
	})
}
