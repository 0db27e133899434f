package match

import (
	"cmp"
	"slices"
)

// Candidate is a target field for a source field.
type Candidate struct {
	Target int // position among the entity's fields
	// Score is from 0 to 1; from 0.5 on the pair is taken to be right.
	Score float64
}

const (
	// allPairs is up to how many pairs of fields are all compared in full.
	allPairs = 150_000
	// likelyTargets of a source field are compared in full when there are more.
	likelyTargets = 32
)

// Match returns, for each source field, the k best fields of one entity, best
// first; a list is empty when nothing fits.
func (x *Index) Match(source []Profile, entity, k int) [][]Candidate {
	if k <= 0 || len(source) == 0 || entity < 0 || entity >= len(x.all) {
		return make([][]Candidate, len(source))
	}
	c := newComparison(newSide(source, nil))
	defer c.release()
	c.against(x.ready(entity).side)
	found := decide(c.rows(), len(source), len(c.target.fields))
	for s := range found {
		found[s] = bestCandidates(found[s], k)
	}
	return found
}

// rows judges every pair, or, of many, the likely ones.
func (c *comparison) rows() [][]judged {
	sources, width := len(c.source.fields), len(c.target.fields)
	if c.many() {
		width = min(width, likelyTargets)
	}
	all := make([]judged, sources*width)
	rows := make([][]judged, sources)
	for s := range rows {
		rows[s] = all[s*width : s*width : (s+1)*width]
	}
	c.each(func(s, t int, f *features) { rows[s] = append(rows[s], judge(t, f)) })
	return rows
}

// each visits every pair, or, of many, the likely ones; those of a source field in the
// order of the targets.
func (c *comparison) each(visit func(s, t int, f *features)) {
	if c.many() {
		newLikelyPairs(c).each(visit)
		return
	}
	var f features
	for t := range c.target.fields {
		c.lookAtAll(t)
		for s := range c.source.fields {
			c.pair(&f, s, t)
			visit(s, t, &f)
		}
	}
}

// many says that there are too many pairs to look at each.
func (c *comparison) many() bool { return len(c.source.fields)*len(c.target.fields) > allPairs }

// hardly is the score of pairs that are not worth listing.
const hardly = 1e-5

func bestCandidates(list []Candidate, k int) []Candidate {
	list = slices.DeleteFunc(list, func(c Candidate) bool { return c.Score < hardly })
	slices.SortFunc(list, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Target, b.Target))
	})
	return slices.Clip(list[:min(k, len(list))])
}
