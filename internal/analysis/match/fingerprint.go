package match

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/schema"
)

// fingerprint is all the text of a schema, names, descriptions and values, as sets of
// hashed words and of hashed runs of three characters.
type fingerprint struct {
	words, grams []uint32 // buckets, sorted
	valued       bool     // values are among it
}

const (
	// fingerprintBuckets is how many different hashes there are: few enough for a table
	// of how many entities have each.
	fingerprintBuckets = 1 << 17
	// fingerprintSize bounds either set. Of a wide schema the rest adds little.
	fingerprintSize = 640
)

// addText adds the names and the description of a field whose name was cut into words
// before.
func (f *fingerprint) addText(field *schema.Field, name []word) {
	if len(f.grams) > 8*fingerprintSize {
		return
	}
	words := make([]string, len(name))
	for i := range name {
		words[i] = name[i].Text
	}
	f.add(words)
	for _, alias := range field.Aliases[:min(len(field.Aliases), maxAliases)] {
		f.add(Words(alias))
	}
	if field.Description != "" {
		f.add(splitWords(fold(clipBytes(field.Description, 2*valueCap))))
	}
}

func (f *fingerprint) addValues(field *schema.Field) {
	if len(f.grams) > 8*fingerprintSize {
		return
	}
	// Not those that were learned: they tell the sources apart more than the entities.
	for _, sample := range sampleTexts(field.Sample, field.Samples) {
		f.valued = true
		f.add(splitWords(fold(clipBytes(sample, valueCap/2))))
	}
}

func (f *fingerprint) bound() { f.words, f.grams = bounded(f.words), bounded(f.grams) }

// merged is the fingerprint of all fields together.
func merged(fields []Profile, of func(*Profile) *fingerprint) fingerprint {
	words, grams := 0, 0
	for i := range fields {
		f := of(&fields[i])
		words, grams = words+len(f.words), grams+len(f.grams)
	}
	all := fingerprint{words: make([]uint32, 0, words), grams: make([]uint32, 0, grams)}
	for i := range fields {
		f := of(&fields[i])
		all.words, all.grams = append(all.words, f.words...), append(all.grams, f.grams...)
		all.valued = all.valued || f.valued
	}
	all.bound()
	return all
}

// textOf is the fingerprint of the names and descriptions alone.
func textOf(fields []schema.Field, profiles []Profile) fingerprint {
	var f fingerprint
	for i := range fields {
		f.addText(&fields[i], profiles[i].name.words)
	}
	f.bound()
	return f
}

func (f *fingerprint) add(words []string) {
	for _, word := range words {
		if first, _ := utf8.DecodeRuneInString(word); !ideographic(first) {
			f.words = append(f.words, bucket(word))
			continue
		}
		for _, pair := range bigrams(word) { // no spaces between words: as in names
			f.words = append(f.words, bucket(pair))
		}
	}
	for gram := range gramsOf(strings.Join(words, " ")) {
		f.grams = append(f.grams, bucket(gram))
	}
}

func bucket(text string) uint32 { return uint32(hashOf(text) % fingerprintBuckets) }

// bounded sorts, and of a set that is too large keeps the smallest hashes: the same
// ones on both sides of a comparison.
func bounded(buckets []uint32) []uint32 {
	slices.Sort(buckets)
	buckets = slices.Compact(buckets)
	return slices.Clone(buckets[:min(len(buckets), fingerprintSize)])
}

// rarities is, by bucket, how much it tells that an entity has it.
type rarities []float32

const (
	// wordExponent and gramExponent say how much more a rare member tells than a frequent
	// one. A word that few entities have names what the entity is about; of trigrams even
	// rare ones are parts of many words.
	wordExponent = 4
	gramExponent = 2
)

func raritiesOf(fingerprints []fingerprint, exponent int, set func(*fingerprint) []uint32) rarities {
	counts := make(rarities, fingerprintBuckets)
	for i := range fingerprints {
		for _, b := range set(&fingerprints[i]) {
			counts[b]++
		}
	}
	total := float64(len(fingerprints) + pseudoEntities)
	var byCount []float32 // most buckets have one of few counts
	for b, n := range counts {
		for len(byCount) <= int(n) {
			byCount = append(byCount, rarityOf(len(byCount), total, exponent))
		}
		counts[b] = byCount[int(n)]
	}
	return counts
}

// rarityOf takes what no entity has for as rare as what one has: in a small tenant
// most values of a new source are not known yet, and would drown what is.
func rarityOf(count int, total float64, exponent int) float32 {
	rarity := math.Log((total + 1) / (max(float64(count), 1) + 1))
	return float32(math.Pow(rarity, float64(exponent)))
}

// cosine is how alike two sets are, rare members first, and how much what they have in
// common tells.
func (r rarities) cosine(a, b []uint32) (cosine, common float32) {
	sizeA, sizeB := r.size(a), r.size(b)
	for i, j := 0, 0; i < len(a) && j < len(b); {
		x, y := a[i], b[j]
		if x == y {
			common += r[x]
		}
		if x <= y {
			i++
		}
		if y <= x {
			j++
		}
	}
	return ratio(common, sqrt(sizeA*sizeB)), common
}

func (r rarities) size(set []uint32) float32 {
	sum := float32(0)
	for _, x := range set {
		sum += r[x]
	}
	return sum
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
