package match

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/analysis/match/lexicon"
)

// text is a name or a description made comparable.
type text struct {
	words   []word
	joined  string // the words back to back
	grams   []uint64
	meaning *lexicon.Vector // nil when there is none
}

// word is one word of a text.
type word struct {
	Token

	lex   lexicon.Measured
	grams []uint64 // of a word that may be misspelt, see hashedGrams
	digit bool     // it is a number
	// worth is how much the word tells, from its place in the name and how rare it is in
	// any text; how rare it is among the fields at hand comes later.
	worth float32
}

// descriptionWords of a description are compared.
const descriptionWords = 48

func nameText(tokens []Token) *text {
	t := &text{words: make([]word, len(tokens))}
	var joined strings.Builder
	var meaning lexicon.Vector
	for i, token := range tokens {
		t.words[i] = wordOf(token)
		joined.WriteString(token.Text)
		meaning.Add(t.words[i].lex.Word, t.words[i].worth)
	}
	t.joined = joined.String()
	t.grams = hashedGrams(t.joined)
	t.meaning = direction(meaning)
	return t
}

// direction is nil of a sum that means nothing.
func direction(sum lexicon.Vector) *lexicon.Vector {
	if sum.IsZero() {
		return nil
	}
	sum.Normalize()
	return &sum
}

func wordOf(token Token) word {
	w := word{Token: token, lex: lexicon.Find(token.Text).Measured(), grams: hashedGrams(token.Text), digit: isNumber(token.Text)}
	rarity := float32(0.8) // of what is no word of any language: a name, a code
	if w.lex.Word != lexicon.None {
		rarity = w.lex.Rarity()
	}
	w.worth = float32(token.Weight) * (0.35 + 0.65*rarity)
	if generic[token.Text] || generic[token.Concept] {
		w.worth *= genericWeight
	}
	return w
}

// descriptionText keeps the words that say something.
func descriptionText(description string) *text {
	var tokens []Token
	seen := make(map[string]bool)
	for segment := range strings.FieldsSeq(clipBytes(description, 2048)) {
		if len(tokens) == descriptionWords {
			break
		}
		for _, spelt := range spelled(segment) {
			if seen[spelt] || utf8.RuneCountInString(spelt) < 2 || function[spelt] {
				continue
			}
			seen[spelt] = true
			tokens = append(tokens, tokenOf(spelt, 1))
		}
	}
	if len(tokens) == 0 {
		return nil
	}
	return nameText(tokens)
}

// function words hold sentences together and mean nothing by themselves.
var function = words(`
a about above after all also an and any are as at be because been before being below between both but by can could
did do does doing down during each few for from further had has have having he her here hers him his how i if in into
is it its just may me might more most must my no nor not now of off on once only or other our out over own same she
should so some such than that the their them then there these they this those through to too under until up used use
very was we were what when where which while who whom why will with would you your
`)

// hashedGrams are the trigrams of a word as sorted hashes.
func hashedGrams(text string) []uint64 {
	grams := trigrams(text)
	hashes := make([]uint64, len(grams))
	for i, g := range grams {
		hashes[i] = hashOf(g)
	}
	slices.Sort(hashes)
	return hashes
}
