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
	c := newComparison(source, x.profiles(entity), x.faintWords(entity))
	found := decide(c.rows(), len(source), len(c.target.profiles))
	for s := range found {
		found[s] = bestCandidates(found[s], k)
	}
	return found
}

// rows judges every pair, or, of many, the likely ones.
func (c *comparison) rows() [][]judged {
	sources, targets := len(c.source.profiles), len(c.target.profiles)
	rows := make([][]judged, sources)
	var likely *likelyPairs
	if sources*targets > allPairs {
		likely = newLikelyPairs(c)
	}
	for s := range rows {
		if likely != nil {
			rows[s] = likely.row(s)
			continue
		}
		rows[s] = make([]judged, targets)
		for t := range targets {
			rows[s][t] = c.judge(s, t)
		}
	}
	return rows
}

// hardly is the score of pairs that are not worth listing.
const hardly = 1e-5

func bestCandidates(list []Candidate, k int) []Candidate {
	list = slices.DeleteFunc(list, func(c Candidate) bool { return c.Score < hardly })
	slices.SortFunc(list, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Target, b.Target))
	})
	return slices.Clip(list[:min(k, len(list))])
}
