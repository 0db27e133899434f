package match

import (
	"math"

	"github.com/schemacast/schemacast/internal/analysis/match/lexicon"
	"github.com/schemacast/schemacast/internal/schema"
)

// Index is the entities of one tenant, ready to be matched against. Its answers never
// change once it is built, and any number of goroutines may use it.
type Index struct {
	all        []schema.Entity
	fieldCount int // of all entities

	concepts map[string]int32 // -> id
	weights  []float32        // by concept: how much it tells
	postings [][]int32        // by concept: the entities that have it
	norms    []float32        // by entity: length of the vector of its concepts
	spelling spelling

	fingerprints           []fingerprint // by entity
	wordRarity, gramRarity rarities
	topics                 []topic // by entity

	shelf shelf
}

const (
	genericWeight = 0.4
	faintWeight   = 0.3
	// synonymStrength is what another word for the same thing is worth.
	synonymStrength = 0.85
	// pseudoEntities keeps the rarity of words meaningful when a tenant has two
	// entities.
	pseudoEntities = 20
)

// NewIndex indexes entities. Positions in its answers are those of this slice, which
// must not be changed afterwards.
func NewIndex(entities []schema.Entity) *Index {
	x := &Index{
		all:          entities,
		concepts:     make(map[string]int32),
		norms:        make([]float32, len(entities)),
		spelling:     newSpelling(),
		fingerprints: make([]fingerprint, len(entities)),
		topics:       make([]topic, len(entities)),
	}
	for i := range entities {
		x.add(int32(i))
	}
	x.weigh()
	x.wordRarity = raritiesOf(x.fingerprints, wordExponent, func(f *fingerprint) []uint32 { return f.words })
	x.gramRarity = raritiesOf(x.fingerprints, gramExponent, func(f *fingerprint) []uint32 { return f.grams })
	for i := range x.fingerprints {
		x.measure(&x.fingerprints[i])
	}
	return x
}

// measure notes what the sets of a fingerprint tell in this index.
func (x *Index) measure(f *fingerprint) {
	f.wordSize, f.gramSize = x.wordRarity.size(f.words), x.gramRarity.size(f.grams)
}

func (x *Index) add(position int32) {
	entity := &x.all[position]
	x.fieldCount += len(entity.Fields)
	var sum lexicon.Vector
	for i := range entity.Fields {
		f := &entity.Fields[i]
		name := nameOf(f.Name).text
		sum.AddVector(name.meaning, 1)
		x.fingerprints[position].addText(f, name.words)
		x.fingerprints[position].addOwnValues(f)
		x.post(position, name.words)
		for _, alias := range f.Aliases[:min(len(f.Aliases), maxAliases)] {
			x.post(position, nameOf(alias).text.words)
		}
	}
	x.topics[position] = topicOf(&sum)
	x.fingerprints[position].keepSmallest()
}

// post enters the entity under each concept of a name.
func (x *Index) post(position int32, name []word) {
	for i := range name {
		id, known := x.concepts[name[i].Concept]
		if !known {
			id = int32(len(x.postings))
			x.concepts[name[i].Concept] = id
			x.postings = append(x.postings, nil)
			x.spelling.enter(name[i].Concept, id)
		}
		x.spelling.enter(name[i].Text, id)
		if list := x.postings[id]; len(list) == 0 || list[len(list)-1] != position {
			x.postings[id] = append(list, position)
		}
	}
}

// weigh gives each concept its weight: rare words of the tenant tell more about an
// entity than frequent ones, generic words of data less than others.
func (x *Index) weigh() {
	x.weights = make([]float32, len(x.postings))
	for concept, id := range x.concepts {
		x.weights[id] = x.weight(concept, len(x.postings[id]))
	}
	for id, list := range x.postings {
		for _, position := range list {
			x.norms[position] += x.weights[id]
		}
	}
	for position, sum := range x.norms {
		x.norms[position] = sqrt(sum)
	}
}

func (x *Index) weight(concept string, entities int) float32 {
	total := float64(len(x.all) + pseudoEntities)
	rarity := math.Log(total/float64(entities+1)) / math.Log(total)
	weight := 0.4 + 0.6*rarity
	if generic[concept] {
		weight *= genericWeight
	}
	return float32(weight)
}

// nameConcepts are the concepts of the entity's own name: customer_email of a Customer
// is its e-mail address.
func nameConcepts(entity *schema.Entity) map[string]bool {
	concepts := make(map[string]bool)
	for _, t := range Tokens(entity.Name) {
		concepts[t.Concept] = true
	}
	return concepts
}
