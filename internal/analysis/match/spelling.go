package match

import (
	"cmp"
	"iter"
	"slices"
	"unicode/utf8"
)

// spelling finds words by how they are spelt.
type spelling struct {
	known map[string]int32   // word -> concept
	words []string           // by id
	grams map[string][]int32 // trigram -> ids of words
}

func newSpelling() spelling {
	return spelling{known: make(map[string]int32), grams: make(map[string][]int32)}
}

func (s *spelling) enter(word string, concept int32) {
	if _, again := s.known[word]; again {
		return
	}
	s.known[word] = concept
	id := int32(len(s.words))
	s.words = append(s.words, word)
	for _, gram := range trigrams(word) {
		s.grams[gram] = append(s.grams[gram], id)
	}
}

// fuzzy is a concept that a word may mean.
type fuzzy struct {
	concept  int32
	strength float32
}

const (
	alikeFrom = 0.6 // share of trigrams from which a word may be another, misspelt
	alikeMost = 3   // such words that are tried
)

// similar returns concepts of words that are spelt much like word, with how much.
func (s *spelling) similar(word string) []fuzzy {
	grams := trigrams(word)
	if len(grams) < 4 {
		return nil
	}
	common := make(map[int32]int)
	for _, gram := range grams {
		for _, id := range s.grams[gram] {
			common[id]++
		}
	}
	var found []fuzzy
	for id, n := range common {
		dice := 2 * float32(n) / float32(len(grams)+len(trigrams(s.words[id])))
		if dice >= alikeFrom {
			found = append(found, fuzzy{concept: s.known[s.words[id]], strength: 0.9 * dice})
		}
	}
	slices.SortFunc(found, byStrength)
	return found[:min(len(found), alikeMost)]
}

func byStrength(a, b fuzzy) int {
	return cmp.Or(cmp.Compare(b.strength, a.strength), cmp.Compare(a.concept, b.concept))
}

// trigrams are the distinct runs of three characters of a padded word, none of words
// that are too short to be recognised by them or too long to be words.
func trigrams(text string) []string {
	if n := utf8.RuneCountInString(text); n < 3 || n > 38 {
		return nil
	}
	grams := make([]string, 0, len(text))
	for gram := range gramsOf("^" + text + "$") {
		if !slices.Contains(grams, gram) {
			grams = append(grams, gram)
		}
	}
	return grams
}

// gramsOf are the runs of three characters of a padded text.
func gramsOf(padded string) iter.Seq[string] {
	return func(yield func(string) bool) {
		first, second, n := 0, 0, 0 // of the two characters before
		for i, r := range padded {
			if n++; n >= 3 && !yield(padded[first:i+utf8.RuneLen(r)]) {
				return
			}
			first, second = second, i
		}
	}
}
