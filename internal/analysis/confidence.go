package analysis

import "github.com/schemacast/schemacast/internal/schema"

// The coefficients of the logistic for the entity, argued like those of a mapping:
// the matcher's score of the entity counts most, then that a model chose it, then
// that the matcher had chosen the same, then how much of the schema found a sure
// place in it.
const (
	weighEntityScore     = 2.0
	weighEntityLead      = 0.8
	weighEntityCoverage  = 1.0
	weighEntityAgreement = 1.2
	weighEntityModel     = 1.6

	entityModelIntercept   = -2.2
	entityMatcherIntercept = -0.9
)

// entityEvidence is all that speaks for a decision, each from 0 to 1.
type entityEvidence struct {
	score     float64 // the matcher's, of the entity, or of none when it is new
	lead      float64 // how clearly it is ahead of every other decision
	coverage  float64 // mean confidence over the source fields, 0 for those unmapped
	agreement float64 // the matcher had decided the same
	model     bool    // a model decided
}

// confidence is the logistic of the evidence, at most 0.75 when no model decided.
func (e entityEvidence) confidence() float64 {
	z := weighEntityScore*evidence{score: e.score}.scoreOdds() + weighEntityLead*e.lead + weighEntityCoverage*e.coverage
	if !e.model {
		return hundredths(min(offlineCap, logistic(entityMatcherIntercept+z)))
	}
	return hundredths(min(certain, logistic(entityModelIntercept+weighEntityModel+weighEntityAgreement*e.agreement+z)))
}

// rate puts the confidence of the decision and of the whole into a recommendation.
func (d *draft) rate(r *Recommendation) {
	e := entityEvidence{score: d.dst.score, lead: d.dst.clear(), coverage: d.coverage(), model: r.Engine == schema.EngineLLM}
	if d.dst.matchers {
		e.agreement = 1
	}
	r.EntityConfidence = e.confidence()
	r.Confidence = min(r.EntityConfidence, hundredths(d.fieldConfidence()))
	r.VerifiedRows = len(d.src.rows.roots)
}

// coverage is the mean confidence over all source fields.
func (d *draft) coverage() float64 {
	sure := make(map[int]float64)
	for _, v := range d.passed {
		for _, s := range v.sources {
			sure[s] = max(sure[s], v.mapping.Confidence)
		}
	}
	sum := 0.0
	for s := range d.src.fields { // in order: sums of floats depend on it
		sum += sure[s]
	}
	return sum / float64(len(d.src.fields))
}

// fieldConfidence is the mean confidence over the required fields of the entity, 0
// for those that stay empty, and over all mappings where none is required.
func (d *draft) fieldConfidence() float64 {
	required, sum := 0, 0.0
	for _, f := range d.dst.fields {
		if f.Required {
			required++
		}
	}
	count := 0
	for _, v := range d.passed {
		if required == 0 || d.dst.fields[v.target].Required {
			sum += v.mapping.Confidence
			count++
		}
	}
	return sum / float64(max(1, required, count))
}
