package match

import (
	"cmp"
	"slices"
)

// Candidate is a target field for a source field.
type Candidate struct {
	Target int     // position among the entity's fields
	Score  float64 // absolute, 0 to 1
}

// Match returns, for each source field, the k best fields of one entity, best
// first; a list is empty when nothing fits.
func (x *Index) Match(source []Profile, entity, k int) [][]Candidate {
	found := make([][]Candidate, len(source))
	if k <= 0 || entity < 0 || entity >= len(x.entities) {
		return found
	}
	e := &x.entities[entity]
	q := x.newQuery(source)
	s := newScratch(len(source))
	q.totals(e, s.totals)
	for t := range e.fields {
		x.pairs(q, e, t, s, func(source int32, score float64) {
			if score > 0 {
				found[source] = keep(found[source], Candidate{Target: t, Score: score}, k)
			}
		})
	}
	return found
}

// keep inserts into a short sorted list, dropping the worst beyond k. Targets come
// in order, so ties stay in it.
func keep(list []Candidate, c Candidate, k int) []Candidate {
	if len(list) == k && list[k-1].Score >= c.Score {
		return list
	}
	at, _ := slices.BinarySearchFunc(list, c, func(have, c Candidate) int {
		return cmp.Or(cmp.Compare(c.Score, have.Score), cmp.Compare(have.Target, c.Target))
	})
	if len(list) == k {
		list = list[:k-1]
	}
	return slices.Insert(list, at, c)
}
