package analysis_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/analysis/formula"
	"github.com/schemacast/schemacast/internal/schema"
)

// decidedNew is a model's decision to create Customer, with a formula in it.
func decidedNew(t *testing.T) (*bed, schema.Schema, analysis.Recommendation) {
	t.Helper()
	s := bronze(t, customerFields, customerRow)
	p := analysis.Proposal{
		Action: analysis.ActionCreateNew, Entity: -1,
		NewEntity: &analysis.NewEntity{Name: "Customer", Fields: []schema.Field{
			required("customer_id", "decimal"), field("full_name", "string"), field("email", "string"),
			field("phone", "string"), field("birth_date", "date"),
		}},
		Mappings: []analysis.Proposed{
			direct(custID, "customer_id"),
			{Sources: []int{fname, lname}, Target: "full_name", Op: schema.OpCombine, Args: formula.Args{Separator: " "}, Band: analysis.BandHigh, Why: "both names"},
			direct(mail, "email"), direct(mobile, "phone"), direct(dob, "birth_date"),
		},
	}
	b := setup(t, analysis.Config{}, nil, step{proposal: p})
	return b, s, b.analyze(t, s, nil).Recommendation
}

func TestRematchMapsOntoTwin(t *testing.T) {
	t.Parallel()
	b, s, decided := decidedNew(t)
	twin := entity(60, "Customers",
		required("customer_id", "decimal"), field("full_name", "string"), field("email_address", "string"),
		field("phone", "string"), field("birth_date", "date"))
	r := b.analyzer.Rematch(s, decided, []schema.Entity{entity(59, "Invoice", field("invoice_no", "string")), twin})
	if r.Action != analysis.ActionMapToExisting || r.EntityID != 60 || r.EntityName != "Customers" {
		t.Fatalf("decision is %s %d, want the twin", r.Action, r.EntityID)
	}
	want := []string{
		"cust_id -> customer_id", "fname+lname -> full_name (combine)", "mail -> email_address", "mobile_1 -> phone", "dob -> birth_date",
	}
	if diff := cmp.Diff(want, pairsOf(r)); diff != "" {
		t.Errorf("mappings (-want +got):\n%s", diff)
	}
	for _, m := range r.Mappings {
		engine := schema.EngineLLM
		if m.Target == "email_address" {
			engine = schema.EngineOffline
		}
		if m.Engine != engine {
			t.Errorf("mapping onto %s is by %s, want %s", m.Target, m.Engine, engine)
		}
	}
	kept := slices.IndexFunc(decided.Mappings, func(m schema.Mapping) bool { return m.Target == "full_name" })
	if diff := cmp.Diff(decided.Mappings[kept], r.Mappings[1]); diff != "" {
		t.Errorf("kept mapping (-decided +rematched):\n%s", diff)
	}
	if !slices.Contains(r.Review, analysis.ReviewEntityAppeared) || r.Engine != schema.EngineOffline || r.Model != "" {
		t.Errorf("review %v, engine %s, model %q", r.Review, r.Engine, r.Model)
	}
	if r.SourceName != decided.SourceName {
		t.Errorf("the schema is named %q, want %q as before", r.SourceName, decided.SourceName)
	}
}

func TestRematchKeepsDecision(t *testing.T) {
	t.Parallel()
	b, s, decided := decidedNew(t)
	foreign := entity(61, "Customer", decided.Fields...)
	foreign.TenantID = "somebody-else"
	namesake := entity(62, "customer", field("loyalty_tier", "string"), field("opened", "date"))
	tests := []struct {
		name  string
		added []schema.Entity
		want  string // name of the new entity
	}{
		{"nothing added", nil, "Customer"},
		{"another thing added", []schema.Entity{shop()[2]}, "Customer"},
		{"another tenant's twin", []schema.Entity{foreign}, "Customer"},
		{"a namesake of another shape", []schema.Entity{namesake}, "Customer2"},
		{"unusable", []schema.Entity{entity(63, "Invoice\x00"), entity(64, "")}, "Customer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := b.analyzer.Rematch(s, decided, tt.added)
			want := decided
			want.EntityName = tt.want
			if diff := cmp.Diff(want, r); diff != "" {
				t.Errorf("recommendation (-decided +rematched):\n%s", diff)
			}
		})
	}
	t.Run("mapped to an existing one", func(t *testing.T) {
		t.Parallel()
		mapped := decided
		mapped.Action, mapped.EntityID = analysis.ActionMapToExisting, 3
		if diff := cmp.Diff(mapped, b.analyzer.Rematch(s, mapped, shop())); diff != "" {
			t.Errorf("recommendation (-decided +rematched):\n%s", diff)
		}
	})
}

// TestRematchVerifiesAgain: the twin has a field of the same name and another type.
func TestRematchVerifiesAgain(t *testing.T) {
	t.Parallel()
	b, s, decided := decidedNew(t)
	twin := entity(60, "Customer", required("customer_id", "decimal"), field("full_name", "boolean"), field("email", "string"),
		field("phone", "string"), field("birth_date", "date"))
	r := b.analyzer.Rematch(s, decided, []schema.Entity{twin})
	if r.EntityID != 60 {
		t.Fatalf("mapped to %d, want the twin", r.EntityID)
	}
	for _, m := range r.Mappings {
		if m.Target == "full_name" {
			t.Errorf("mapping %+v gives a text to a boolean", m)
		}
	}
	if !slices.Contains(gapsOf(r), "fname -> full_name: type_mismatch") {
		t.Errorf("unmapped are %v, want the lost mapping among them", gapsOf(r))
	}
}

// TestTwoWorkers: both decide to create the same entity; the second one to commit
// maps onto what the first one made.
func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	s := bronze(t, customerFields, customerRow)
	b := setup(t, analysis.Config{}, nil)
	first, second := b.analyze(t, s, nil).Recommendation, b.analyze(t, s, nil).Recommendation
	created := entity(70, first.EntityName, first.Fields...)
	r := b.analyzer.Rematch(s, second, []schema.Entity{created})
	if r.EntityID != 70 || len(r.Mappings) != len(first.Mappings) {
		t.Errorf("entity %d with %d mappings, want 70 with %d", r.EntityID, len(r.Mappings), len(first.Mappings))
	}
}
