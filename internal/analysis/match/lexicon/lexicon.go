// Package lexicon knows what words mean: some 36,000 words of eleven scripts, each
// with how rare it is and a vector that lies near those of words of like meaning, in
// whatever language (price, prix, 価格).
//
// The vectors are those of a multilingual sentence encoder (multilingual-e5-small,
// MIT), which was asked about each word by itself, reduced to a few dimensions of one
// byte; see docs/adr/0009. The words are the encoder's own vocabulary and an English
// word list, so nothing here was chosen by anybody's data. build.py makes the file.
package lexicon

import (
	_ "embed"
	"encoding/binary"
	"math"
	"sort"
	"unicode/utf8"
)

// Dim is the number of dimensions of a vector.
const Dim = 96

//go:embed words.bin
var file string

// The file: the number of words n and Dim, each four bytes, little endian; n+1 offsets
// of four bytes; n bytes of rarity; n vectors of Dim signed bytes; the words, sorted.
var (
	count   = int(binary.LittleEndian.Uint32([]byte(file[:4])))
	rarity  = 8 + 4*(count+1)
	vectors = rarity + count
	texts   = vectors + Dim*count
)

// Word is a word of the lexicon.
type Word int32

// None is no word.
const None Word = -1

// Find returns the word that is spelt text, in small letters, or None.
func Find(text string) Word {
	at := sort.Search(count, func(i int) bool { return spelling(i) >= text })
	if at == count || spelling(at) != text {
		return None
	}
	return Word(at)
}

func spelling(i int) string { return file[texts+offset(i) : texts+offset(i+1)] }

func offset(i int) int {
	at := 8 + 4*i
	return int(file[at]) | int(file[at+1])<<8 | int(file[at+2])<<16 | int(file[at+3])<<24
}

// Rarity is how rare the word is in texts of its language, from 0, like "the", to 1.
func (w Word) Rarity() float32 {
	if w == None {
		return 1
	}
	return float32(file[rarity+int(w)]) / 255
}

// Vector is the direction of a meaning, of length 1 or all zero. One that is nil is all
// zero, too, where it is only read.
type Vector [Dim]float32

// Add adds the word, weighted, to a sum.
func (v *Vector) Add(w Word, weight float32) {
	if w == None {
		return
	}
	raw := file[vectors+Dim*int(w):][:Dim]
	for i := range v {
		v[i] += weight * float32(int8(raw[i]))
	}
}

// AddVector adds another vector, weighted, to a sum.
func (v *Vector) AddVector(other *Vector, weight float32) {
	if other == nil {
		return
	}
	for i := range v {
		v[i] += weight * other[i]
	}
}

// Normalize makes the length 1.
func (v *Vector) Normalize() {
	sum := float32(0)
	for _, x := range v {
		sum += x * x
	}
	if sum == 0 {
		return
	}
	scale := 1 / float32(math.Sqrt(float64(sum)))
	for i := range v {
		v[i] *= scale
	}
}

// Dot is the cosine of two directions, 0 when one is none.
func (v *Vector) Dot(other *Vector) float32 {
	if v == nil || other == nil {
		return 0
	}
	sum := float32(0)
	for i := range v {
		sum += v[i] * other[i]
	}
	return sum
}

// Dots fills dots with v.Dot of each of others, to the bit.
func (v *Vector) Dots(others []*Vector, dots []float32) {
	sums := four{dots: dots}
	for i, other := range others {
		sums.add(i, v, other)
	}
	sums.flush()
}

// Dots fills dots with Dot of each of a and that of b, to the bit.
func Dots(a, b []*Vector, dots []float32) {
	sums := four{dots: dots}
	for i := range a {
		sums.add(i, a[i], b[i])
	}
	sums.flush()
}

// four are sums that run side by side: of one, each addition waits for the one before.
type four struct {
	dots []float32
	a, b [4]*Vector
	at   [4]int // of dots
	n    int    // that wait
}

func (f *four) add(at int, a, b *Vector) {
	f.dots[at] = 0
	if a == nil || b == nil {
		return
	}
	f.a[f.n], f.b[f.n], f.at[f.n] = a, b, at
	if f.n++; f.n == len(f.at) {
		f.sum()
	}
}

func (f *four) flush() {
	if f.n == 0 {
		return
	}
	for ; f.n < len(f.at); f.n++ { // the first once more: four take as long as one
		f.a[f.n], f.b[f.n], f.at[f.n] = f.a[0], f.b[0], f.at[0]
	}
	f.sum()
}

func (f *four) sum() {
	a0, a1, a2, a3 := f.a[0], f.a[1], f.a[2], f.a[3]
	b0, b1, b2, b3 := f.b[0], f.b[1], f.b[2], f.b[3]
	var p, q, r, s float32
	for i := range a0 {
		p += a0[i] * b0[i]
		q += a1[i] * b1[i]
		r += a2[i] * b2[i]
		s += a3[i] * b3[i]
	}
	f.dots[f.at[0]], f.dots[f.at[1]], f.dots[f.at[2]], f.dots[f.at[3]] = p, q, r, s
	f.n = 0
}

// IsZero says that there is no meaning.
func (v *Vector) IsZero() bool { return *v == Vector{} }

// Similarity is the cosine of two words, 0 when one is None.
func Similarity(a, b Word) float32 { return a.Measured().Similarity(b.Measured()) }

// Measured is a word whose vector's length is known, for who compares it often.
type Measured struct {
	Word

	square int32 // of the length
}

// Measured measures the word.
func (w Word) Measured() Measured {
	if w == None {
		return Measured{Word: None}
	}
	return Measured{Word: w, square: product(w, w)}
}

// Similarity is the cosine of two words, 0 when one is None.
func (m Measured) Similarity(other Measured) float32 {
	if m.Word == None || other.Word == None {
		return 0
	}
	if m.Word == other.Word {
		return 1
	}
	if m.square == 0 || other.square == 0 {
		return 0
	}
	return float32(float64(product(m.Word, other.Word)) / math.Sqrt(float64(m.square)*float64(other.square)))
}

func product(a, b Word) int32 {
	x, y := file[vectors+Dim*int(a):][:Dim], file[vectors+Dim*int(b):][:Dim]
	var even, odd int32
	for i := 0; i+1 < Dim; i += 2 {
		even += int32(int8(x[i])) * int32(int8(y[i]))
		odd += int32(int8(x[i+1])) * int32(int8(y[i+1]))
	}
	return even + odd
}

// maxWord is the number of characters in the longest word that Segment looks for.
const maxWord = 8

// Segment cuts a run of a script that is written without spaces into words: the
// longest that is known, again and again. Characters between are words by themselves.
func Segment(run string) []string {
	var found []string
	for run != "" {
		end := 0
		for i, n := 0, 0; i < len(run) && n < maxWord; n++ {
			_, size := utf8.DecodeRuneInString(run[i:])
			i += size
			if n == 0 || Find(run[:i]) != None {
				end = i
			}
		}
		found = append(found, run[:end])
		run = run[end:]
	}
	return found
}
