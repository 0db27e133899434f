package match

import "github.com/schemacast/schemacast/internal/analysis/match/lexicon"

// outlines are what is known of pairs of fields before their costly features are
// computed, which take most of the time. Of an entity only the best pair of each field
// counts, so most pairs need no more.
type outlines struct {
	pairs   []outline // of some targets, each with all source fields
	leaders []int32   // by source field: the likeliest of these pairs
	open    []int32   // pairs whose directions are to be compared
	a, b    []*lexicon.Vector
	dots    []float32
}

type outline struct {
	features // the costly ones as high as they could be

	s, t int32
	name int32   // the target's name that fits best
	most float32 // the raw score that could be reached
	done bool
}

// outlinedPairs bounds the outlines that there are at a time to some 200 KB.
const outlinedPairs = 2048

// takeAll takes the scores of all pairs that are the best of either field.
func (c *comparison) takeAll() {
	targets := len(c.target.fields)
	step := max(1, outlinedPairs/len(c.source.fields))
	for from := 0; from < targets; from += step {
		c.takeTargets(from, min(from+step, targets))
	}
}

// takeTargets takes the likeliest pair of each field first, which leaves the others little
// to reach.
func (c *comparison) takeTargets(from, to int) {
	o, n := &c.outlines, len(c.source.fields)
	o.pairs, o.leaders = sized(o.pairs, n*(to-from)), sized(o.leaders, n)
	clear(o.leaders)
	for t := from; t < to; t++ {
		c.lookAtAll(t)
		first := n * (t - from)
		leader := first
		for s := range n {
			at := first + s
			c.sketch(&o.pairs[at], s, t)
			if most := o.pairs[at].most; most > o.pairs[leader].most {
				leader = at
			}
			if t == from || o.pairs[at].most > o.pairs[o.leaders[s]].most {
				o.leaders[s] = int32(at)
			}
		}
		c.open(leader)
	}
	for _, leader := range o.leaders {
		c.open(int(leader))
	}
	c.takeOpen()
	for at := range o.pairs {
		c.open(at)
	}
	c.takeOpen()
}

func (c *comparison) sketch(o *outline, s, t int) {
	o.s, o.t, o.done = int32(s), int32(t), false
	o.name = int32(c.outline(&o.features, s, t))
	o.features[featureMeaning], o.features[featureSense] = atMost[featureMeaning], atMost[featureSense]
	source, target := c.source.fields[s].values, c.target.fields[t].values
	if source.direction() != nil || target.direction() != nil {
		o.features[featureNameValue] = atMost[featureNameValue]
	}
	if source != nil && target != nil {
		o.features[featurePattern] = atMost[featurePattern]
	}
	o.most = rank(&o.features)
}

// open goes on with a pair as long as it can be the best of either field.
func (c *comparison) open(at int) {
	o := &c.outlines.pairs[at]
	if o.done {
		return
	}
	o.done = true
	if !c.better(o.most, o) {
		return
	}
	c.comparePatterns(&o.features, int(o.s), int(o.t))
	if c.better(rank(&o.features), o) {
		c.outlines.open = append(c.outlines.open, int32(at))
	}
}

func (c *comparison) better(raw float32, o *outline) bool {
	return raw > c.best[o.s] || raw > c.filled[o.t]
}

// takeOpen compares the directions of all open pairs at once, and takes their scores.
func (c *comparison) takeOpen() {
	o := &c.outlines
	o.a, o.b = o.a[:0], o.b[:0]
	for _, at := range o.open {
		p := &o.pairs[at]
		a, b := c.directions(int(p.s), int(p.t), int(p.name))
		o.a, o.b = append(o.a, a[:]...), append(o.b, b[:]...)
	}
	o.dots = sized(o.dots, len(o.a))
	lexicon.Dots(o.a, o.b, o.dots)
	for i, at := range o.open {
		p := &o.pairs[at]
		addMeanings(&p.features, o.a[meanings*i:], o.dots[meanings*i:])
		c.take(rank(&p.features), int(p.s), int(p.t))
	}
	o.open = o.open[:0]
}

func (c *comparison) take(raw float32, s, t int) {
	c.best[s], c.filled[t] = max(c.best[s], raw), max(c.filled[t], raw)
}

// atMost are the values with which features do most for a raw score. As they stand in the
// same sum, which is rounded the same way, no score is above that with them: 1.01 is more
// than any cosine, rounded or not.
var atMost = func() (most features) {
	for i, weight := range rankWeights {
		most[i] = 1.01
		if weight < 0 {
			most[i] = -1.01
		}
	}
	return most
}()
