package analysis_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/analysis/formula"
	"github.com/schemacast/schemacast/internal/schema"
)

// TestAnyProposalGivesVerifiedResults: whatever a model says, what comes out keeps
// promise P7, or is an error of the model.
func TestAnyProposalGivesVerifiedResults(t *testing.T) {
	t.Parallel()
	s := bronze(t, customerFields, customerRow)
	rapid.Check(t, func(rt *rapid.T) {
		entities := shop()
		steps := []step{{proposal: madProposal(rt)}, {proposal: madProposal(rt)}}
		raw := rapid.Bool().Draw(rt, "raw")
		b := setup(t, analysis.Config{RawSamples: func(string) bool { return raw }}, entities, steps...)
		result, err := b.analyzer.Analyze(t.Context(), b.recorder.request(s, nil))
		if err != nil {
			if analysis.ModelErrorOf(err) == nil {
				rt.Fatalf("error is %v, want none or the model's", err)
			}
			return
		}
		checkVerified(rt, s, entities, result.Recommendation)
		added := []schema.Entity{{ID: 50, TenantID: tenant, Name: result.Recommendation.EntityName, Fields: madFields(rt)}}
		checkVerified(rt, s, append(entities, added...), b.analyzer.Rematch(s, result.Recommendation, added))
	})
}

var madTexts = []string{
	"", "email", "customer_id", "first_name", "birth_date", "E-Mail", "a\x00b", "\xff\xfe", strings.Repeat("x", 400), "名稱", "`", `"`, "mail", "$", " ",
	"DataEntity", "\u202eevil", "customer.email", "sum", "in",
}

var madFormulas = []string{
	"", "mail", "$lowercase(mail)", "fname & ' ' & lname", "$eval('1')", "cust_id + 1", "((((", "function($x){$x}", "$$", "*", "**", "%",
	"[1..100000000]", "dob", "$now()", `"x"`, "null", "\x00", "{ 'a': mail }",
}

func madFields(t *rapid.T) []schema.Field {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) schema.Field {
		return schema.Field{
			Name:     rapid.SampledFrom(madTexts).Draw(t, "name"),
			Type:     rapid.SampledFrom([]string{"", "string", "decimal", "date", "boolean", "array[string]", "object", "nonsense", "email"}).Draw(t, "type"),
			Required: rapid.Bool().Draw(t, "required"),
		}
	}), 0, 8).Draw(t, "fields")
}

func madProposal(t *rapid.T) analysis.Proposal {
	text := rapid.SampledFrom(madTexts)
	index := rapid.IntRange(-2, 8)
	mapping := rapid.Custom(func(t *rapid.T) analysis.Proposed {
		return analysis.Proposed{
			Sources: rapid.SliceOfN(index, 0, 4).Draw(t, "sources"),
			Target:  text.Draw(t, "target"),
			Op:      schema.Op(rapid.SampledFrom([]string{"direct", "format_conversion", "combine", "split", "constant", "formula", "", "rm"}).Draw(t, "op")),
			Args: formula.Args{
				InFormat: text.Draw(t, "in"), OutFormat: text.Draw(t, "out"), Separator: text.Draw(t, "separator"), Index: index.Draw(t, "part"),
				Literal: text.Draw(t, "literal"), Formula: rapid.SampledFrom(madFormulas).Draw(t, "formula"),
			},
			Band: analysis.Band(rapid.SampledFrom([]string{"high", "medium", "low", "certain"}).Draw(t, "band")),
			Why:  text.Draw(t, "why"),
		}
	})
	p := analysis.Proposal{
		Action:     analysis.Action(rapid.SampledFrom([]string{"map_to_existing", "create_new", "delete"}).Draw(t, "action")),
		Entity:     rapid.IntRange(-1, 4).Draw(t, "entity"),
		SourceName: text.Draw(t, "source name"),
		Reasoning:  text.Draw(t, "reasoning"),
		Mappings:   rapid.SliceOfN(mapping, 0, 8).Draw(t, "mappings"),
		Unmapped:   rapid.SliceOfN(index, 0, 4).Draw(t, "unmapped"),
		Rejected: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) analysis.Failure {
			return analysis.Failure{Sources: rapid.SliceOfN(index, 0, 2).Draw(t, "sources"), Target: text.Draw(t, "target"), Code: text.Draw(t, "code")}
		}), 0, 2).Draw(t, "rejected"),
	}
	if rapid.Bool().Draw(t, "with fields") {
		p.NewEntity = &analysis.NewEntity{Name: text.Draw(t, "entity name"), Fields: madFields(t)}
	}
	return p
}

// checkVerified is promise P7, and what a database and a reader need besides.
func checkVerified(t *rapid.T, s schema.Schema, entities []schema.Entity, r analysis.Recommendation) {
	position := slices.IndexFunc(entities, func(e schema.Entity) bool { return e.ID == r.EntityID })
	switch {
	case r.Action == analysis.ActionMapToExisting && position < 0:
		t.Fatalf("mapped to entity %d, which does not exist", r.EntityID)
	case r.Action == analysis.ActionCreateNew && r.EntityID != 0:
		t.Fatalf("a new entity has the id %d", r.EntityID)
	}
	targets, used, filled := map[string]schema.Field{}, map[string]bool{}, map[string]bool{}
	for _, f := range r.Fields {
		if _, twice := targets[f.Name]; twice {
			t.Fatalf("field %q stands twice in the entity", f.Name)
		}
		if r.Action == analysis.ActionCreateNew { // names that exist are kept as they are
			checkName(t, "field of the entity", f.Name)
		}
		targets[f.Name] = f
	}
	for _, m := range r.Mappings {
		target, known := targets[m.Target]
		if !known || filled[m.Target] {
			t.Fatalf("target %q is unknown or filled twice", m.Target)
		}
		filled[m.Target] = true
		for _, name := range m.Sources {
			if !slices.ContainsFunc(s.Fields, func(f schema.Field) bool { return f.Name == name }) {
				t.Fatalf("source %q does not exist", name)
			}
			used[name] = true
		}
		report, err := formula.NewVerifier(schema.SampleRows(s.RawSamples, 10)).Verify(context.Background(), m.Formula, m.Sources, target)
		if err != nil || report.Rows != 1 {
			t.Fatalf("formula %q of target %q: %v", m.Formula, m.Target, err)
		}
		if !(m.Confidence >= 0 && m.Confidence <= 1) || m.Engine == schema.EngineOffline && m.Confidence > 0.75 {
			t.Fatalf("confidence of %s mapping is %g", m.Engine, m.Confidence)
		}
		checkText(t, "why", m.Why)
	}
	checkGaps(t, s, r, used, filled)
	checkName(t, "entity", r.EntityName)
	checkName(t, "source", r.SourceName)
	checkText(t, "reasoning", r.Reasoning)
	if r.Similarity != nil && (*r.Similarity < 0 || *r.Similarity > 100) {
		t.Fatalf("similarity is %d", *r.Similarity)
	}
}

// checkGaps: every source is mapped or listed once, every required target too.
func checkGaps(t *rapid.T, s schema.Schema, r analysis.Recommendation, used, filled map[string]bool) {
	listed := map[string]int{}
	for _, u := range r.Unmapped {
		if u.Code == "" || u.Source == "" && u.Target == "" {
			t.Fatalf("unmapped %+v says nothing", u)
		}
		checkText(t, "detail", u.Detail)
		listed["source "+u.Source]++
		if u.Source == "" {
			listed["target "+u.Target]++
		}
	}
	for _, f := range s.Fields {
		if n := listed["source "+f.Name]; used[f.Name] && n != 0 || !used[f.Name] && n != 1 {
			t.Fatalf("source %q is listed %d times as unmapped (mapped: %t)", f.Name, n, used[f.Name])
		}
	}
	for _, f := range r.Fields {
		if n := listed["target "+f.Name]; f.Required && !filled[f.Name] && n != 1 || filled[f.Name] && n != 0 {
			t.Fatalf("target %q is listed %d times as empty (filled: %t)", f.Name, n, filled[f.Name])
		}
	}
}

func checkName(t *rapid.T, what, name string) {
	if name == "" || utf8.RuneCountInString(name) > 255 {
		t.Fatalf("name of %s is %q", what, name)
	}
	checkText(t, what, name)
}

func checkText(t *rapid.T, what, text string) {
	if text == "" || !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\u202e\n") {
		t.Fatalf("%s is %q", what, text)
	}
}
