package llm

import (
	"strings"
	"unicode"

	"github.com/schemacast/schemacast/internal/analysis"
)

// sideBySide returns the order in which the fields of an entity are shown: their own,
// but fields whose names end in the same word, such as billing_city and shipping_city,
// follow the first of them. A model tells apart what it sees together; see ConStruM in
// the literature on matching schemas.
func sideBySide(fields []analysis.QuestionField) []int {
	alike := make(map[string][]int, len(fields))
	for f, field := range fields {
		head := lastWord(field.Name)
		alike[head] = append(alike[head], f)
	}
	order := make([]int, 0, len(fields))
	for _, field := range fields {
		head := lastWord(field.Name)
		order = append(order, alike[head]...)
		delete(alike, head)
	}
	return order
}

// lastWord returns the last word of a name in snake, kebab, dotted or camel case, in
// small letters and without the digits behind it.
func lastWord(name string) string {
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
