package match

import (
	"math"
)

// comparison compares the fields of one schema with those of one entity.
type comparison struct {
	source, target side
	alike          likenesses
	subject        int // the source field that names the rows, or -1
}

// side is the fields of a schema or an entity, their words numbered.
type side struct {
	profiles []Profile
	fields   []sideField
	words    []*word // by number, each once
	numbers  map[string]int32
}

type sideField struct {
	name        numbered
	aliases     []numbered
	description numbered
}

// numbered is a text as numbers of words.
type numbered struct {
	words []int32
	worth []float32 // what each tells, among these fields
	total float32
}

// newComparison prepares both sides. Words in faint are those of the entity's own
// name.
func newComparison(source, target []Profile, faint map[string]bool) *comparison {
	share := shares(source, target, faint)
	c := &comparison{source: newSide(source, share), target: newSide(target, share), subject: subjectOf(source)}
	c.alike = newLikenesses(c.source.words, c.target.words)
	return c
}

func newSide(profiles []Profile, share map[string]float32) side {
	s := side{profiles: profiles, fields: make([]sideField, len(profiles)), numbers: make(map[string]int32)}
	for i := range profiles {
		p := &profiles[i]
		f := &s.fields[i]
		f.name = s.number(&p.name, share)
		for j := range p.aliases {
			f.aliases = append(f.aliases, s.number(&p.aliases[j], share))
		}
		if p.description != nil {
			f.description = s.number(p.description, share)
		}
	}
	return s
}

func (s *side) number(t *text, share map[string]float32) numbered {
	n := numbered{words: make([]int32, len(t.words)), worth: make([]float32, len(t.words))}
	for i := range t.words {
		w := &t.words[i]
		id, ok := s.numbers[w.Text]
		if !ok {
			id = int32(len(s.words))
			s.numbers[w.Text] = id
			s.words = append(s.words, w)
		}
		n.words[i], n.worth[i] = id, w.worth*shareOf(share, w.Concept)
		n.total += n.worth[i]
	}
	return n
}

// shares says how much a word tells here: one that stands in most fields of either
// side tells few of them apart.
func shares(source, target []Profile, faint map[string]bool) map[string]float32 {
	share := make(map[string]float32)
	for _, profiles := range [][]Profile{source, target} {
		for concept, n := range conceptCounts(profiles) {
			s := rarityAmong(n, len(profiles))
			if have, ok := share[concept]; !ok || s < have {
				share[concept] = s
			}
		}
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

// pair computes the features of two fields.
func (c *comparison) pair(s, t int) features {
	var f features
	source, target := &c.source.profiles[s], &c.target.profiles[t]
	c.names(&f, s, t)
	c.descriptions(&f, s, t)
	f[featureSense] = max(f[featureMeaning], source.sense.Dot(&target.sense))
	compareValues(&f, source, target)
	f[featureFit] = float32(Fit(source.Family, target.Family))
	compareSemantics(&f, source.Semantic, target.Semantic)
	if s == c.subject && target.labels {
		f[featureSubject] = 1
	}
	return f
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

// names compares the source's name with the target's and with each name that was
// mapped to it before; the best counts.
func (c *comparison) names(f *features, s, t int) {
	source, target := &c.source.profiles[s], &c.target.profiles[t]
	from, to := &c.source.fields[s].name, &c.target.fields[t]
	c.compareNames(f, &source.name, &target.name, from, &to.name)
	for i := range to.aliases {
		var other features
		c.compareNames(&other, &source.name, &target.aliases[i], from, &to.aliases[i])
		if other[featureCover]+other[featureEqual] > f[featureCover]+f[featureEqual] {
			copy(f[featureEqual:featureDescribed], other[featureEqual:featureDescribed])
		}
	}
}

func (c *comparison) compareNames(f *features, a, b *text, from, to *numbered) {
	if len(a.words) == 0 || len(b.words) == 0 {
		return
	}
	f[featureMeaning] = a.meaning.Dot(&b.meaning)
	if a.joined == b.joined {
		f[featureEqual] = 1
	}
	inA, strictA := c.cover(from, to, c.alike.of)
	inB, strictB := c.cover(to, from, c.alike.turned)
	total := from.total + to.total
	f[featureSourceInside], f[featureTargetInside] = ratio(inA, from.total), ratio(inB, to.total)
	f[featureCover], f[featureStrict] = ratio(inA+inB, total), ratio(strictA+strictB, total)
	f[featureHead] = c.alike.of(from.words[len(from.words)-1], to.words[len(to.words)-1])
	f[featureSpelling] = dice(a.grams, b.grams)
}

func ratio(part, total float32) float32 {
	if total <= 0 {
		return 0
	}
	return part / total
}

// cover is how much of a's words has a counterpart in b: at all, and one that is the
// same word or its synonym.
func (c *comparison) cover(a, b *numbered, alike func(a, b int32) float32) (soft, strict float32) {
	for i, word := range a.words {
		best := float32(0)
		for _, other := range b.words {
			best = max(best, alike(word, other))
		}
		soft += a.worth[i] * best
		if best >= synonymStrength {
			strict += a.worth[i] * best
		}
	}
	return soft, strict
}

func (c *comparison) descriptions(f *features, s, t int) {
	source, target := &c.source.fields[s], &c.target.fields[t]
	describedSource, describedTarget := len(source.description.words) > 0, len(target.description.words) > 0
	if !describedSource && !describedTarget {
		f[featureNoDescription] = 1
		return
	}
	if describedTarget {
		in, _ := c.cover(&source.name, &target.description, c.alike.of)
		f[featureDescribed] = ratio(in, source.name.total)
	}
	if describedSource {
		in, _ := c.cover(&target.name, &source.description, c.alike.turned)
		f[featureDescribed] = max(f[featureDescribed], ratio(in, target.name.total))
	}
	if describedSource && describedTarget {
		_, inA := c.cover(&source.description, &target.description, c.alike.of)
		_, inB := c.cover(&target.description, &source.description, c.alike.turned)
		f[featureDescription] = max(ratio(inA, source.description.total), ratio(inB, target.description.total))
	}
}

// subjectOf finds the field that names the rows: the first whose values are texts
// that do not repeat.
func subjectOf(fields []Profile) int {
	for i := range fields {
		v := fields[i].values
		if v == nil || !v.distinct || len(v.whole) < 2 {
			continue
		}
		if v.kind == kindText || v.kind == kindWord {
			return i
		}
	}
	return -1
}
