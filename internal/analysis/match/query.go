package match

// query is the source side of a match, prepared for one index: which source fields
// have which concept. Entities are walked field by field and looked up here.
type query struct {
	fields  []queryField
	byWord  map[int32][]occurrence
	byMean  map[Semantic][]int32
	common  map[int32]bool // concepts that most source fields share
	unknown float32        // weight of words that the index does not know
}

type queryField struct {
	tokens   []queryToken
	family   Family
	semantic Semantic
}

type queryToken struct {
	concept int32 // -1 when the index does not know it
	weight  float32
}

type occurrence struct {
	field    int32
	text     int32 // -1 for a word that is only spelt alike
	strength float32
}

const (
	synonymStrength = 0.85
	// meaningLimit bounds how many fields of the same meaning are tried without any
	// word in common: the twenty addresses of a wide schema tell nothing.
	meaningLimit = 8
)

func (x *Index) newQuery(source []Profile) *query {
	q := &query{
		fields:  make([]queryField, len(source)),
		byWord:  make(map[int32][]occurrence),
		byMean:  make(map[Semantic][]int32),
		common:  make(map[int32]bool),
		unknown: x.weight("", 0),
	}
	fuzzies := make(map[string][]fuzzy)
	for i := range source {
		p := &source[i]
		q.fields[i] = queryField{family: p.Family, semantic: p.Semantic, tokens: make([]queryToken, len(p.Tokens))}
		for j, t := range p.Tokens {
			q.fields[i].tokens[j] = q.enter(x, int32(i), t, fuzzies)
		}
		if p.Semantic.strong() {
			q.byMean[p.Semantic] = append(q.byMean[p.Semantic], int32(i))
		}
	}
	for concept, list := range q.byWord {
		if len(source) >= 4 && 2*len(list) > len(source) {
			q.common[concept] = true
		}
	}
	return q
}

func (q *query) enter(x *Index, field int32, t Token, fuzzies map[string][]fuzzy) queryToken {
	concept, ok := x.vocab[t.Concept]
	if ok {
		text, known := x.vocab[t.Text]
		if !known {
			text = -1
		}
		strength := float32(1)
		q.add(concept, occurrence{field: field, text: text, strength: strength})
		return queryToken{concept: concept, weight: float32(t.Weight) * x.weights[concept]}
	}
	near, cached := fuzzies[t.Text]
	if !cached {
		near = x.similar(t.Text)
		fuzzies[t.Text] = near
	}
	for _, f := range near {
		q.add(f.concept, occurrence{field: field, text: -1, strength: f.strength})
	}
	weight := q.unknown
	if generic[t.Text] {
		weight *= genericWeight
	}
	return queryToken{concept: -1, weight: float32(t.Weight) * weight}
}

// add keeps one occurrence a field: a word that stands twice in a name counts once.
func (q *query) add(concept int32, o occurrence) {
	list := q.byWord[concept]
	if n := len(list); n > 0 && list[n-1].field == o.field {
		if o.strength > list[n-1].strength {
			list[n-1] = o
		}
		return
	}
	q.byWord[concept] = append(list, o)
}

// weigh is the weight of a concept inside one entity.
func (q *query) weigh(e *indexed, concept int32, weight float32) float32 {
	if concept >= 0 && (e.faint[concept] || q.common[concept]) {
		return weight * faintWeight
	}
	return weight
}

// totals are the summed weights of each source field's words inside one entity.
func (q *query) totals(e *indexed, into []float32) {
	for i := range q.fields {
		sum := float32(0)
		for _, t := range q.fields[i].tokens {
			sum += q.weigh(e, t.concept, t.weight)
		}
		into[i] = sum
	}
}

// scratch is the working memory of one walk.
type scratch struct {
	matched []float32
	touched []int32
	totals  []float32
}

func newScratch(fields int) *scratch {
	return &scratch{matched: make([]float32, fields), totals: make([]float32, fields)}
}

// pairs calls yield for each source field that has anything to do with target field
// t, with the score of the pair, in the order of the source fields' first contact.
func (x *Index) pairs(q *query, e *indexed, t int, s *scratch, yield func(source int32, score float64)) {
	target := &e.fields[t]
	total := float32(0)
	s.touched = s.touched[:0]
	for _, token := range target.tokens {
		weight := q.weigh(e, token.concept, x.weights[token.concept]*token.weight)
		total += weight
		for _, o := range q.byWord[token.concept] {
			strength := o.strength
			if o.text >= 0 && o.text != token.text || o.text < 0 && strength == 1 {
				strength = synonymStrength
			}
			s.touch(o.field, strength*weight)
		}
	}
	if target.semantic.strong() {
		if list := q.byMean[target.semantic]; len(list) <= meaningLimit {
			for _, field := range list {
				s.touch(field, 0)
			}
		}
	}
	for _, field := range s.touched {
		matched := max(s.matched[field], 0)
		s.matched[field] = 0
		yield(field, pairScore(&q.fields[field], target, matched, s.totals[field], total))
	}
}

// touch adds to a field's matched weight. The list of touched fields is kept apart,
// since a field may be touched with nothing.
func (s *scratch) touch(field int32, weight float32) {
	if s.matched[field] == 0 {
		s.touched = append(s.touched, field)
		s.matched[field] = -1e-9 // marks it as touched
	}
	s.matched[field] += weight
}
