package match

import (
	"cmp"
	"slices"
)

// likelyPairs finds, when there are too many pairs to look at each, those that have
// anything to do with each other: words in common, or a like meaning of names or
// values.
type likelyPairs struct {
	c      *comparison
	byWord map[string][]int32 // concept -> targets whose name or alias has it
	score  []float32          // of the running row, by target
	order  []int32
}

func newLikelyPairs(c *comparison) *likelyPairs {
	n := len(c.target.profiles)
	l := &likelyPairs{c: c, byWord: make(map[string][]int32), score: make([]float32, n), order: make([]int32, n)}
	for t := range c.target.profiles {
		p := &c.target.profiles[t]
		l.enter(int32(t), &p.name)
		for i := range p.aliases {
			l.enter(int32(t), &p.aliases[i])
		}
	}
	return l
}

func (l *likelyPairs) enter(t int32, name *text) {
	for i := range name.words {
		concept := name.words[i].Concept
		list := l.byWord[concept]
		if n := len(list); n == 0 || list[n-1] != t {
			l.byWord[concept] = append(list, t)
		}
	}
}

func (l *likelyPairs) row(s int) []judged {
	source := &l.c.source.profiles[s]
	for t := range l.score {
		target := &l.c.target.profiles[t]
		l.score[t] = source.name.meaning.Dot(&target.name.meaning)
		if source.values != nil && target.values != nil {
			l.score[t] = max(l.score[t], 0.7*source.values.meaning.Dot(&target.values.meaning))
		}
	}
	name := &l.c.source.fields[s].name
	for i := range source.name.words {
		for _, t := range l.byWord[source.name.words[i].Concept] {
			l.score[t] += 2 * ratio(name.worth[i], name.total)
		}
	}
	for t := range l.order {
		l.order[t] = int32(t)
	}
	best := topOf(l.order, l.score, likelyTargets)
	row := make([]judged, len(best))
	for i, t := range best {
		row[i] = l.c.judge(s, int(t))
	}
	return row
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
