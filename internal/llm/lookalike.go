package llm

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/analysis"
)

// sideBySide returns the order in which the fields of an entity are shown: their own,
// but fields whose names end in the same word, such as billing_city and shipping_city,
// follow the first of them. A model tells apart what it sees together; see ConStruM in
// the literature on matching schemas.
func sideBySide(fields []analysis.QuestionField) []int {
	heads := make([]string, len(fields))
	for f, field := range fields {
		heads[f] = lastWord(field.Name)
	}
	order, placed := make([]int, 0, len(fields)), make([]bool, len(fields))
	for f, head := range heads {
		if placed[f] {
			continue
		}
		for g := f; g < len(heads); g++ { // a question shows some dozens of fields, 120 at most
			if heads[g] == head {
				placed[g] = true
				order = append(order, g)
			}
		}
	}
	return order
}

// lastWord returns the last word of a name in snake, kebab, dotted or camel case, in
// small letters and without the digits behind it.
func lastWord(name string) string {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return lastWordOfRunes(name)
		}
	}
	end := len(name)
	for end > 0 && !isLetter(name[end-1]) {
		end--
	}
	start := end
	for start > 0 && isLetter(name[start-1]) {
		start--
		if isUpper(name[start]) && start > 0 && isLetter(name[start-1]) && !isUpper(name[start-1]) {
			break
		}
	}
	return strings.ToLower(name[start:end])
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

func isLetter(c byte) bool { return isUpper(c) || c >= 'a' && c <= 'z' }

// lastWordOfRunes is lastWord for all alphabets.
func lastWordOfRunes(name string) string {
	runes := []rune(strings.TrimRightFunc(name, func(r rune) bool { return !unicode.IsLetter(r) }))
	start := len(runes)
	for start > 0 && unicode.IsLetter(runes[start-1]) {
		start--
		upper := unicode.IsUpper(runes[start])
		if upper && start > 0 && unicode.IsLower(runes[start-1]) {
			break
		}
	}
	return strings.ToLower(string(runes[start:]))
}
