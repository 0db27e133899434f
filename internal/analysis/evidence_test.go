package analysis

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/schemacast/schemacast/internal/analysis/formula"
	"github.com/schemacast/schemacast/internal/schema"
)

// TestConfidence is the table of what the coefficients come to.
func TestConfidence(t *testing.T) {
	t.Parallel()
	src, err := newSource(schema.Schema{Fields: named("email", "colour"), RawSamples: json.RawMessage(`{"email":"a@b.example"}`)})
	if err != nil {
		t.Fatal(err)
	}
	known := newEntities("", []schema.Entity{{ID: 1, Name: "Customer", Fields: named("email", "voltage")}})
	dst := known.existing(0, 1, src)
	dst.lead = clearLead
	all, none := formula.Report{Rows: 4, Produced: 4}, formula.Report{Rows: 4}
	tests := []struct {
		name   string
		item   item
		target int
		report formula.Report
		from   float64
		to     float64
	}{
		{"model, all agrees", item{sources: []int{0}, engine: schema.EngineLLM, band: BandHigh}, 0, all, 0.99, 0.99},
		{"model unsure", item{sources: []int{0}, engine: schema.EngineLLM, band: BandLow}, 0, all, 0.95, 0.99},
		{"model, no row gave a value", item{sources: []int{0}, engine: schema.EngineLLM, band: BandHigh}, 0, none, 0.95, 0.99},
		{"model alone", item{sources: []int{1}, engine: schema.EngineLLM, band: BandHigh}, 1, all, 0.5, 0.65},
		{"model alone, no rows", item{sources: []int{1}, engine: schema.EngineLLM, band: BandHigh}, 1, formula.Report{}, 0.3, 0.5},
		{"model alone and unsure", item{sources: []int{1}, engine: schema.EngineLLM, band: BandLow}, 1, all, 0.2, 0.49},
		{"constant", item{op: schema.OpConstant, engine: schema.EngineLLM, band: BandHigh}, 1, all, 0.2, 0.49},
		{"matcher, all agrees", item{sources: []int{0}, engine: schema.EngineOffline}, 0, all, 0.75, 0.75},
		{"matcher, a weak pair", item{sources: []int{1}, engine: schema.EngineOffline}, 1, all, 0, 0.3},
	}
	for _, tt := range tests {
		got := evidenceFor(src, dst, tt.item, tt.target, tt.report).confidence()
		if got < tt.from || got > tt.to {
			t.Errorf("%s: confidence is %g, want %g to %g", tt.name, got, tt.from, tt.to)
		}
	}
	edge := evidence{score: 0.5, fit: 1, rank: 1, rows: 0.5, lead: 0.5}
	if got := edge.confidence(); got < 0.4 || got > 0.6 {
		t.Errorf("what the matcher just takes has %g, want about a half", got)
	}
}

// TestMoreEvidenceIsNeverLess: confidence is monotone in each of its features, and
// keeps its caps.
func TestMoreEvidenceIsNeverLess(t *testing.T) {
	t.Parallel()
	unit := rapid.Float64Range(0, 1)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) float64 { return unit.Draw(t, name) }
		e := evidence{
			score: draw("score"), margin: draw("margin"), rank: draw("rank"), named: draw("named"), fit: draw("fit"),
			rows: draw("rows"), lead: draw("lead"), agreement: draw("agreement"), band: draw("band"), model: rapid.Bool().Draw(t, "model"),
		}
		more := e
		feature := rapid.SampledFrom([]*float64{
			&more.score, &more.margin, &more.rank, &more.named, &more.fit, &more.rows, &more.lead, &more.agreement, &more.band,
		}).Draw(t, "feature")
		*feature += (1 - *feature) * draw("by")
		before, after := e.confidence(), more.confidence()
		if after < before || before < 0 || after > 0.99 || !e.model && after > 0.75 {
			t.Fatalf("%+v has %g, and %+v has %g", e, before, more, after)
		}
		whole := entityEvidence{score: e.score, lead: e.lead, coverage: e.rows, agreement: e.agreement, model: e.model}
		better := whole
		feature = rapid.SampledFrom([]*float64{&better.score, &better.lead, &better.coverage, &better.agreement}).Draw(t, "entity feature")
		*feature += (1 - *feature) * draw("entity by")
		if before, after = whole.confidence(), better.confidence(); after < before || after > 0.99 || !e.model && after > 0.75 {
			t.Fatalf("%+v has %g, and %+v has %g", whole, before, better, after)
		}
	})
}
