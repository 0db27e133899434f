package analysis_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
)

// TestCertainAsksNoModel: the rule holds for the next delivery of a known source, and
// whatever is a little less known is asked.
func TestCertainAsksNoModel(t *testing.T) {
	t.Parallel()
	const (
		fields = `[{"name":"kd_nr","type":"float"},{"name":"First Name","type":"string"},{"name":"email","type":"email"},{"name":"city","type":"string"}]`
		row    = `{"kd_nr":7,"First Name":"Ana","email":"ana@silva.example","city":"Lisboa"}`
	)
	known := func() []schema.Entity {
		entities := shop()
		entities[0].Fields[0].Aliases = []string{"kd_nr"}
		entities[0].Fields[3].Format = "email"
		return entities
	}
	tests := []struct {
		name     string
		fields   string
		row      string
		entities []schema.Entity
		never    bool
		asked    int
	}{
		{name: "known", fields: fields, row: row, entities: known(), asked: 0},
		{name: "not allowed", fields: fields, row: row, entities: known(), never: true, asked: 1},
		{name: "name not learned", fields: fields, row: row, entities: shop(), asked: 1},
		{name: "one field more", fields: strings.Replace(fields, `[{`, `[{"name":"vip","type":"boolean"},{`, 1), row: row, entities: known(), asked: 1},
		{name: "another type", fields: strings.Replace(fields, `"city","type":"string"`, `"city","type":"float"`, 1), row: row, entities: known(), asked: 1},
		{name: "required field missing", fields: strings.Replace(fields, `,{"name":"email","type":"email"}`, ``, 1), row: row, entities: known(), asked: 1},
		{name: "a value that does not fit", fields: fields, row: strings.Replace(row, "ana@silva.example", "none", 1), entities: known(), asked: 1},
		{name: "two entities alike", fields: fields, row: row, entities: append(known(), entity(14, "Lead", known()[0].Fields...)), asked: 1},
		{name: "no entities", fields: fields, row: row, asked: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			create := analysis.Proposal{Action: analysis.ActionCreateNew, Entity: -1, Reasoning: "asked"}
			b := oracle(t, analysis.Config{SkipCertain: !tt.never}, tt.entities, func(analysis.Question) step { return step{proposal: create} })
			result := b.analyze(t, bronze(t, tt.fields, tt.row), nil)
			if len(b.model.asked) != tt.asked {
				t.Fatalf("%d questions, want %d", len(b.model.asked), tt.asked)
			}
			r := result.Recommendation
			if tt.asked > 0 {
				if r.Engine != schema.EngineLLM {
					t.Errorf("engine is %s", r.Engine)
				}
				return
			}
			if r.Engine != schema.EngineOffline || r.Model != "" || r.EntityID != 11 || len(r.Mappings) != 4 || r.NeedsReview() || result.Usage.Calls != 0 {
				t.Errorf("recommendation is %+v", r)
			}
			if !strings.HasPrefix(r.Reasoning, "No model was asked") || r.Confidence > 0.75 || r.EntityConfidence > 0.75 {
				t.Errorf("reasoning %q, confidence %g and %g", r.Reasoning, r.EntityConfidence, r.Confidence)
			}
		})
	}
}

// TestLearnedNamesReachTheModel, but learned values never do, and neither is stored
// with the entity again.
func TestLearnedNamesReachTheModel(t *testing.T) {
	t.Parallel()
	entities := shop()
	entities[0].Fields[1].Aliases = []string{"vorname", "prenom", "nome", "etunimi"}
	entities[0].Fields[1].Learned = rawValues(`"Wilhelmine"`)
	b := setup(t, analysis.Config{RawSamples: func(string) bool { return true }}, entities, step{proposal: goodProposal()})
	r := b.analyze(t, bronze(t, customerFields, customerRow), nil).Recommendation
	card := b.model.asked[0].Entities[0]
	if i := slices.IndexFunc(card.Fields, func(f analysis.QuestionField) bool { return f.Name == "first_name" }); i < 0 || len(card.Fields[i].Aliases) != 3 {
		t.Errorf("card is %+v, want three aliases of first_name", card)
	}
	if text := encode(t, b.model.asked[0]); strings.Contains(text, "Wilhelmine") {
		t.Error("a value of another source is in the question")
	}
	if text := encode(t, r); strings.Contains(text, "Wilhelmine") || strings.Contains(text, "vorname") {
		t.Error("what was learned is in the recommendation")
	}
}

// TestSecondSourceWithTheSameOddHeader is what learning is for.
func TestSecondSourceWithTheSameOddHeader(t *testing.T) {
	t.Parallel()
	odd := bronze(t, `[{"name":"xq","type":"string"},{"name":"first_name","type":"string"},{"name":"last_name","type":"string"},{"name":"phone","type":"phone"}]`,
		`{"xq":"ana@silva.example","first_name":"Ana","last_name":"Silva","phone":"+351 21 000 1111"}`)
	mapsTo := func(entities []schema.Entity) string {
		for _, m := range setup(t, analysis.Config{}, entities).analyze(t, odd, nil).Recommendation.Mappings {
			if m.Sources[0] == "xq" && m.Review == "" {
				return m.Target
			}
		}
		return ""
	}
	taught := shop()
	taught[0].Fields[3].Aliases = []string{"xq"}
	if got := mapsTo(taught); got != "email" {
		t.Errorf("xq is mapped to %q once it is an alias of email", got)
	}
}
