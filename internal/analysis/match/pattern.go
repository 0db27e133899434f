package match

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pattern says how values are written: which characters they are made of, and how
// long they are. Two fields of the same meaning from two sources rarely share values,
// but they share this.
type pattern [patternSize]float32

const (
	patternDigits = iota
	patternLower
	patternUpper
	patternOther // letters of scripts without cases
	patternSpaces
	patternMarks // punctuation and symbols
	patternLength
	patternWords
	patternSlashes
	patternDots
	patternDashes
	patternCommas
	patternColons
	patternMoney
	patternPercent
	patternLeadingUpper
	patternSize
)

func (p *pattern) add(s string) {
	runes := utf8.RuneCountInString(s)
	if runes == 0 {
		return
	}
	var counts pattern
	for _, r := range s {
		counts[classOf(r)]++
	}
	for class := patternDigits; class <= patternMarks; class++ {
		p[class] += counts[class] / float32(runes)
	}
	p[patternLength] += float32(math.Log2(float64(1+runes))) / 4
	p[patternWords] += min(float32(strings.Count(s, " ")+1), 8) / 8
	has := func(class int, chars string) {
		if strings.ContainsAny(s, chars) {
			p[class]++
		}
	}
	has(patternSlashes, "/")
	has(patternDots, ".")
	has(patternDashes, "-")
	has(patternCommas, ",")
	has(patternColons, ":")
	has(patternMoney, "$€£¥₹")
	has(patternPercent, "%")
	if first, _ := utf8.DecodeRuneInString(s); unicode.IsUpper(first) {
		p[patternLeadingUpper]++
	}
}

func classOf(r rune) int {
	switch {
	case unicode.IsDigit(r):
		return patternDigits
	case unicode.IsUpper(r):
		return patternUpper
	case unicode.IsLower(r):
		return patternLower
	case unicode.IsLetter(r), unicode.IsMark(r):
		return patternOther
	case unicode.IsSpace(r):
		return patternSpaces
	default:
		return patternMarks
	}
}

func (p *pattern) scale(n int) {
	for i := range p {
		p[i] /= float32(n)
	}
}

// patternWeights: what values are made of and how long they are tells most.
var patternWeights = pattern{
	patternDigits: 1, patternLower: 0.6, patternUpper: 0.6, patternOther: 0.6, patternSpaces: 0.6, patternMarks: 0.8,
	patternLength: 1, patternWords: 0.5, patternSlashes: 0.2, patternDots: 0.2, patternDashes: 0.2, patternCommas: 0.15,
	patternColons: 0.2, patternMoney: 0.5, patternPercent: 0.5, patternLeadingUpper: 0.15,
}

// like is 1 for equal patterns and falls towards 0.
func (p *pattern) like(other *pattern) float32 {
	distance := float32(0)
	for i := range p {
		distance += patternWeights[i] * abs(p[i]-other[i])
	}
	return float32(math.Exp(-1.5 * float64(distance)))
}

// abs is max(x, -x) without a branch.
func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }
