package match

import "github.com/schemacast/schemacast/internal/schema"

// Evidence is what the matcher sees of one pair of fields, by the names of
// EvidenceNames. The weights are fitted to it, see bench/match.
type Evidence []float32

// EvidenceNames names the values of Evidence.
func EvidenceNames() []string { return featureNames[:] }

// Compare returns the evidence for each pair of a source field and a field of the
// entity.
func Compare(source []Profile, entity schema.Entity) [][]Evidence {
	c := newComparison(newSide(source, nil))
	c.against(newSide(ProfilesOf(entity.Fields), nameConcepts(&entity)))
	all := make([][]Evidence, len(source))
	for s := range source {
		all[s] = make([]Evidence, len(entity.Fields))
		for t := range entity.Fields {
			c.lookAt(s, t)
			var f features
			c.pair(&f, s, t)
			f[featureDescription] = c.descriptions(&c.source.fields[s], &c.target.fields[t])
			all[s][t] = f[:]
		}
	}
	return all
}

// EntityEvidenceNames names the values of the evidence of CompareEntities.
func EntityEvidenceNames() []string { return entityFeatureNames[:] }

// CompareEntities returns the evidence for each entity of the index.
func (x *Index) CompareEntities(source []Profile) []Evidence {
	q := x.newEntityQuery(source)
	all := make([]Evidence, len(x.all))
	for i := range x.all {
		f := x.entityEvidence(q, i)
		all[i] = f[:]
	}
	return all
}
