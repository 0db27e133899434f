package match

import (
	"math"
	"math/bits"
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
	// What either set tells, by the rarities of an index: see Index.measure.
	wordSize, gramSize float32
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
	f.addName(name)
	for _, alias := range field.Aliases[:min(len(field.Aliases), maxAliases)] {
		f.addName(nameOf(alias).text.words)
	}
	if field.Description != "" {
		f.add(splitWords(fold(clipBytes(field.Description, 2*valueCap))))
	}
}

func (f *fingerprint) addName(name []word) {
	words := make([]string, len(name))
	for i := range name {
		words[i] = name[i].Text
	}
	f.add(words)
}

// addOwnValues adds the values of a field, but not those that were learned: they tell
// the sources apart more than the entities.
func (f *fingerprint) addOwnValues(field *schema.Field) {
	if len(f.grams) > 8*fingerprintSize {
		return
	}
	f.addValues(sampleTexts(nil, field.Sample, field.Samples))
}

func (f *fingerprint) addValues(samples []sample) {
	for i := range samples {
		f.valued = true
		f.add(samples[i].beginning())
	}
}

func (f *fingerprint) bound() { f.words, f.grams = bounded(f.words), bounded(f.grams) }

func (f *fingerprint) keepSmallest() { f.words, f.grams = smallest(f.words), smallest(f.grams) }

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
	all.keepSmallest()
	return all
}

// textOf is the fingerprint of the names and descriptions alone.
func textOf(fields []schema.Field, profiles []Profile) fingerprint {
	var f fingerprint
	for i := range fields {
		f.addText(&fields[i], profiles[i].name.words)
	}
	f.keepSmallest()
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
	for gram := range gramsOf("^" + strings.Join(words, " ") + "$") {
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

// smallest is bounded of many buckets: to sort them would take longer than to look at
// which of all there are.
func smallest(buckets []uint32) []uint32 {
	var in [fingerprintBuckets / 64]uint64
	for _, b := range buckets {
		in[b/64] |= 1 << (b % 64)
	}
	sorted := make([]uint32, 0, min(len(buckets), fingerprintSize))
	for i, set := range in {
		for ; set != 0; set &= set - 1 {
			if len(sorted) == fingerprintSize {
				return sorted
			}
			sorted = append(sorted, uint32(64*i+bits.TrailingZeros64(set)))
		}
	}
	return sorted
}

// rarities says, by bucket, how much it tells that an entity has it. In a small tenant few
// buckets are of several entities, and a table of all would be most of its index.
type rarities struct {
	usual   float32            // of what none or one of the entities has
	several map[uint32]float32 // of what several have, while these are few
	all     []float32          // by bucket, when they are many; nil otherwise
}

// manyBuckets is from how many on a map would take more than the table.
const manyBuckets = fingerprintBuckets / 16

func (r *rarities) of(bucket uint32) float32 {
	if r.all != nil {
		return r.all[bucket]
	}
	if rarity, ok := r.several[bucket]; ok {
		return rarity
	}
	return r.usual
}

const (
	// wordExponent and gramExponent say how much more a rare member tells than a frequent
	// one. A word that few entities have names what the entity is about; of trigrams even
	// rare ones are parts of many words.
	wordExponent = 4
	gramExponent = 2
)

func raritiesOf(fingerprints []fingerprint, exponent int, set func(*fingerprint) []uint32) rarities {
	counts := make(map[uint32]int32)
	for i := range fingerprints {
		for _, b := range set(&fingerprints[i]) {
			counts[b]++
		}
	}
	total := float64(len(fingerprints) + pseudoEntities)
	usual := rarityOf(1, total, exponent)
	r := rarities{usual: usual, several: make(map[uint32]float32)}
	byCount := []float32{usual, usual} // most buckets have one of few counts
	for b, n := range counts {
		for len(byCount) <= int(n) {
			byCount = append(byCount, rarityOf(len(byCount), total, exponent))
		}
		if n > 1 {
			r.several[b] = byCount[n]
		}
	}
	if len(r.several) > manyBuckets {
		r.tabulate()
	}
	return r
}

func (r *rarities) tabulate() {
	r.all = make([]float32, fingerprintBuckets)
	for b := range r.all {
		r.all[b] = r.usual
	}
	for b, rarity := range r.several {
		r.all[b] = rarity
	}
	r.several = nil
}

// rarityOf takes what no entity has for as rare as what one has: in a small tenant
// most values of a new source are not known yet, and would drown what is.
func rarityOf(count int, total float64, exponent int) float32 {
	rarity := math.Log((total + 1) / (max(float64(count), 1) + 1))
	return float32(math.Pow(rarity, float64(exponent)))
}

// ofAll are the rarities of a set.
func (r *rarities) ofAll(set []uint32) []float32 {
	all := make([]float32, len(set))
	for i, x := range set {
		all[i] = r.of(x)
	}
	return all
}

// cosine is how alike two sets are, rare members first, and how much what they have in
// common tells. Their sizes come with them, and the rarities of a.
func cosine(a, b []uint32, rarities []float32, sizeA, sizeB float32) (cosine, common float32) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		x, y := a[i], b[j]
		if x == y {
			common += rarities[i]
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

// size is what a set tells.
func (r *rarities) size(set []uint32) float32 {
	sum := float32(0)
	for _, x := range set {
		sum += r.of(x)
	}
	return sum
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
