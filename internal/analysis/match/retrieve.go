package match

import (
	"cmp"
	"slices"
)

// Hit is an entity that a schema may belong to.
type Hit struct {
	Entity int // position in the slice that the index was built from
	// Score is from 0 to 1; from 0.5 on the entity is taken rather than a new one made.
	// It does not depend on the other entities, but for how rare their words are.
	Score float64
}

const (
	// SketchFields is how many fields of a schema are compared when its entity is
	// sought: the most telling ones, so that the cost does not grow with its width.
	SketchFields = 32
	// pairsAffordable is how many pairs of fields one retrieval compares in full, over
	// all entities.
	pairsAffordable = 3000
	shortlistMin    = 10
	shortlistMax    = 128
	// queryConcepts bounds the postings that one retrieval reads.
	queryConcepts = 200
	// hardlyEntity is the score of entities that are not worth listing.
	hardlyEntity = 1e-4
)

// Retrieve returns the k entities that fit source best, best first, those without
// anything in common left out.
func (x *Index) Retrieve(source []Profile, k int) []Hit {
	if k <= 0 || len(x.all) == 0 || len(source) == 0 {
		return nil
	}
	query := x.newEntityQuery(x.sketch(source))
	defer query.comparison.release()
	var hits []Hit
	for _, position := range x.shortlist(query) {
		if len(x.all[position].Fields) == 0 {
			continue
		}
		evidence := x.entityEvidence(query, int(position))
		if score := entityScore(&evidence); score >= hardlyEntity {
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
			if id, ok := x.concepts[t.Concept]; ok {
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

// shortlist picks the entities that are compared in full: two thirds are those that
// share most words with the query, one third those whose names mean most nearly the
// same.
func (x *Index) shortlist(q *entityQuery) []int32 {
	all := make([]int32, len(x.all))
	for i := range all {
		all[i] = int32(i)
	}
	budget := pairsAffordable
	if len(all) <= shortlistMax {
		budget += budget / 3 // a small tenant needs no ranking for the list, and has time to look
	}
	n := affordable(budget, len(q.profiles), x.fieldCount/len(x.all))
	if len(all) <= n {
		return all
	}
	nearness := make([]float32, len(all))
	for i := range all {
		nearness[i] = q.topic.cosine(&x.topics[i])
	}
	list := topOf(all, nearness, n/3)
	overlap := x.overlap(q)
	for _, position := range list {
		overlap[position] = 0
	}
	for _, position := range topOf(all, overlap, n-len(list)) {
		if overlap[position] > 0 {
			list = append(list, position)
		}
	}
	return list
}

// affordable is how many entities are compared in full.
func affordable(pairs, sourceFields, entityFields int) int {
	return min(max(pairs/max(1, sourceFields*entityFields), shortlistMin), shortlistMax)
}

// overlap is, by entity and up to a factor, the cosine of its concepts and the query's.
func (x *Index) overlap(q *entityQuery) []float32 {
	overlap := make([]float32, len(x.all))
	for _, c := range x.conceptsOf(q.profiles) {
		for _, position := range x.postings[c.concept] {
			overlap[position] += c.strength
		}
	}
	for position := range overlap {
		if overlap[position] > 0 {
			overlap[position] /= x.norms[position]
		}
	}
	return overlap
}

// conceptsOf are the concepts of the names with their weight, the weightiest first.
func (x *Index) conceptsOf(source []Profile) []fuzzy {
	strengths := make(map[int32]float32)
	seen := make(map[string]bool)
	for i := range source {
		for _, t := range source[i].Tokens {
			if seen[t.Text] {
				continue
			}
			seen[t.Text] = true
			if id, known := x.concepts[t.Concept]; known {
				strengths[id] = 1
				continue
			}
			for _, f := range x.spelling.similar(t.Text) {
				strengths[f.concept] = max(strengths[f.concept], f.strength)
			}
		}
	}
	concepts := make([]fuzzy, 0, len(strengths))
	for concept, strength := range strengths {
		concepts = append(concepts, fuzzy{concept: concept, strength: strength * x.weights[concept]})
	}
	slices.SortFunc(concepts, byStrength)
	return concepts[:min(len(concepts), queryConcepts)]
}
