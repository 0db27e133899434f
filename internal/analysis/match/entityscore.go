package match

import (
	"math"
	"slices"

	"github.com/schemacast/schemacast/internal/analysis/match/lexicon"
)

// entityFeatures are what tells whether a schema belongs to an entity, each from 0 to 1.
type entityFeatures [entityFeatureCount]float32

const (
	entityCover  = iota // how much of the schema has a place in the entity
	entitySurely        // the same, counting only pairs that fit well
	entityFilled        // how much of the entity the schema fills
	entityBest          // the best pair
	entityMedian        // the pair in the middle
	entityWords         // words of names, descriptions and values in common, rare ones first
	entityGrams         // the same of their trigrams
	entityShared        // how much the common words tell, however large both are
	entityTopic         // cosine of what the names mean together
	entityFeatureCount
)

var entityFeatureNames = [entityFeatureCount]string{
	"cover", "surely", "filled", "best", "median", "words", "grams", "shared", "topic",
}

// entityQuery is a schema whose entity is sought.
type entityQuery struct {
	profiles   []Profile
	print      *weighed // of names, descriptions and values
	text       *weighed // without values, once an entity without them was met
	topic      topic
	comparison *comparison
}

// weighed is a fingerprint with the rarity of each member.
type weighed struct {
	fingerprint

	wordRarities, gramRarities []float32
}

// weighed is the fingerprint of all fields together.
func (x *Index) weighed(fields []Profile, of func(*Profile) *fingerprint) *weighed {
	w := &weighed{fingerprint: merged(fields, of)}
	x.measure(&w.fingerprint)
	w.wordRarities, w.gramRarities = x.wordRarity.ofAll(w.words), x.gramRarity.ofAll(w.grams)
	return w
}

func (x *Index) newEntityQuery(source []Profile) *entityQuery {
	q := &entityQuery{profiles: source, comparison: newComparison(newSide(source, nil))}
	var sum lexicon.Vector
	for i := range source {
		sum.AddVector(source[i].name.meaning, 1)
	}
	q.print = x.weighed(source, func(p *Profile) *fingerprint { return &p.print })
	q.topic = topicOf(&sum)
	return q
}

// withoutValues is the fingerprint of names and descriptions alone.
func (x *Index) withoutValues(q *entityQuery) *weighed {
	if q.text == nil {
		q.text = x.weighed(q.profiles, func(p *Profile) *fingerprint { return &p.text })
	}
	return q.text
}

// entityEvidence compares a schema with one entity.
func (x *Index) entityEvidence(q *entityQuery, entity int) entityFeatures {
	target := x.ready(entity)
	q.comparison.against(target.side)
	f := q.comparison.whole()
	own, other := q.print, &x.fingerprints[entity]
	if own.valued != other.valued {
		// Values of one side alone make it neither more nor less like the other.
		own = x.withoutValues(q)
		if target.text != nil {
			other = target.text
		}
	}
	var common float32
	f[entityWords], common = cosine(own.words, other.words, own.wordRarities, own.wordSize, other.wordSize)
	f[entityGrams], _ = cosine(own.grams, other.grams, own.gramRarities, own.gramSize, other.gramSize)
	f[entityShared] = float32(math.Log1p(float64(common))) / 10
	f[entityTopic] = max(0, q.topic.cosine(&x.topics[entity]))
	return f
}

// whole computes what the pairs say together.
func (c *comparison) whole() entityFeatures {
	var f entityFeatures
	c.unmatched()
	if c.many() {
		newLikelyPairs(c).each(func(s, t int, f *features) { c.take(rank(f), s, t) })
	} else {
		c.takeAll()
	}
	for _, raw := range c.best {
		f[entityCover] += fitting(raw) / float32(len(c.best))
		f[entitySurely] += fittingWell(raw) / float32(len(c.best))
	}
	for _, raw := range c.filled {
		f[entityFilled] += fitting(raw) / float32(len(c.filled))
	}
	slices.Sort(c.best)
	f[entityBest] = fittingWell(c.best[len(c.best)-1])
	f[entityMedian] = fittingWell(c.best[len(c.best)/2])
	return f
}

// unmatched makes all raw scores those of no pair.
func (c *comparison) unmatched() {
	c.best, c.filled = sized(c.best, len(c.source.fields)), sized(c.filled, len(c.target.fields))
	for _, list := range [][]float32{c.best, c.filled} {
		for i := range list {
			list[i] = nothing
		}
	}
}

// fitting and fittingWell squash raw scores: nine in ten pairs of unrelated fields are
// below 1.5, and one in a thousand above 11.
func fitting(raw float32) float32 { return float32(sigmoid(1.5 * (float64(raw) - 3))) }

func fittingWell(raw float32) float32 { return float32(sigmoid(0.7 * (float64(raw) - 6))) }

// entityScore is 0.5 where taking the entity and making a new one are equally right.
func entityScore(f *entityFeatures) float64 {
	logit := entityBias
	for i, x := range f {
		logit += entityWeights[i] * float64(x)
	}
	return sigmoid(logit)
}
