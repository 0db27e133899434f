package match

import (
	"strings"

	"github.com/schemacast/schemacast/internal/analysis/match/lexicon"
)

// likenesses are how much words of a schema mean the same as words of entities, each
// pair of words looked at once, in however many entities it is.
type likenesses struct {
	a       []word  // of the schema
	b       []word  // of the entity at hand
	columns []int32 // of all, by b's number
	all     []alike
	known   map[string]int32 // word -> its place in all
	size    int              // of all columns
	few     map[[2]int32]float32

	chunk, room []float32 // memory for columns, and what is left of it
	kinRoom     []int32
}

// alike is how much the words of the schema mean the same as one word.
type alike struct {
	likes  []float32 // by a's number
	kin    []int32   // those that are alike at all
	sought bool      // kin were
}

const (
	// keptLikenesses bounds what is kept of earlier entities to 256 KB.
	keptLikenesses = 1 << 16
	// denseLikenesses bounds the table of one entity to 16 MB.
	denseLikenesses = 4 << 20
	// columnsAtOnce get their memory together, at least.
	columnsAtOnce = 16
	// unknownLikeness marks a pair that was not looked at.
	unknownLikeness = -1
)

// from makes a the words of the schema.
func (l *likenesses) from(a []word) {
	l.forget()
	l.a, l.b = a, nil
}

// forget keeps nothing of earlier entities but the memory.
func (l *likenesses) forget() {
	clear(l.known)
	clear(l.all) // which holds memory of older chunks
	l.all, l.room, l.kinRoom, l.size = l.all[:0], l.chunk, l.kinRoom[:0], 0
}

// against makes b the words to compare with.
func (l *likenesses) against(b []word) {
	l.b, l.columns, l.few = b, l.columns[:0], nil
	if len(l.a) == 0 {
		return
	}
	if len(l.a)*len(b) > denseLikenesses {
		l.few = make(map[[2]int32]float32)
		return
	}
	if l.known == nil {
		l.known = make(map[string]int32, len(b))
	}
	if l.size+len(l.a)*len(b) > keptLikenesses {
		l.forget()
	}
	for i := range b {
		column, known := l.known[b[i].Text]
		if !known {
			column = int32(len(l.all))
			l.all = append(l.all, alike{likes: l.column()})
			l.known[b[i].Text] = column
		}
		l.columns = append(l.columns, column)
	}
}

func (l *likenesses) column() []float32 {
	n := len(l.a)
	if len(l.room) < n {
		l.chunk = make([]float32, max(columnsAtOnce*n, min(2*len(l.chunk), keptLikenesses)))
		l.room = l.chunk
	}
	column := l.room[:n:n]
	l.room = l.room[n:]
	l.size += n
	for i := range column {
		column[i] = unknownLikeness
	}
	return column
}

// kin are the words of the schema that word b of the entity is like, however little.
func (l *likenesses) kin(b int32) []int32 {
	switch {
	case len(l.a) == 0:
		return nil
	case l.few != nil:
		return l.findKin(b)
	}
	column := &l.all[l.columns[b]]
	if !column.sought {
		column.kin, column.sought = l.findKin(b), true
	}
	return column.kin
}

func (l *likenesses) findKin(b int32) []int32 {
	start := len(l.kinRoom)
	for a := range l.a {
		if l.of(int32(a), b) > 0 {
			l.kinRoom = append(l.kinRoom, int32(a))
		}
	}
	return l.kinRoom[start:len(l.kinRoom):len(l.kinRoom)]
}

// of is how much word a of the schema means the same as word b of the entity, 0 to 1.
func (l *likenesses) of(a, b int32) float32 {
	if l.few != nil {
		return l.ofFew(a, b)
	}
	cell := &l.all[l.columns[b]].likes[a]
	if *cell == unknownLikeness {
		*cell = likeness(&l.a[a], &l.b[b])
	}
	return *cell
}

func (l *likenesses) ofFew(a, b int32) float32 {
	key := [2]int32{a, b}
	known, ok := l.few[key]
	if !ok {
		known = likeness(&l.a[a], &l.b[b])
		l.few[key] = known
	}
	return known
}

// most is the best that word a has among words of the entity.
func (l *likenesses) most(a int32, among []int32) float32 {
	best := float32(0)
	for _, b := range among {
		if like := l.of(a, b); like > best {
			best = like
		}
	}
	return best
}

// mostOf is the best that word b has among words of the schema.
func (l *likenesses) mostOf(among []int32, b int32) float32 {
	best := float32(0)
	for _, a := range among {
		if like := l.of(a, b); like > best {
			best = like
		}
	}
	return best
}

// wordFloor is the cosine from which two words are taken to be related: one in a
// thousand pairs of words drawn by chance is above.
const wordFloor = 0.45

func likeness(a, b *word) float32 {
	switch {
	case a.Text == b.Text:
		return 1
	case a.Concept == b.Concept:
		return synonymStrength
	case a.digit || b.digit:
		return 0
	}
	like := float32(0)
	if cosine := a.lex.Similarity(b.lex); cosine > wordFloor {
		like = (cosine - wordFloor) / (1 - wordFloor) * synonymStrength
	}
	if shortened(a.Text, b.Text) || shortened(b.Text, a.Text) {
		like = max(like, 0.6)
	}
	if a.lex.Word == lexicon.None || b.lex.Word == lexicon.None { // two words that are known are not misspelt: form is not from
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
	return diceOf(float32(shared(a, b)), a, b)
}

// diceOf is dice when what a and b have in common is counted.
func diceOf(common float32, a, b []uint64) float32 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	return 2 * common / float32(len(a)+len(b))
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
