package match

import (
	"cmp"
	"slices"

	"github.com/schemacast/schemacast/internal/analysis/match/lexicon"
)

// likelyPairs finds, when there are too many pairs to look at each, those that have
// anything to do with each other: words in common, or a like meaning of names or
// values.
type likelyPairs struct {
	c                *comparison
	byWord           map[string][]int32 // concept -> targets whose name or alias has it
	meanings, values []*lexicon.Vector  // of the targets
	score, valued    []float32          // of the running row, by target
	order            []int32
}

func newLikelyPairs(c *comparison) *likelyPairs {
	n := len(c.target.fields)
	l := &likelyPairs{
		c: c, byWord: make(map[string][]int32), order: make([]int32, n),
		score: make([]float32, n), valued: make([]float32, n),
	}
	for t := range c.target.fields {
		f := &c.target.fields[t]
		for i := range f.names {
			l.enter(int32(t), f.names[i].words)
		}
		l.meanings = append(l.meanings, f.names[0].meaning)
		l.values = append(l.values, f.values.direction())
	}
	return l
}

func (l *likelyPairs) enter(t int32, name []int32) {
	for _, word := range name {
		concept := l.c.target.names.words[word].Concept
		list := l.byWord[concept]
		if n := len(list); n == 0 || list[n-1] != t {
			l.byWord[concept] = append(list, t)
		}
	}
}

func (l *likelyPairs) each(visit func(s, t int, f *features)) {
	var f features
	for s := range l.c.source.fields {
		for _, t := range l.best(s) {
			l.c.lookAt(s, int(t))
			l.c.pair(&f, s, int(t))
			visit(s, int(t), &f)
		}
	}
}

// best are the likely targets of a source field.
func (l *likelyPairs) best(s int) []int32 {
	source := &l.c.source.fields[s]
	name := &source.names[0]
	name.meaning.Dots(l.meanings, l.score)
	if source.values != nil {
		source.values.meaning.Dots(l.values, l.valued)
		for t := range l.score {
			if l.c.target.fields[t].values != nil {
				l.score[t] = max(l.score[t], 0.7*l.valued[t])
			}
		}
	}
	total := l.c.sourceTotal[source.first]
	for i, word := range name.words {
		for _, t := range l.byWord[l.c.source.names.words[word].Concept] {
			l.score[t] += 2 * ratio(name.worth[i]*l.c.sourceShare[word], total)
		}
	}
	for t := range l.order {
		l.order[t] = int32(t)
	}
	return topOf(l.order, l.score, likelyTargets)
}

// topOf returns the n positions of the highest scores, of equals the first ones found,
// in their own order.
func topOf(positions []int32, score []float32, n int) []int32 {
	if len(positions) <= n {
		return positions
	}
	if n <= 0 {
		return nil
	}
	least := func(a, b int32) int { return cmp.Or(cmp.Compare(score[a], score[b]), cmp.Compare(b, a)) }
	best := slices.Clone(positions[:n])
	worst := slices.MinFunc(best, least)
	for _, p := range positions[n:] {
		if score[p] > score[worst] {
			best[slices.Index(best, worst)] = p
			worst = slices.MinFunc(best, least)
		}
	}
	slices.Sort(best)
	return best
}
