package llm

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/schema"
)

// catalog is an analysis.Catalog of one tenant.
type catalog []schema.Entity

func (c catalog) EntityVersion(context.Context, string) (string, error) { return "", nil }

func (c catalog) Entities(context.Context, string) ([]schema.Entity, error) { return c, nil }

// TestAnalyzer runs whole analyses through the wire: question, answer, repair.
func TestAnalyzer(t *testing.T) {
	t.Parallel()
	source := schema.Schema{
		ID: 1, TenantID: "tenant", Name: "people",
		Fields: []schema.Field{
			{Name: "email", Type: "email", Sample: json.RawMessage(`"a@example.com"`)},
			{Name: "full_name", Type: "string", Sample: json.RawMessage(`"Erika Mustermann"`)},
		},
		RawSamples: json.RawMessage(`[{"email":"a@example.com","full_name":"Erika Mustermann"}]`),
	}
	customer := schema.Entity{ID: 31, TenantID: "tenant", Name: "Customer", Fields: []schema.Field{
		{Name: "email", Type: "email"}, {Name: "full_name", Type: "string"},
	}}
	for _, c := range []struct {
		name     string
		entities catalog
		script   []llmtest.Step
		action   analysis.Action
		calls    int
	}{
		{"maps", catalog{customer}, nil, analysis.ActionMapToExisting, 1},
		{"creates", nil, nil, analysis.ActionCreateNew, 1},
		{"repairs a formula", catalog{customer}, []llmtest.Step{llmtest.BadFormula()}, analysis.ActionMapToExisting, 2},
		{"repairs invented ids", catalog{customer}, []llmtest.Step{llmtest.InventedIDs()}, analysis.ActionMapToExisting, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, c.script...)
			analyzer, err := analysis.New(c.entities, b.Client, analysis.Config{})
			if err != nil {
				t.Fatal(err)
			}
			result, err := analyzer.Analyze(testContext(t), analysis.Request{
				Schema:   source,
				Save:     func(context.Context, []byte, analysis.Usage) error { return nil },
				Progress: func(string, int, int) {},
			})
			if err != nil {
				t.Fatalf("Analyze: %v", err)
			}
			r := result.Recommendation
			got := map[string]string{}
			for _, m := range r.Mappings {
				got[m.Target] = m.Formula
			}
			if diff := cmp.Diff(map[string]string{"email": "email", "full_name": "full_name"}, got); diff != "" {
				t.Errorf("mappings (-want +got)\n%s\nunmapped: %+v", diff, r.Unmapped)
			}
			if r.Action != c.action || r.Engine != schema.EngineLLM || result.Usage.Calls != c.calls {
				t.Errorf("%s by %s in %d calls, want %s by llm in %d", r.Action, r.Engine, result.Usage.Calls, c.action, c.calls)
			}
		})
	}
}
