package match

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/analysis/match/lexicon"
)

const (
	// maxValues of a field are looked at.
	maxValues = 12
	// valueCap is how many bytes of a value are.
	valueCap = 256
	// valueWords of all values together are compared.
	valueWords = 96
)

// values is what a field's sample values tell, without the values.
type values struct {
	whole   []uint64        // hashes of the values, sorted
	words   []uint64        // hashes of their words, sorted
	weight  float32         // of all words
	meaning *lexicon.Vector // nil when there is none
	pattern pattern
	kind    kind
	// low and high are the 10-logarithms of the smallest and largest magnitude, when
	// most values are numbers.
	low, high float32
	numbers   bool
	distinct  bool // no value stands twice
}

// kind is how the values of a field are written.
type kind uint8

const (
	kindNone  kind = iota
	kindWord       // one word
	kindText       // some words
	kindProse      // sentences
	kindCode       // letters and digits, no spaces: a key, a number plate
	kindInteger
	kindDecimal
	kindYear
	kindDate
	kindTime // a date with a time of day, or a time of day
	kindFlag
	kindURL
	kindEmail
	kindPhone
	kindUUID
	kindCount
)

// direction is what the values mean, nil when nothing is known of that.
func (v *values) direction() *lexicon.Vector {
	if v == nil {
		return nil
	}
	return v.meaning
}

// hashOf is FNV-1a, which gives the same hashes in every process, with the bits mixed
// once more: fingerprints keep the smallest.
func hashOf(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	return h ^ h>>32
}

// valuesOf returns nil when nothing is known of the values.
func valuesOf(samples []sample) *values {
	if len(samples) == 0 {
		return nil
	}
	v := &values{low: math.MaxFloat32, high: -math.MaxFloat32}
	var counts [kindCount]int
	var meaning lexicon.Vector
	numbers := 0
	for i := range samples {
		s := &samples[i]
		v.whole = append(v.whole, hashOf(s.folded))
		v.addWords(s.words, &meaning)
		v.pattern.add(s.text)
		counts[kindOf(s.text)]++
		if x, ok := numberOf(s.text); ok {
			numbers++
			magnitude := float32(math.Log10(1 + math.Abs(x)))
			v.low, v.high = min(v.low, magnitude), max(v.high, magnitude)
		}
	}
	v.distinct = distinct(&v.whole)
	distinct(&v.words)
	v.weight = totalWeight(v.words)
	v.pattern.scale(len(samples))
	v.meaning = direction(meaning)
	v.numbers = 2*numbers > len(samples)
	v.kind = mostOf(&counts)
	return v
}

func (v *values) addWords(words []string, meaning *lexicon.Vector) {
	for _, word := range words {
		if len(v.words) == valueWords {
			return
		}
		first, _ := utf8.DecodeRuneInString(word)
		if unspaced(first) {
			for _, part := range lexicon.Segment(word) {
				v.addWord(part, meaning)
			}
			continue
		}
		v.addWord(word, meaning)
	}
}

func (v *values) addWord(word string, meaning *lexicon.Vector) {
	w := lexicon.Find(word)
	v.words = append(v.words, weighted(hashOf(word), w.Rarity()))
	meaning.Add(w, w.Rarity())
}

// weighted keeps the rarity of a word within its hash, in the last byte.
func weighted(hash uint64, rarity float32) uint64 { return hash&^0xff | uint64(255*rarity) }

func weightOf(hash uint64) float32 { return float32(hash&0xff) / 255 }

// distinct sorts, drops what stands twice, and says whether nothing did.
func distinct(list *[]uint64) bool {
	n := len(*list)
	slices.Sort(*list)
	*list = slices.Compact(*list)
	return len(*list) == n
}

func mostOf(counts *[kindCount]int) kind {
	best, most := kindNone, 0
	for k := kindWord; k < kindCount; k++ {
		if counts[k] > most {
			best, most = k, counts[k]
		}
	}
	return best
}

// numberOf reads a value as a number, with thousands separated and a unit before or
// behind it: 1,090 km, $45, 12%.
func numberOf(s string) (float64, bool) {
	start := strings.IndexFunc(s, func(r rune) bool { return r >= '0' && r <= '9' })
	if start < 0 || start > 4 || strings.ContainsFunc(s[:start], unicode.IsLetter) && start > 3 {
		return 0, false
	}
	end := start
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.' || s[end] == ',') {
		end++
	}
	if rest := s[end:]; len(rest) > 1 && (rest[0] == 'e' || rest[0] == 'E') {
		if x, err := strconv.ParseFloat(s[start:], 64); err == nil {
			return x, true
		}
	}
	if strings.ContainsAny(s[end:], "0123456789") || utf8.RuneCountInString(s[end:]) > 8 {
		return 0, false
	}
	x, err := strconv.ParseFloat(strings.TrimRight(strings.ReplaceAll(s[start:end], ",", ""), "."), 64)
	return x, err == nil
}

func kindOf(s string) kind {
	switch lower := strings.ToLower(s); {
	case looksLikeEmail(s):
		return kindEmail
	case strings.HasPrefix(lower, "http://"), strings.HasPrefix(lower, "https://"), strings.HasPrefix(lower, "www."):
		return kindURL
	case lower == "true", lower == "false", lower == "yes", lower == "no", lower == "y", lower == "n":
		return kindFlag
	case isUUIDText(s):
		return kindUUID
	}
	shape := digitsAndSigns(s)
	if k := dateKind(shape); k != kindNone {
		return k
	}
	if x, ok := numberOf(s); ok {
		switch {
		case compactDate(s):
			return kindDate
		case len(s) == 4 && x >= 1500 && x <= 2100 && x == math.Trunc(x):
			return kindYear
		case x == math.Trunc(x):
			return kindInteger
		default:
			return kindDecimal
		}
	}
	return textKind(s)
}

// compactDate is about 20220315.
func compactDate(s string) bool {
	return len(s) == 8 && (s[:2] == "19" || s[:2] == "20") && s[4:6] >= "01" && s[4:6] <= "12" && s[6:] >= "01" && s[6:] <= "31"
}

func textKind(s string) kind {
	letters, digits, spaces, other := 0, 0, 0, 0
	for _, r := range s {
		switch {
		case unspaced(r):
			letters += 2 // says more than a letter does
		case unicode.IsLetter(r):
			letters++
		case unicode.IsDigit(r):
			digits++
		case unicode.IsSpace(r):
			spaces++
		default:
			other++
		}
	}
	switch {
	case letters == 0 && digits >= 6 && digits >= other:
		return kindPhone
	case letters+digits > 60 || spaces > 8:
		return kindProse
	case spaces == 0 && digits > 0 && digits+other >= letters/2:
		return kindCode
	case spaces == 0 && letters < 20:
		return kindWord
	default:
		return kindText
	}
}

func looksLikeEmail(s string) bool {
	at := strings.IndexByte(s, '@')
	return at > 0 && strings.Contains(s[at:], ".") && !strings.ContainsAny(s, " \t\n/")
}

func isUUIDText(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// digitsAndSigns writes every run of digits as its length up to 4 and every run of
// letters as a: 2022-03-27 21:25 is 4-2-2 2:2, Mar 25, 2022 is a 2, 4.
func digitsAndSigns(s string) string {
	var b strings.Builder
	runDigits, inWord := 0, false
	flush := func() {
		if runDigits > 0 {
			b.WriteByte(byte('0' + min(runDigits, 9)))
			runDigits = 0
		}
	}
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			runDigits++
			inWord = false
			continue
		case unicode.IsLetter(r):
			flush()
			if !inWord {
				b.WriteByte('a')
			}
			inWord = true
		default:
			flush()
			inWord = false
			if r < 128 {
				b.WriteByte(byte(r))
			}
		}
		if b.Len() > 32 {
			break
		}
	}
	flush()
	return b.String()
}

// dateKind recognises the usual ways to write points in time.
func dateKind(shape string) kind {
	day, rest := cutDate(shape)
	switch {
	case day && (rest == "" || rest == "." || rest == ","):
		return kindDate
	case day && strings.Contains(rest, ":"):
		return kindTime
	case strings.HasPrefix(shape, "2:2") && len(shape) <= 8, strings.HasPrefix(shape, "1:2") && len(shape) <= 8:
		return kindTime
	}
	return kindNone
}

// cutDate takes the date at the beginning of a shape off.
func cutDate(shape string) (found bool, rest string) {
	for _, date := range []string{
		"4-2-2", "4/2/2", "4/1/2", "4/2/1", "4/1/1", "4.2.2", "2-2-4", "2/2/4", "1/2/4", "2/1/4", "1/1/4", "2.2.4",
		"1.2.4", "2.1.4", "1.1.4", "2/2/2", "1/2/2", "2/1/2", "1/1/2",
		"a 2, 4", "a 1, 4", "2 a 4", "1 a 4", "2-a-4", "2-a-2", "4-1-1", "4-2-1", "4-1-2",
		"a a 2 ", "a a 1 ", "a, 2 a 4", "a, 1 a 4", "4a2a2a", "4a1a2a", "4a2a1a", "4a1a1a", "2/2 2:2",
	} {
		if tail, ok := strings.CutPrefix(shape, date); ok && (tail == "" || tail[0] < '0' || tail[0] > '9' || strings.HasSuffix(date, " ")) {
			return true, tail
		}
	}
	return false, ""
}

// unspaced is about scripts that are written without spaces between words.
func unspaced(r rune) bool {
	return r > 0x0e00 && (ideographic(r) || unicode.In(r, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar))
}
