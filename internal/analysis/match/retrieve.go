package match

import (
	"cmp"
	"math"
	"slices"
)

// Hit is an entity that a schema may belong to.
type Hit struct {
	Entity int     // position in the slice that the index was built from
	Score  float64 // absolute, 0 to 1
}

const (
	// SketchFields is how many fields of a schema are compared when its entity is
	// sought: the most telling ones, so that the cost does not grow with its width.
	SketchFields = 64
	// shortlist is how many entities are scored field by field.
	shortlist = 48
	// queryConcepts bounds the postings that one retrieval reads.
	queryConcepts = 200
)

// Retrieve returns the k entities that fit source best, best first, those without
// anything in common left out.
func (x *Index) Retrieve(source []Profile, k int) []Hit {
	if k <= 0 || len(x.entities) == 0 {
		return nil
	}
	sketch := x.sketch(source)
	q := x.newQuery(sketch)
	s := newScratch(len(sketch))
	var hits []Hit
	for _, position := range x.shortlist(q) {
		if score := x.entityScore(q, &x.entities[position], s); score > 0 {
			hits = append(hits, Hit{Entity: int(position), Score: score})
		}
	}
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Entity, b.Entity))
	})
	return hits[:min(k, len(hits))]
}

// Telling returns the positions of the n source fields that say most about which
// entity they belong to, in their own order.
func (x *Index) Telling(source []Profile, n int) []int {
	positions := make([]int, len(source))
	telling := make([]float32, len(source))
	used := make(map[string]int)
	for i, p := range source {
		positions[i] = i
		for _, t := range p.Tokens {
			weight := x.weight(t.Concept, 0)
			if id, ok := x.vocab[t.Concept]; ok {
				weight = x.weights[id] + 0.3 // a word that the tenant uses
			}
			telling[i] = max(telling[i], weight*float32(t.Weight)/float32(1+used[t.Concept]))
			used[t.Concept]++ // the hundredth question of a form tells nothing new
		}
	}
	if n >= len(source) {
		return positions
	}
	slices.SortStableFunc(positions, func(a, b int) int { return cmp.Compare(telling[b], telling[a]) })
	positions = positions[:n]
	slices.Sort(positions)
	return positions
}

func (x *Index) sketch(source []Profile) []Profile {
	if len(source) <= SketchFields {
		return source
	}
	positions := x.Telling(source, SketchFields)
	sketch := make([]Profile, len(positions))
	for i, p := range positions {
		sketch[i] = source[p]
	}
	return sketch
}

// shortlist picks the entities that share most words with the query, by the cosine
// of their concepts.
func (x *Index) shortlist(q *query) []int32 {
	if len(x.entities) <= shortlist {
		all := make([]int32, len(x.entities))
		for i := range all {
			all[i] = int32(i)
		}
		return all
	}
	overlap := make([]float32, len(x.entities))
	var touched []int32
	for _, c := range x.queryConcepts(q) {
		for _, position := range x.postings[c.concept] {
			if overlap[position] == 0 {
				touched = append(touched, position)
			}
			overlap[position] += c.strength
		}
	}
	for _, position := range touched {
		overlap[position] /= x.entities[position].norm
	}
	return best(touched, overlap, shortlist)
}

// queryConcepts are the concepts of a query with their weight, the weightiest first.
func (x *Index) queryConcepts(q *query) []fuzzy {
	concepts := make([]fuzzy, 0, len(q.byWord))
	for concept, list := range q.byWord {
		strength := float32(0)
		for _, o := range list {
			strength = max(strength, o.strength)
		}
		concepts = append(concepts, fuzzy{concept: concept, strength: strength * x.weights[concept]})
	}
	slices.SortFunc(concepts, func(a, b fuzzy) int {
		return cmp.Or(cmp.Compare(b.strength, a.strength), cmp.Compare(a.concept, b.concept))
	})
	return concepts[:min(len(concepts), queryConcepts)]
}

// best returns the n positions of the highest values, ties by position.
func best(positions []int32, values []float32, n int) []int32 {
	slices.SortFunc(positions, func(a, b int32) int {
		return cmp.Or(cmp.Compare(values[b], values[a]), cmp.Compare(a, b))
	})
	return positions[:min(n, len(positions))]
}

// entityScore is how well the fields cover each other, both sides weighted by how
// telling their words are. Each target counts its best source once, and each source
// its best such target, so that ten ids do not all count for one.
func (x *Index) entityScore(q *query, e *indexed, s *scratch) float64 {
	q.totals(e, s.totals)
	credit := make([]float64, len(q.fields))
	covered, total := 0.0, 0.0
	for t := range e.fields {
		bestSource, bestScore := int32(-1), 0.0
		x.pairs(q, e, t, s, func(source int32, score float64) {
			if score > bestScore || score == bestScore && source < bestSource {
				bestSource, bestScore = source, score
			}
		})
		weight := x.targetWeight(&e.fields[t])
		total += weight
		if bestSource >= 0 {
			covered += weight * bestScore
			credit[bestSource] = max(credit[bestSource], bestScore)
		}
	}
	if total == 0 {
		return 0
	}
	return combine(x.sourceCover(q, credit), covered/total)
}

// combine weighs how much of the schema has a place in the entity against how much
// of the entity is filled. An entity is often wider than a source, so the second
// counts by its root.
func combine(source, target float64) float64 {
	return 0.6*source + 0.4*math.Sqrt(target*source)
}

func (x *Index) sourceCover(q *query, credit []float64) float64 {
	covered, total := 0.0, 0.0
	for i := range q.fields {
		weight := 0.1
		for _, t := range q.fields[i].tokens {
			weight = max(weight, float64(t.weight))
		}
		covered += weight * credit[i]
		total += weight
	}
	if total == 0 {
		return 0
	}
	return covered / total
}

func (x *Index) targetWeight(f *indexedField) float64 {
	weight := 0.1
	for _, t := range f.tokens {
		weight = max(weight, float64(x.weights[t.concept]*t.weight))
	}
	return weight
}
