package match

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Token is one word of a field's name.
type Token struct {
	// Text is the word: lower case, singular, spelled out.
	Text string
	// Concept is the word that stands for all words of the same meaning, Text itself
	// mostly.
	Concept string
	// Weight is how much the word counts by its place in the name, 0 to 1: parents
	// of a dotted path and digits count less.
	Weight float64
}

const (
	parentWeight = 0.5  // order. in order.total
	digitWeight  = 0.15 // 2 in address_2: tells two apart, proves nothing
	maxTokens    = 24   // a name beyond is text, not a name
	maxNameBytes = 1024 // of a name are looked at; nothing longer can be stored
	maxCompound  = 32   // bytes of a word that is cut in two
)

// Tokens cuts the name of a field into words. It understands snake_case, camelCase,
// dotted paths, common abbreviations, words written together and names of several
// words for one thing; Han, Kana and Hangul runs become overlapping pairs of
// characters.
func Tokens(name string) []Token {
	segments := strings.Split(name[:min(len(name), maxNameBytes)], ".")
	tokens := make([]Token, 0, 4)
	for i, segment := range segments {
		weight := 1.0
		if i < len(segments)-1 {
			weight = parentWeight
		}
		for _, text := range spelled(segment) {
			tokens = append(tokens, tokenOf(text, weight))
		}
		if len(tokens) > maxTokens {
			return tokens[:maxTokens]
		}
	}
	return tokens
}

// Words are the texts of Tokens.
func Words(name string) []string {
	tokens := Tokens(name)
	texts := make([]string, len(tokens))
	for i, t := range tokens {
		texts[i] = t.Text
	}
	return texts
}

// spelled are the words of one part of a path, spelled out.
func spelled(segment string) []string {
	var texts []string
	for _, word := range splitWords(segment) {
		first, _ := utf8.DecodeRuneInString(word)
		switch {
		case unicode.IsDigit(first):
			texts = append(texts, word)
		case ideographic(first):
			texts = append(texts, bigrams(word)...)
		default:
			texts = append(texts, expand(word)...)
		}
	}
	return rephrase(texts)
}

// rephrase replaces runs of words that have a usual name, the longest run first.
func rephrase(texts []string) []string {
	for i := range texts {
		for n := min(maxPhrase, len(texts)-i); n > 1; n-- {
			if usual, ok := phrases[strings.Join(texts[i:i+n], " ")]; ok {
				return slices.Concat(texts[:i], usual, rephrase(texts[i+n:]))
			}
		}
	}
	return texts
}

func tokenOf(text string, weight float64) Token {
	if isNumber(text) {
		weight *= digitWeight
	}
	concept, ok := concepts[text]
	if !ok {
		concept = text
	}
	return Token{Text: text, Concept: concept, Weight: weight}
}

// splitWords cuts at every change of character class, at the humps of camelCase and
// behind a run of capitals (URLPath -> url, path). The words are lower case.
func splitWords(s string) []string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return splitRunes(s)
		}
	}
	return splitBytes(s)
}

// splitBytes is splitRunes of ASCII, which most text is.
func splitBytes(s string) []string {
	var found []string
	start := 0
	for i := range len(s) {
		switch {
		case !isLower(s[i]) && !isUpper(s[i]) && !isDigit(s[i]):
			found = appendLower(found, s[start:i])
			start = i + 1
		case i > start && byteBoundary(s, i):
			found = appendLower(found, s[start:i])
			start = i
		}
	}
	return appendLower(found, s[start:])
}

func appendLower(found []string, word string) []string {
	if word == "" {
		return found
	}
	return append(found, strings.ToLower(word))
}

func byteBoundary(s string, i int) bool {
	if isDigit(s[i-1]) != isDigit(s[i]) {
		return true
	}
	return isUpper(s[i]) && (isLower(s[i-1]) || i+1 < len(s) && isLower(s[i+1]))
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

func splitRunes(s string) []string {
	var found []string
	runes := []rune(s)
	start := 0
	cut := func(end int) {
		if end > start {
			found = append(found, strings.ToLower(string(runes[start:end])))
		}
		start = end
	}
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			cut(i)
			start = i + 1
			continue
		}
		if i > start && boundary(runes, i) {
			cut(i)
		}
	}
	cut(len(runes))
	return found
}

func boundary(runes []rune, i int) bool {
	before, r := runes[i-1], runes[i]
	if unicode.IsMark(r) {
		return false
	}
	if unicode.IsDigit(before) != unicode.IsDigit(r) || ideographic(before) != ideographic(r) {
		return true
	}
	if !unicode.IsUpper(r) {
		return false
	}
	return unicode.IsLower(before) || i+1 < len(runes) && unicode.IsLower(runes[i+1])
}

func ideographic(r rune) bool {
	return r >= 0x1100 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

func bigrams(word string) []string {
	runes := []rune(word)
	if len(runes) < 3 {
		return []string{word}
	}
	grams := make([]string, 0, len(runes)-1)
	for i := range len(runes) - 1 {
		grams = append(grams, string(runes[i:i+2]))
	}
	return grams
}

// expand spells out a word: abbreviation, compound, plural.
func expand(word string) []string {
	if long, ok := abbreviations[word]; ok {
		return long
	}
	single := singular(word)
	if long, ok := abbreviations[single]; ok {
		return long
	}
	if known(word) || known(single) {
		return []string{single}
	}
	if parts := compound(word); parts != nil {
		return parts
	}
	return []string{single}
}

// compound cuts a word in two known ones. Short parts are refused, since half of
// all words end in "at" or begin with "in".
func compound(word string) []string {
	if len(word) > maxCompound {
		return nil
	}
	for at := len(word) - 2; at >= 3; at-- {
		head, tail := word[:at], word[at:]
		if !utf8.ValidString(head) || !known(head) {
			continue
		}
		if long, ok := abbreviations[tail]; ok && len(tail) > 2 {
			return append([]string{head}, long...)
		}
		if tail == "id" || tail == "no" || len(tail) > 2 && known(singular(tail)) {
			return append([]string{head}, expand(tail)...)
		}
	}
	return nil
}

// singular undoes the common English plurals. It is a rule, not a dictionary: what
// matters is that both sides are treated alike.
func singular(word string) string {
	n := len(word)
	switch {
	case n < 4 || !strings.HasSuffix(word, "s"):
		return word
	case strings.HasSuffix(word, "ss"), strings.HasSuffix(word, "us"), strings.HasSuffix(word, "is"):
		return word
	case strings.HasSuffix(word, "ies") && n > 4:
		return word[:n-3] + "y"
	case strings.HasSuffix(word, "sses"), strings.HasSuffix(word, "xes"),
		strings.HasSuffix(word, "ches"), strings.HasSuffix(word, "shes"):
		return word[:n-2]
	case strings.HasSuffix(word, "news"), strings.HasSuffix(word, "series"):
		return word
	default:
		return word[:n-1]
	}
}

// Canonical spells a field's name out as the words of a canonical name: as Tokens,
// but plurals stay, since a list is named by one. Digits at the end are dropped.
func Canonical(name string) []string {
	found := Spelled(name)
	for len(found) > 1 && isNumber(found[len(found)-1]) {
		found = found[:len(found)-1]
	}
	return found
}

// Spelled is Canonical with the digits: they tell the fields of a numbered group
// apart.
func Spelled(name string) []string {
	var found []string
	for segment := range strings.SplitSeq(name[:min(len(name), maxNameBytes)], ".") {
		spelled := 0 // words that the one before was spelled out into
		for _, word := range splitWords(segment) {
			if spelled > 1 && found[len(found)-1] == word {
				continue // postal_code: "postal" alone says both words already
			}
			words := canonicalWord(word)
			found, spelled = append(found, words...), len(words)
		}
	}
	return found
}

func canonicalWord(word string) []string {
	if long, ok := abbreviations[word]; ok {
		return long
	}
	if !known(word) && !known(singular(word)) {
		if parts := compound(word); parts != nil {
			return parts
		}
	}
	return []string{word}
}

func isNumber(word string) bool {
	first, _ := utf8.DecodeRuneInString(word)
	return unicode.IsDigit(first)
}

// Singular is the rule for plurals that Tokens uses, for names of entities.
func Singular(word string) string { return singular(word) }

// Generic says that a word stands in every table and names nothing by itself.
func Generic(word string) bool { return generic[word] || len([]rune(word)) < 2 || isNumber(word) }
