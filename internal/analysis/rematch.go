package analysis

import (
	"context"
	"fmt"
	"slices"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

// sameName is the score from which two entities of the same name are taken for the
// same thing; below it they only share a name.
const sameName = 0.35

// Rematch decides again, offline, about a schema that was to become a new entity,
// when entities appeared that the decision had not seen. If one of them is a near
// duplicate, the schema is mapped onto it: mappings whose targets exist there under
// the same name are kept as far as they pass verification again, the rest is
// matched offline. Otherwise the decision stands, with a name that is still free.
//
// It reads and writes nothing, so it may run inside a transaction.
func (a *Analyzer) Rematch(s schema.Schema, decided Recommendation, added []schema.Entity) Recommendation {
	own := slices.DeleteFunc(slices.Clone(added), func(e schema.Entity) bool { return e.TenantID != s.TenantID })
	if decided.Action != ActionCreateNew || len(own) == 0 {
		return decided
	}
	src, err := newSource(s)
	if err != nil {
		return decided // it was analysed a moment ago; the commit checks the fields
	}
	known := newEntities(s.TenantID, own)
	if twin, found := known.twinOf(decided); found {
		if r, mapped := a.mapOnto(src, decided, known, twin); mapped {
			return r
		}
		decided.Review = append(slices.Clone(decided.Review), ReviewNearDuplicate)
	}
	decided.EntityName = freeName(decided.EntityName, known.taken)
	return decided
}

// twinOf finds the entity that is what decided would create.
func (e *entities) twinOf(decided Recommendation) (match.Hit, bool) {
	hash := schema.StructHash(decided.Fields)
	for position, entity := range e.list {
		if schema.StructHash(entity.Fields) == hash {
			return match.Hit{Entity: position, Score: 1}, true
		}
	}
	for _, hit := range e.index.Retrieve(match.ProfilesOf(decided.Fields), topEntities) {
		named := nameKey(e.list[hit.Entity].Name) == nameKey(decided.EntityName)
		if hit.Score >= nearDuplicate || named && hit.Score >= sameName {
			return hit, true
		}
	}
	return match.Hit{}, false
}

// mapOnto gives up when not one mapping passes.
func (a *Analyzer) mapOnto(src *source, decided Recommendation, known *entities, twin match.Hit) (Recommendation, bool) {
	// Formulas run for milliseconds under limits of their own; the transaction's end
	// is not theirs to see.
	ctx := context.Background()
	dst := known.existing(twin.Entity, twin.Score, src)
	dst.lead = clearLead / 2 // among those that it was compared with, which are not all
	d := &draft{src: src, dst: dst, progress: func(string, int, int) {}}
	d.review = slices.DeleteFunc(slices.Clone(decided.Review), func(code string) bool {
		return code == ReviewNearDuplicate || code == ReviewRequiredMissing || code == ReviewNothingMapped
	})
	if d.check(ctx, keptItems(src, d.dst, decided.Mappings)) != nil {
		return decided, false
	}
	for _, v := range d.passed {
		d.keepEvidence(v, decided.Mappings)
	}
	d.settle()
	if d.fill(ctx, func(int, int) bool { return true }) != nil || len(d.passed) == 0 {
		return decided, false
	}
	d.doubt(ReviewEntityAppeared)
	r := d.finish(schema.EngineOffline, "")
	r.SourceName = decided.SourceName
	r.Reasoning = fmt.Sprintf("The entity %s appeared while this schema was analysed and fits it, so the schema was mapped onto it offline instead of making another one; %d of %d fields are mapped.",
		plain(r.EntityName, 80), len(r.Mappings), len(src.fields))
	return r, true
}

// keptItems are the mappings of an earlier decision that name fields of dst.
func keptItems(src *source, dst *target, mappings []schema.Mapping) []item {
	var items []item
	for _, m := range mappings {
		if _, exists := dst.position[m.Target]; !exists {
			continue
		}
		it := item{target: m.Target, op: m.Op, expr: m.Formula, why: m.Why, engine: m.Engine}
		for _, name := range m.Sources {
			position, ok := src.position[name]
			if !ok {
				position = -1 // verification refuses it
			}
			it.sources = append(it.sources, position)
		}
		items = append(items, it)
	}
	return items
}

// keepEvidence leaves a kept mapping the confidence and doubt that it had, since a
// model's word is not known any more, unless it has become less sure.
func (d *draft) keepEvidence(v *verified, mappings []schema.Mapping) {
	i := slices.IndexFunc(mappings, func(m schema.Mapping) bool { return m.Target == v.mapping.Target })
	was := mappings[i]
	v.mapping.Op, v.mapping.Review = was.Op, was.Review
	v.mapping.Confidence = was.Confidence
}
