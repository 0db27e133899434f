package match

import (
	"strings"

	"github.com/schemacast/schemacast/internal/analysis/match/lexicon"
)

// likenesses are how much the words of two sides mean the same, each pair of words
// looked at once.
type likenesses struct {
	a, b  []*word
	dense []float32 // by a's and b's number; unknown until looked at
	few   map[[2]int32]float32
}

// denseLikenesses bounds the table to 16 MB.
const denseLikenesses = 4 << 20

// unknownLikeness marks a pair that was not looked at.
const unknownLikeness = -1

func newLikenesses(a, b []*word) likenesses {
	l := likenesses{a: a, b: b}
	if len(a)*len(b) > denseLikenesses {
		l.few = make(map[[2]int32]float32)
		return l
	}
	l.dense = make([]float32, len(a)*len(b))
	for i := range l.dense {
		l.dense[i] = unknownLikeness
	}
	return l
}

// of is how much word a of the one side means the same as word b of the other, 0 to 1.
func (l *likenesses) of(a, b int32) float32 {
	if l.dense == nil {
		key := [2]int32{a, b}
		known, ok := l.few[key]
		if !ok {
			known = likeness(l.a[a], l.b[b])
			l.few[key] = known
		}
		return known
	}
	at := int(a)*len(l.b) + int(b)
	if l.dense[at] == unknownLikeness {
		l.dense[at] = likeness(l.a[a], l.b[b])
	}
	return l.dense[at]
}

// turned is of from the other side.
func (l *likenesses) turned(b, a int32) float32 { return l.of(a, b) }

// wordFloor is the cosine from which two words are taken to be related: one in a
// thousand pairs of words drawn by chance is above.
const wordFloor = 0.45

func likeness(a, b *word) float32 {
	switch {
	case a.Text == b.Text:
		return 1
	case a.Concept == b.Concept:
		return synonymStrength
	case isNumber(a.Text) || isNumber(b.Text):
		return 0
	}
	like := float32(0)
	if cosine := lexicon.Similarity(a.lex, b.lex); cosine > wordFloor {
		like = (cosine - wordFloor) / (1 - wordFloor) * synonymStrength
	}
	if shortened(a.Text, b.Text) || shortened(b.Text, a.Text) {
		like = max(like, 0.6)
	}
	if a.lex == lexicon.None || b.lex == lexicon.None { // two words that are known are not misspelt: form is not from
		if d := dice(a.grams, b.grams); d > 0.4 {
			like = max(like, 0.9*d)
		}
	}
	return like
}

// shortened says that short is long with letters left out, which people do from the
// end and to vowels: disch of discharge, mgmt of management.
func shortened(short, long string) bool {
	if len(short) < 3 || len(long) < len(short)+2 || short[0] != long[0] {
		return false
	}
	if strings.HasPrefix(long, short) {
		return len(short) >= 4 || len(long) <= 2*len(short)+2
	}
	if strings.ContainsAny(short[1:], "aeiou") {
		return false
	}
	at := 0
	for i := 0; i < len(long) && at < len(short); i++ {
		if long[i] == short[at] {
			at++
		}
	}
	return at == len(short)
}

// dice is the share of trigrams that two words have in common.
func dice(a, b []uint64) float32 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	return 2 * float32(shared(a, b)) / float32(len(a)+len(b))
}

// shared counts what two sorted lists have in common.
func shared(a, b []uint64) int {
	n := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			n++
			i++
			j++
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return n
}
