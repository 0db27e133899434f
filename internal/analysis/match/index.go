package match

import (
	"math"
	"sort"

	"github.com/schemacast/schemacast/internal/schema"
)

// Index is the entities of one tenant, ready to be matched against. It is immutable
// once built, so any number of goroutines may use it.
type Index struct {
	vocab    map[string]int32 // words and concepts -> id
	weights  []float32        // by concept id: how much a word tells
	entities []indexed
	postings [][]int32          // by concept id: positions of the entities that have it
	grams    map[string][]int32 // trigram -> ids of texts, for misspelt words
	texts    []string           // by id
	concept  []int32            // by id of a text: the id of its concept
}

// indexed is one entity. Its fields are stored back to back in shared memory, since
// a tenant may have hundreds of thousands.
type indexed struct {
	fields []indexedField
	faint  map[int32]bool // concepts that count less inside this entity; nil is none
	norm   float32        // length of the vector of its concepts
}

type indexedField struct {
	tokens   []indexedToken
	family   Family
	semantic Semantic
}

// interned is a name that was met before.
type interned struct {
	tokens []Token
	ids    []indexedToken
}

type indexedToken struct {
	text, concept int32
	weight        float32 // by place, see Token
}

const (
	genericWeight = 0.4
	faintWeight   = 0.3
	// pseudoEntities keeps the rarity of words meaningful when a tenant has two
	// entities.
	pseudoEntities = 20
)

// NewIndex indexes entities. Positions in its answers are those of this slice.
func NewIndex(entities []schema.Entity) *Index {
	x := &Index{
		vocab:    make(map[string]int32),
		grams:    make(map[string][]int32),
		entities: make([]indexed, len(entities)),
	}
	names := make(map[string]interned) // field names repeat in most entities
	for i := range entities {
		x.add(i, &entities[i], names)
	}
	x.weigh()
	for i := range x.entities {
		x.entities[i].norm = x.norm(&x.entities[i])
	}
	return x
}

func (x *Index) add(position int, entity *schema.Entity, names map[string]interned) {
	e := &x.entities[position]
	e.fields = make([]indexedField, len(entity.Fields))
	seen := make(map[int32]int)
	for i, f := range entity.Fields {
		name, ok := names[f.Name]
		if !ok {
			tokens := Tokens(f.Name)
			name = interned{tokens: tokens, ids: x.intern(tokens)}
			names[f.Name] = name
		}
		e.fields[i] = indexedField{tokens: name.ids, family: FamilyOf(f.Type), semantic: semanticOf(f, name.tokens)}
		counted := int32(-1)
		for _, t := range name.ids {
			if t.concept != counted {
				seen[t.concept]++
				counted = t.concept
			}
		}
	}
	x.post(position, seen)
	e.faint = x.faintConcepts(entity, seen)
}

// post enters the entity under each of its concepts.
func (x *Index) post(position int, seen map[int32]int) {
	for concept := range seen {
		for len(x.postings) <= int(concept) {
			x.postings = append(x.postings, nil)
		}
		x.postings[concept] = append(x.postings[concept], int32(position))
	}
}

// faintConcepts are the words of the entity's own name, since customer_email of a
// Customer is its e-mail address, and words that most of its fields share.
func (x *Index) faintConcepts(entity *schema.Entity, seen map[int32]int) map[int32]bool {
	var faint map[int32]bool
	mark := func(concept int32) {
		if faint == nil {
			faint = make(map[int32]bool)
		}
		faint[concept] = true
	}
	for _, t := range Tokens(entity.Name) {
		if id, ok := x.vocab[t.Concept]; ok && seen[id] > 0 {
			mark(id)
		}
	}
	for concept, count := range seen {
		if len(entity.Fields) >= 4 && 2*count > len(entity.Fields) {
			mark(concept)
		}
	}
	return faint
}

func (x *Index) intern(tokens []Token) []indexedToken {
	ids := make([]indexedToken, len(tokens))
	for i, t := range tokens {
		concept := x.id(t.Concept, -1)
		ids[i] = indexedToken{text: x.id(t.Text, concept), concept: concept, weight: float32(t.Weight)}
	}
	return ids
}

// id returns the id of a word, giving it the next one when it is new. A word whose
// concept is -1 is a concept itself.
func (x *Index) id(text string, concept int32) int32 {
	if id, ok := x.vocab[text]; ok {
		return id
	}
	id := int32(len(x.texts))
	if concept < 0 {
		concept = id
	}
	x.vocab[text] = id
	x.texts = append(x.texts, text)
	x.concept = append(x.concept, concept)
	for _, gram := range trigrams(text) {
		x.grams[gram] = append(x.grams[gram], id)
	}
	return id
}

// weigh gives each concept its weight: rare words of the tenant tell more about an
// entity than frequent ones, generic words of data less than others.
func (x *Index) weigh() {
	x.weights = make([]float32, len(x.texts))
	for len(x.postings) < len(x.texts) {
		x.postings = append(x.postings, nil)
	}
	for id, text := range x.texts {
		x.weights[id] = x.weight(text, len(x.postings[id]))
	}
}

func (x *Index) weight(text string, entities int) float32 {
	total := float64(len(x.entities) + pseudoEntities)
	rarity := math.Log(total/float64(entities+1)) / math.Log(total)
	weight := 0.4 + 0.6*rarity
	if generic[text] {
		weight *= genericWeight
	}
	return float32(weight)
}

func (x *Index) norm(e *indexed) float32 {
	seen := make(map[int32]bool)
	sum := float32(0)
	for _, f := range e.fields {
		for _, t := range f.tokens {
			if !seen[t.concept] {
				seen[t.concept] = true
				sum += x.weights[t.concept]
			}
		}
	}
	return float32(math.Sqrt(float64(sum)))
}

// similar returns ids of known words that are spelt much like text, with how much.
func (x *Index) similar(text string) []fuzzy {
	grams := trigrams(text)
	if len(grams) < 4 {
		return nil
	}
	shared := make(map[int32]int)
	for _, gram := range grams {
		for _, id := range x.grams[gram] {
			shared[id]++
		}
	}
	var found []fuzzy
	for id, n := range shared {
		dice := 2 * float64(n) / float64(len(grams)+max(len(trigrams(x.texts[id])), n))
		if dice >= 0.6 {
			found = append(found, fuzzy{concept: x.concept[id], strength: float32(0.9 * dice)})
		}
	}
	sort.Slice(found, func(i, j int) bool {
		if found[i].strength != found[j].strength {
			return found[i].strength > found[j].strength
		}
		return found[i].concept < found[j].concept
	})
	return found[:min(len(found), 3)]
}

type fuzzy struct {
	concept  int32
	strength float32
}

// trigrams are the distinct runs of three characters of a padded word.
func trigrams(text string) []string {
	runes := []rune("^" + text + "$")
	if len(runes) < 5 || len(runes) > 40 {
		return nil
	}
	grams := make([]string, 0, len(runes)-2)
	seen := make(map[string]bool, len(runes)-2)
	for i := range len(runes) - 2 {
		gram := string(runes[i : i+3])
		if !seen[gram] {
			seen[gram] = true
			grams = append(grams, gram)
		}
	}
	return grams
}
