package analysis

import (
	"index/suffixarray"
	"strings"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/schema"
)

const (
	// tellingValue is the length in characters from which a value found in a text is
	// taken for a quotation.
	tellingValue = 4
	// valuesPerField is how many values of a field are looked for.
	valuesPerField = sampleRows
)

// withoutValues returns text, or instead when text quotes a sample value: a model
// that was shown values, or an engine's message, could carry one into results and
// events.
func (s *source) withoutValues(text, instead string) string {
	lower := strings.ToLower(text)
	for _, value := range s.quotable() {
		if strings.Contains(lower, value) {
			return instead
		}
	}
	return text
}

// quotable are the sample values in small letters, without those that are words of
// the schema itself: "active" in a sentence about the field active is no leak.
func (s *source) quotable() []string {
	if s.values != nil {
		return s.values
	}
	names := make([]string, 0, len(s.fields))
	for _, f := range s.fields {
		names = append(names, strings.ToLower(f.Name)+" "+strings.ToLower(f.Type))
	}
	known := vocabularyOf(strings.Join(names, " "))
	s.values = []string{}
	seen := make(map[string]bool)
	for _, f := range s.fields {
		for _, value := range append(s.rows.values(f.Name, valuesPerField), sampleValue(f)...) {
			value = strings.ToLower(value)
			if seen[value] || utf8.RuneCountInString(value) < tellingValue {
				continue
			}
			seen[value] = true
			if !known(value) {
				s.values = append(s.values, value)
			}
		}
	}
	return s.values
}

// indexedVocabulary is from how many bytes on an index pays.
const indexedVocabulary = 4 << 10

// vocabularyOf says of a value whether it stands in the words: with an index where they are
// many, since a wide schema has 25,000 values to look up in 100 KB of names.
func vocabularyOf(words string) func(value string) bool {
	if len(words) < indexedVocabulary {
		return func(value string) bool { return strings.Contains(words, value) }
	}
	index := suffixarray.New([]byte(words))
	return func(value string) bool { return index.Lookup([]byte(value), 1) != nil }
}

func sampleValue(f schema.Field) []string {
	if text := scalarText(f.Sample); text != "" {
		return []string{clip(text, 64)}
	}
	return nil
}
