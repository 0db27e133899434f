package match

import (
	"sync"

	"github.com/schemacast/schemacast/internal/analysis/match/lexicon"
)

// comparison compares the fields of one schema with those of one entity after another.
type comparison struct {
	source, target *side
	subject        int // the source field that names the rows, or -1

	// What the words of names tell, among the fields of both sides, and what all words of
	// a name do.
	sourceShare, targetShare []float32
	sourceTotal, targetTotal []float32 // by name; the target's as they follow each other

	names      likenesses // words of names with those of names
	described  likenesses // words of the source's names with those of the target's descriptions
	describing likenesses // words of the source's descriptions with those of the target's names

	values                  []*lexicon.Vector // directions of the source's fields
	byGram, byValue, byWord sharing           // the same fields, once indexed
	having                  [][]int32         // by word of names: the fields in whose name it is
	indexed                 bool
	column                  column
	outlines                outlines
	best, filled            []float32 // raw scores by field, of whole
}

// comparisons are done: their tables are as large as all else that a comparison needs.
var comparisons = sync.Pool{New: func() any { return new(comparison) }}

// newComparison is to be released when it is done.
func newComparison(source *side) *comparison {
	c := comparisons.Get().(*comparison)
	c.source, c.subject, c.indexed = source, source.subject(), false
	c.names.from(source.names.words)
	c.described.from(source.names.words)
	c.describing.from(source.prose.words)
	c.values = sized(c.values, len(source.fields))
	for i := range source.fields {
		c.values[i] = source.fields[i].values.direction()
	}
	return c
}

// release leaves the tables to the next comparison, but those of a wide schema, and
// nothing of either side.
func (c *comparison) release() {
	if len(c.source.fields) > SketchFields || c.target == nil || len(c.target.fields) > SketchFields*SketchFields {
		return
	}
	c.source, c.target = nil, nil
	for _, l := range []*likenesses{&c.names, &c.described, &c.describing} {
		l.from(nil)
	}
	for _, list := range [][]*lexicon.Vector{c.values, c.outlines.a, c.outlines.b} {
		clear(list[:cap(list)])
	}
	comparisons.Put(c)
}

// against makes target the side to compare with.
func (c *comparison) against(target *side) {
	c.target = target
	c.sourceShare = sharesOf(c.sourceShare[:0], c.source, target)
	c.targetShare = sharesOf(c.targetShare[:0], target, c.source)
	c.sourceTotal = totals(c.sourceTotal[:0], c.source.fields, c.sourceShare)
	c.targetTotal = totals(c.targetTotal[:0], target.fields, c.targetShare)
	c.names.against(target.names.words)
	c.described.against(target.prose.words)
	c.describing.against(target.names.words)
}

// sharesOf is how much a side's words tell: what stands in most fields of either side
// tells few of them apart.
func sharesOf(shares []float32, own, other *side) []float32 {
	for i := range own.names.words {
		shares = append(shares, min(own.shares[i], shareOf(other.share, own.names.words[i].Concept)))
	}
	return shares
}

func totals(totals []float32, fields []sideField, share []float32) []float32 {
	for i := range fields {
		for j := range fields[i].names {
			totals = append(totals, fields[i].names[j].total(share))
		}
	}
	return totals
}

func (n *numbered) total(share []float32) float32 {
	total := float32(0)
	for i, word := range n.words {
		total += n.worth[i] * share[word]
	}
	return total
}

func ratio(part, total float32) float32 {
	if total <= 0 {
		return 0
	}
	return part / total
}

// pair computes the features of two fields that were looked at.
func (c *comparison) pair(f *features, s, t int) {
	name := c.outline(f, s, t)
	c.comparePatterns(f, s, t)
	a, b := c.directions(s, t, name)
	var dots [meanings]float32
	lexicon.Dots(a[:], b[:], dots[:])
	addMeanings(f, a[:], dots[:])
}

// outline computes the features that cost little, and says which of the target's names
// is the best.
func (c *comparison) outline(f *features, s, t int) (name int) {
	*f = features{}
	source, target := &c.source.fields[s], &c.target.fields[t]
	name = c.compareNames(f, s, t)
	c.compareDescriptions(f, source, target)
	c.compareValues(f, s, source.values, target.values)
	f[featureFit] = fits[source.family][target.family]
	compareSemantics(f, source.semantic, target.semantic)
	if s == c.subject && target.labels {
		f[featureSubject] = 1
	}
	return name
}

// meanings is how many directions of two fields are compared with how many others.
const meanings = 4

// directions are those that are compared, each of a with that of b: where the target's
// name at hand is one of its others, that of its own counts by the sense.
func (c *comparison) directions(s, t, name int) (a, b [meanings]*lexicon.Vector) {
	source, target := &c.source.fields[s], &c.target.fields[t]
	own, other := source.names[0].meaning, target.names[0].meaning
	a = [...]*lexicon.Vector{own, source.sense, own, source.values.direction()}
	b = [...]*lexicon.Vector{target.names[name].meaning, target.sense, target.values.direction(), other}
	if a[0] == a[1] && b[0] == b[1] {
		a[1] = nil // the same once more
	}
	return a, b
}

// addMeanings adds to an outline what directions have in common.
func addMeanings(f *features, a []*lexicon.Vector, dots []float32) {
	f[featureMeaning], f[featureSense] = dots[0], dots[0]
	if a[1] != nil {
		f[featureSense] = max(dots[0], dots[1])
	}
	f[featureNameValue] = max(0, dots[2], dots[3]) // gender, and female
}

func compareSemantics(f *features, a, b Semantic) {
	switch {
	case a == "" || b == "":
	case a == b && a.strong():
		f[featureSemantic] = 1
	case a == b:
		f[featureSemantic] = 0.4 // many fields are dates, names or ids
	case a.strong() || b.strong():
		f[featureOtherSemantic] = 1
	}
}

// compareNames compares the source's name with the target's and with each name that was
// mapped to it before; the best counts.
func (c *comparison) compareNames(f *features, s, t int) (name int) {
	c.compareName(f, s, t, 0)
	for i := 1; i < len(c.target.fields[t].names); i++ {
		var other features
		c.compareName(&other, s, t, i)
		if other[featureCover]+other[featureEqual] > f[featureCover]+f[featureEqual] {
			copy(f[featureEqual:featureDescribed], other[featureEqual:featureDescribed])
			name = i
		}
	}
	return name
}

func (c *comparison) compareName(f *features, s, t, i int) {
	source, target := &c.source.fields[s], &c.target.fields[t]
	from, to := &source.names[0], &target.names[i]
	if len(from.words) == 0 || len(to.words) == 0 {
		return
	}
	at := i*len(c.source.fields) + s
	if from.joined == to.joined {
		f[featureEqual] = 1
	}
	f[featureSpelling] = diceOf(c.column.grams[at], from.grams, to.grams)
	if !c.column.akin[at] {
		return // the rest is nothing
	}
	a, b := c.mutual(&from.numbered, &to.numbered)
	fromTotal, toTotal := c.sourceTotal[source.first], c.targetTotal[target.first+i]
	total := fromTotal + toTotal
	f[featureSourceInside], f[featureTargetInside] = ratio(a.soft, fromTotal), ratio(b.soft, toTotal)
	f[featureCover], f[featureStrict] = ratio(a.soft+b.soft, total), ratio(a.strict+b.strict, total)
	f[featureHead] = c.names.of(from.words[len(from.words)-1], to.words[len(to.words)-1])
}

// covered is how much of a text's words has a counterpart in another: at all, and one
// that is the same word or its synonym.
type covered struct{ soft, strict float32 }

func (c *covered) add(worth, best float32) {
	c.soft += worth * best
	if best >= synonymStrength {
		c.strict += worth * best
	}
}

// mutual is how much of each of two names is in the other.
func (c *comparison) mutual(from, to *numbered) (a, b covered) {
	var best [maxTokens]float32 // by word of to
	for i, word := range from.words {
		most := float32(0)
		for j, other := range to.words {
			like := c.names.of(word, other)
			if like > most { // max would mind what is no number
				most = like
			}
			if like > best[j] {
				best[j] = like
			}
		}
		a.add(from.worth[i]*c.sourceShare[word], most)
	}
	for j, word := range to.words {
		b.add(to.worth[j]*c.targetShare[word], best[j])
	}
	return a, b
}

// compareDescriptions looks for each name in the other's description.
func (c *comparison) compareDescriptions(f *features, source, target *sideField) {
	inSource, inTarget := source.description.words, target.description.words
	if len(inSource)+len(inTarget) == 0 {
		f[featureNoDescription] = 1
		return
	}
	if len(inTarget) > 0 {
		found, name := covered{}, &source.names[0]
		for i, word := range name.words {
			found.add(name.worth[i]*c.sourceShare[word], c.described.most(word, inTarget))
		}
		f[featureDescribed] = ratio(found.soft, c.sourceTotal[source.first])
	}
	if len(inSource) > 0 {
		found, name := covered{}, &target.names[0]
		for i, word := range name.words {
			found.add(name.worth[i]*c.targetShare[word], c.describing.mostOf(inSource, word))
		}
		f[featureDescribed] = max(f[featureDescribed], ratio(found.soft, c.targetTotal[target.first]))
	}
	if descriptionCounts {
		f[featureDescription] = c.descriptions(source, target)
	}
}

// descriptionCounts says whether the weights make anything of featureDescription, which
// takes longer than all others.
var descriptionCounts = rankWeights[featureDescription] != 0 || decisionWeights[featureDescription] != 0

// descriptions is how much the words of two descriptions have in common.
func (c *comparison) descriptions(source, target *sideField) float32 {
	from, to := &source.description, &target.description
	return max(c.inCommon(from, &c.source.prose, to, &c.target.prose), c.inCommon(to, &c.target.prose, from, &c.source.prose))
}

// inCommon is the share of a's words that are in b, as they are or as synonyms.
func (c *comparison) inCommon(a *numbered, words *glossary, b *numbered, others *glossary) float32 {
	in, total := covered{}, float32(0)
	for i, id := range a.words {
		w, best := &words.words[id], float32(0)
		for _, other := range b.words {
			best = max(best, likeness(w, &others.words[other]))
		}
		worth := a.worth[i] * min(shareOf(c.source.share, w.Concept), shareOf(c.target.share, w.Concept))
		in.add(worth, best)
		total += worth
	}
	return ratio(in.strict, total)
}
