package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

func TestDetail(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		g.must(g.Retry(t.Context(), g.claim(id, "a"), run.Failure{Code: "x", Text: "the model is busy"}, false))
		r := createCustomer()
		r.EntityConfidence, r.Review, r.VerifiedRows, r.PromptVersion = .8, []string{analysis.ReviewNearDuplicate}, 3, "p1"
		r.Unmapped = []analysis.Unmapped{{Target: "phone", Code: analysis.CodeRequiredMissing, Detail: "nothing fits"}}
		g.commit(g.claim(id, "b"), r)
		// A human edits one mapping.
		g.sql("UPDATE schema_mappings SET formula_expression = '$trim(e_mail)' WHERE field_path = 'e_mail'")

		d, err := g.Detail(t.Context(), id, g.tenant, false)
		g.must(err)
		if d.Samples != nil {
			t.Errorf("samples %s, which nobody wanted", d.Samples)
		}
		var mappings []string
		for _, m := range d.Mappings {
			confidence := "by hand"
			if m.Confidence != nil {
				confidence = fmt.Sprint(*m.Confidence)
			}
			mappings = append(mappings, strings.TrimSpace(fmt.Sprintln(m.Source, m.Target, m.Type, m.Formula, confidence, m.Why, m.Op, m.VerifiedRows)))
		}
		want := []string{"id id direct  1 same name direct 3", "e_mail email formula $trim(e_mail) by hand   0"}
		if diff := cmp.Diff(want, mappings); diff != "" {
			t.Errorf("mappings (-want +got):\n%s", diff)
		}
		if d.Entity == nil || d.Entity.Name != "Customer" || len(d.Entity.Fields) != 2 {
			t.Errorf("entity %+v", d.Entity)
		}
		if diff := cmp.Diff([]schema.DetailUnmapped{{Target: "phone", Code: "required_missing", Why: "nothing fits"}}, d.Unmapped); diff != "" {
			t.Errorf("unmapped (-want +got):\n%s", diff)
		}
		if x := d.Decision; x == nil || x.Action != "create_new" || *x.Confidence != .8 || !x.NeedsReview || x.PromptVersion != "p1" || x.Cost != nil {
			t.Errorf("decision %+v", x)
		}
		if len(d.Runs) != 1 || len(d.Runs[0].History) != 2 || d.Runs[0].History[0].Error != "the model is busy" || d.Runs[0].History[1].Worker != "b" ||
			d.Runs[0].Attempts != 2 || d.Runs[0].Outcome != "completed" {
			t.Errorf("runs %+v", d.Runs)
		}

		d, err = g.Detail(t.Context(), id, g.tenant, true)
		g.must(err)
		if len(d.Samples) != 1 || !strings.Contains(string(d.Samples[0]), "a@b.example") {
			t.Errorf("samples %s", d.Samples)
		}
	})
}

func TestDetailOfNothing(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		fresh := g.insertCustomer()
		d, err := g.Detail(t.Context(), fresh, g.tenant, false)
		g.must(err)
		if d.Entity != nil || d.Decision != nil || len(d.Mappings)+len(d.Unmapped)+len(d.Runs) > 0 || d.Schema.Run != nil {
			t.Errorf("of a row that nobody has touched: %+v", d)
		}
		g.commit(g.claim(fresh, "a"), createCustomer())
		entity := toID(t, g.value("SELECT id FROM schemas WHERE type = 'struct'"))
		for _, tc := range []struct {
			id     int64
			tenant string
		}{{fresh, "other"}, {entity, g.tenant}, {12345, g.tenant}} {
			if _, err := g.Detail(t.Context(), tc.id, tc.tenant, true); !errors.Is(err, run.ErrUnknownSchema) {
				t.Errorf("schema %d of %s: %v", tc.id, tc.tenant, err)
			}
		}
		if tenant, err := g.SchemaTenant(t.Context(), fresh); err != nil || tenant != g.tenant {
			t.Errorf("its tenant is %q, %v", tenant, err)
		}
		for _, id := range []int64{entity, 12345} {
			if _, err := g.SchemaTenant(t.Context(), id); !errors.Is(err, run.ErrUnknownSchema) {
				t.Errorf("the tenant of %d: %v", id, err)
			}
		}
	})
}

func TestSearchTenants(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g.sql("INSERT INTO tenants (id, name) VALUES ('t1', 'Acme 50%'), ('t2', 'acme_2'), ('x3', 'Initech')")
		all := schema.Tenants{All: true}
		for _, tc := range []struct {
			text  string
			among schema.Tenants
			limit int
			want  string
		}{
			{"", all, 9, "Acme 50%,acme_2,Globex,Initech,Other Inc"},
			{"", all, 2, "Acme 50%,acme_2,..."},
			{"ACME", all, 9, "Acme 50%,acme_2"},
			{"0%", all, 9, "Acme 50%"},
			{"e_2", all, 9, "acme_2"},
			{"T1", all, 9, "Acme 50%"},
			{`\`, all, 9, ""},
			{"a\x00b", all, 9, ""},
			{"", schema.Tenants{IDs: []string{"x3", "nobody", strings.Repeat("x", 300), "a\xff"}}, 9, "Initech"},
			{"acme", schema.Tenants{IDs: []string{"x3"}}, 9, ""},
			{"", schema.Tenants{}, 9, ""},
		} {
			found, more, err := g.SearchTenants(t.Context(), tc.text, tc.among, tc.limit)
			g.must(err)
			var names []string
			for _, tenant := range found {
				names = append(names, tenant.Name)
			}
			if more {
				names = append(names, "...")
			}
			if got := strings.Join(names, ","); got != tc.want {
				t.Errorf("%q among %v: %q, want %q", tc.text, tc.among, got, tc.want)
			}
		}
	})
}
