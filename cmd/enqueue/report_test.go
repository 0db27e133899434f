package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/store"
)

var update = flag.Bool("update", false, "write the golden files")

func TestPrintStanding(t *testing.T) {
	t.Parallel()
	mapped := schema.Mapping{Sources: []string{"e_mail"}, Target: "email", Op: schema.OpDirect, Formula: "e_mail", Confidence: 0.954}
	fields := []schema.Field{{Name: "e_mail"}, {Name: "first"}, {Name: "last"}, {Name: "名前\x1b[2J"}}
	sure := analysis.Recommendation{
		Action: analysis.ActionMapToExisting, EntityName: "Customer", Engine: schema.EngineLLM, Model: "gpt-\x1b[31m", Mappings: []schema.Mapping{mapped},
	}
	doubts := sure
	doubts.Action, doubts.Engine, doubts.Review = analysis.ActionCreateNew, schema.EngineOffline, []string{"ambiguous_entity"}
	doubts.Mappings = append(doubts.Mappings, schema.Mapping{
		Sources: []string{"first", "名前\x1b[2J"}, Target: strings.Repeat("ü", 41), Op: schema.OpCombine,
		Formula: "first & \" \" & " + strings.Repeat("x", 60), Review: "low_confidence",
	})
	doubts.Unmapped = []analysis.Unmapped{{Source: "last", Code: "no_target"}, {Target: "id", Code: "required_missing"}}
	for name, standing := range map[string]store.Standing{
		"sure":   {Schema: schema.Schema{Name: "people", Fields: fields[:1]}, EntityID: 7, Recommendation: &sure},
		"doubts": {Schema: schema.Schema{Fields: fields}, EntityID: 8, Recommendation: &doubts, Outcome: "kept_human"},
		"failed": {Failure: run.Failure{Code: "schema_gone", Text: "the schema\nis \x1b[31mgone"}},
		"none":   {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			if err := printStanding(&b, standing); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("printed (-want +got), rewrite with go test ./cmd/enqueue -update:\n%s", diff)
			}
		})
	}
}
