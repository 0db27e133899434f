package match

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/schema"
)

// sample is one value of a field, made ready for all that looks at it.
type sample struct {
	text   string
	folded string
	words  []string // of folded
}

// samplesOf are the values of a field that are looked at: first those of its own, then
// those that were learned.
func samplesOf(f *schema.Field) (all []sample, own int) {
	all = sampleTexts(nil, f.Sample, f.Samples)
	own = len(all)
	return sampleTexts(all, nil, f.Learned), own
}

// sampleTexts adds values to samples, up to maxValues.
func sampleTexts(samples []sample, first json.RawMessage, more []json.RawMessage) []sample {
	samples = addSample(samples, first)
	for _, raw := range more {
		samples = addSample(samples, raw)
	}
	return samples
}

func addSample(samples []sample, raw json.RawMessage) []sample {
	if len(samples) == maxValues {
		return samples
	}
	text, ok := sampleText(raw)
	if !ok {
		return samples
	}
	text = strings.TrimSpace(clipBytes(text, valueCap))
	if text == "" {
		return samples
	}
	folded := fold(text)
	return append(samples, sample{text: text, folded: folded, words: splitWords(folded)})
}

// beginning are the words of the first half of what a value may have.
func (s *sample) beginning() []string {
	if len(s.text) <= valueCap/2 {
		return s.words
	}
	return splitWords(fold(clipBytes(s.text, valueCap/2)))
}

func clipBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// fold makes values equal that differ in case and spaces.
func fold(s string) string {
	if isFolded(s) {
		return s
	}
	return strings.Join(strings.Fields(strings.ToLower(s)), " ")
}

// isFolded says that there is nothing to fold, which is only looked for in ASCII.
func isFolded(s string) bool {
	last := byte(' ')
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf || c < ' ' || c >= 'A' && c <= 'Z' || c == ' ' && last == ' ' {
			return false
		}
		last = c
	}
	return last != ' '
}
