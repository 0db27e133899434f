package match

import (
	"math"

	"github.com/schemacast/schemacast/internal/analysis/match/lexicon"
)

// side is the fields of a schema or an entity, ready to be compared: their words
// numbered, and without what no comparison needs, since many are kept.
type side struct {
	fields []sideField
	names  glossary // of names and aliases
	prose  glossary // of descriptions
	// share says how much a word tells here, by its concept, from what stands in names.
	share  map[string]float32
	shares []float32 // the same of each word of names
}

type sideField struct {
	names       []label // its own, then those that were mapped to it before
	first       int     // of names, among those of all fields
	description numbered
	sense       *lexicon.Vector
	values      *values
	semantic    Semantic
	family      Family
	labels      bool
}

// label is a name of a field.
type label struct {
	numbered

	joined  string
	grams   []uint64
	meaning *lexicon.Vector
}

// numbered is a text as numbers of words.
type numbered struct {
	words []int32
	worth []float32 // what each tells by itself
}

// glossary is words by number, each once.
type glossary struct {
	words   []word
	numbers map[string]int32 // nil when all are in
}

// newSide numbers the words of fields. Words in faint are those of the entity's own
// name.
func newSide(profiles []Profile, faint map[string]bool) *side {
	s := &side{fields: make([]sideField, len(profiles)), share: shares(profiles, faint)}
	s.names.numbers, s.prose.numbers = make(map[string]int32), make(map[string]int32)
	first := 0
	for i := range profiles {
		p := &profiles[i]
		f := &s.fields[i]
		*f = sideField{first: first, sense: p.sense, values: p.values, semantic: p.Semantic, family: p.Family, labels: p.labels}
		first += 1 + len(p.aliases)
		f.names = make([]label, 0, 1+len(p.aliases))
		f.names = append(f.names, s.label(p.name))
		for _, alias := range p.aliases {
			f.names = append(f.names, s.label(alias))
		}
		if p.description != nil {
			f.description = s.prose.number(p.description)
		}
	}
	s.names.numbers, s.prose.numbers = nil, nil
	s.shares = make([]float32, len(s.names.words))
	for i := range s.names.words {
		s.shares[i] = shareOf(s.share, s.names.words[i].Concept)
	}
	return s
}

func (s *side) label(t *text) label {
	return label{numbered: s.names.number(t), joined: t.joined, grams: t.grams, meaning: t.meaning}
}

func (g *glossary) number(t *text) numbered {
	n := numbered{words: make([]int32, len(t.words)), worth: make([]float32, len(t.words))}
	for i := range t.words {
		w := &t.words[i]
		id, ok := g.numbers[w.Text]
		if !ok {
			id = int32(len(g.words))
			g.numbers[w.Text] = id
			g.words = append(g.words, *w)
		}
		n.words[i], n.worth[i] = id, w.worth
	}
	return n
}

// shares says how much a word tells on this side: one that stands in most fields
// tells few of them apart.
func shares(profiles []Profile, faint map[string]bool) map[string]float32 {
	counts := conceptCounts(profiles)
	share := make(map[string]float32, len(counts))
	for concept, n := range counts {
		share[concept] = rarityAmong(n, len(profiles))
	}
	for concept := range faint {
		share[concept] = min(faintWeight, shareOf(share, concept))
	}
	return share
}

// conceptCounts says in how many names each concept stands.
func conceptCounts(profiles []Profile) map[string]int {
	count := make(map[string]int)
	for i := range profiles {
		last := ""
		for j := range profiles[i].name.words {
			concept := profiles[i].name.words[j].Concept
			if concept != last {
				count[concept]++
			}
			last = concept
		}
	}
	return count
}

func shareOf(share map[string]float32, concept string) float32 {
	if s, ok := share[concept]; ok {
		return s
	}
	return 1
}

// rarityAmong is 1 for a word of one field and falls with the logarithm to 0.3 for a
// word of all.
func rarityAmong(n, fields int) float32 {
	if n <= 1 {
		return 1
	}
	return 1 - 0.7*float32(math.Log(float64(n))/math.Log(float64(max(fields, 8))))
}

// subject finds the field that names the rows: the first whose values are texts that
// do not repeat; -1 without one.
func (s *side) subject() int {
	for i := range s.fields {
		v := s.fields[i].values
		if v == nil || !v.distinct || len(v.whole) < 2 {
			continue
		}
		if v.kind == kindText || v.kind == kindWord {
			return i
		}
	}
	return -1
}
