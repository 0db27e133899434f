package llm

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The most runes that a prompt shows of what strangers wrote. A cut text ends with
// an ellipsis; ids, not names, carry the answer, so a cut name is still mappable.
const (
	maxName        = 128
	maxType        = 40
	maxFormat      = 48
	maxShape       = 64
	maxSample      = 64
	maxSamples     = 3
	maxAlias       = 48
	maxAliases     = 3
	maxDescription = 160
)

// The most runes that are taken from an answer.
const (
	maxIdentifier = 255 // what the app's columns hold
	maxWhy        = 200
	maxReasoning  = 600
	maxArgument   = 256
	maxFormula    = 4_000
)

// quote makes a JSON string of text that a stranger wrote: one line, cut, without
// characters that are invisible or change the direction of what follows.
func quote(s string, limit int) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)           // escapes would only blur names
	_ = encoder.Encode(visible(s, limit))  // a string always encodes
	return strings.TrimSpace(out.String()) // Encode ends the line
}

// writeQuoted writes quote(s, limit).
func writeQuoted(out *bytes.Buffer, s string, limit int) {
	if !harmless(s, limit) {
		out.WriteString(quote(s, limit))
		return
	}
	out.WriteByte('"')
	out.WriteString(s)
	out.WriteByte('"')
}

// harmless says that s is within the limit and has nothing to escape or to hide, as most
// of what stands in a prompt.
func harmless(s string, limit int) bool {
	if len(s) > limit {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// visible returns what a human sees of s, at most limit runes of it. Blanks of all
// kinds become spaces; invalid UTF-8 becomes the replacement character.
func visible(s string, limit int) string {
	if harmless(s, limit) {
		return s
	}
	var out strings.Builder
	runes := 0
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case hidden(r):
			continue
		}
		if runes == limit {
			return out.String() + "…"
		}
		out.WriteRune(r)
		runes++
	}
	return out.String()
}

// hidden holds for control characters, direction marks, zero-width and tag
// characters, variation selectors, private use and other runes without a picture.
func hidden(r rune) bool {
	if r < 0x7f {
		return r < ' ' // most are ASCII, and looking them up costs
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp,
		unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// word returns s as it is when it is a plain word such as array[string], and as a
// quoted string otherwise: also types come from rows that people edit.
func word(s string) string {
	if s == "" || len(s) > maxType {
		return quote(s, maxType)
	}
	for _, r := range s {
		if r >= utf8.RuneSelf || !unicode.IsLower(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-[]:", r) {
			return quote(s, maxType)
		}
	}
	return s
}

// cut returns the first limit runes of s, cleaned and without blanks around.
func cut(s string, limit int) string {
	s = strings.TrimSpace(visible(s, limit))
	return strings.TrimSuffix(s, "…")
}
