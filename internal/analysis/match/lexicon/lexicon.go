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

// Dots fills dots with v.Dot of each of others, to the bit. Of a sum each addition
// waits for the one before, so four sums run side by side.
func (v *Vector) Dots(others []*Vector, dots []float32) {
	clear(dots)
	if v == nil {
		return
	}
	var four [4]*Vector
	var at [4]int
	n := 0
	for i, other := range others {
		if other == nil {
			continue
		}
		four[n], at[n] = other, i
		if n++; n == len(four) {
			dots[at[0]], dots[at[1]], dots[at[2]], dots[at[3]] = v.dot4(&four)
			n = 0
		}
	}
	if n == 0 {
		return
	}
	for ; n < len(four); n++ { // the first once more: four take as long as one
		four[n], at[n] = four[0], at[0]
	}
	dots[at[0]], dots[at[1]], dots[at[2]], dots[at[3]] = v.dot4(&four)
}

func (v *Vector) dot4(others *[4]*Vector) (p, q, r, s float32) {
	a, b, c, d := others[0], others[1], others[2], others[3]
	for i, x := range v {
		p += x * a[i]
		q += x * b[i]
		r += x * c[i]
		s += x * d[i]
	}
	return p, q, r, s
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
