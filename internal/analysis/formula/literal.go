package formula

import (
	"encoding/json"
	"strings"
)

// A formula is for every record, so it has no business with the values of some. A model
// that copies one has misunderstood, or was told to by a value.

// maxLiteral is the longest text in an expression, in characters.
const maxLiteral = 64

// literals are the texts of an expression that are neither names nor pictures.
func literals(n *node) []string {
	var texts []string
	if n.kind == nodeString {
		texts = append(texts, n.text)
	}
	for i, kid := range n.kids {
		isName := n.kind == nodePath && kid.kind == nodeString
		isPicture := n.kind == nodeCall && functions[n.text].picture && i == 1
		if !isName && !isPicture {
			texts = append(texts, literals(kid)...)
		}
	}
	return texts
}

// quotesSample says that a text of an expression has a value of the rows in it which
// stands for one record: an address, a long number, a sentence. Codes and words, which
// formulas compare with and translate, do not.
func quotesSample(texts []string, samples []sample) bool {
	var suspects []string
	for _, text := range texts {
		if identifies(text) {
			suspects = append(suspects, strings.ToLower(text))
		}
	}
	if len(suspects) == 0 {
		return false
	}
	for _, s := range samples {
		for _, value := range s {
			if anyValue(value, func(text string) bool { return within(suspects, text) }) {
				return true
			}
		}
	}
	return false
}

func within(suspects []string, value string) bool {
	value = strings.ToLower(strings.TrimSpace(value))
	if !identifies(value) {
		return false
	}
	for _, suspect := range suspects {
		if strings.Contains(suspect, value) {
			return true
		}
	}
	return false
}

func identifies(text string) bool {
	digits := 0
	for i := range len(text) {
		if isDigit(text[i]) {
			digits++
		}
	}
	return len(text) >= 6 && (digits >= 4 || strings.Contains(text, "@")) || len(text) > 32
}

// anyValue says whether is holds for a text or number anywhere in a value.
func anyValue(value json.RawMessage, is func(string) bool) bool {
	decoder := json.NewDecoder(strings.NewReader(string(value)))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		switch t := token.(type) {
		case string:
			if is(t) {
				return true
			}
		case json.Number:
			if is(t.String()) {
				return true
			}
		}
	}
}
