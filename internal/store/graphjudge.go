package store

import (
	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
)

// judge adds what the stored recommendation says of the schema, and returns the confidences
// of its mappings.
func judge(s *schema.GraphSchema, recommendations *string) confidences {
	if recommendations == nil {
		return nil
	}
	r := decodeRecommendation(*recommendations)
	if r == nil {
		return nil
	}
	// The job that this service replaced stored no confidence.
	s.Confidence, s.Engine, s.NeedsReview = unlessZero(r.EntityConfidence), r.Engine, r.NeedsReview()
	found := confidences{}
	for p, m := range proposalsOf(r) {
		found[p] = m.Confidence
	}
	return found
}

// proposals are the mappings of a recommendation, by what they became in the app's table,
// which has no column for the rest.
type proposals map[proposal]schema.Mapping

type proposal struct{ source, target, formula string }

func proposalsOf(r *analysis.Recommendation) proposals {
	found := make(proposals, len(r.Mappings))
	for _, m := range r.Mappings {
		row, err := newMappingRow(m, 0, sideTypes{})
		if err != nil {
			continue
		}
		found[proposal{sourcePath(m), m.Target, orZero(row.FormulaExpression)}] = m
	}
	return found
}

// confidences are what a page keeps of proposals.
type confidences map[proposal]float64

// of returns nil for a mapping that was not proposed like this: a human's.
func (c confidences) of(m schema.DetailMapping) *float64 {
	confidence, ok := c[proposal{m.Source, m.Target, m.Formula}]
	if !ok {
		return nil
	}
	return &confidence
}

// linkSum sums up mappings from one schema to one entity.
type linkSum struct {
	fields, byHand int
	sum, low       float64
}

func (l *linkSum) add(confidence *float64) {
	switch l.fields++; {
	case confidence == nil:
		l.byHand++
	case l.fields-l.byHand == 1:
		l.sum, l.low = *confidence, *confidence
	default:
		l.sum += *confidence
		l.low = min(l.low, *confidence)
	}
}

func (l *linkSum) link(schemaID, entityID int64) schema.GraphLink {
	link := schema.GraphLink{SchemaID: schemaID, EntityID: entityID, Fields: l.fields, ByHand: l.byHand}
	if n := l.fields - l.byHand; n > 0 {
		mean := l.sum / float64(n)
		link.Confidence, link.Low = &mean, &l.low
	}
	return link
}
