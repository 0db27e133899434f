package match

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	shapeLen  = 32  // of a shape, in runes
	sampleCap = 512 // bytes of a sample that are looked at
)

// Shape is the pattern of a sample: letters become a or A, digits 9, spaces and
// punctuation stay, and what is longer than 32 is cut. It tells how a value is
// written without telling the value: aaa@aaa.aa, 9999-99-99. Runs keep their
// length up to 4, so that the length of a name or a text does not show.
func Shape(sample json.RawMessage) string {
	text, ok := sampleText(sample)
	if !ok {
		return ""
	}
	var b strings.Builder
	var last rune
	run, length := 0, 0
	for _, r := range text {
		class := shapeClass(r)
		if class == last {
			run++
		} else {
			last, run = class, 1
		}
		if run > 4 {
			continue
		}
		if length == shapeLen {
			break
		}
		b.WriteRune(class)
		length++
	}
	return b.String()
}

// shapeClass keeps ASCII punctuation, which is what formats are made of. Every
// other rune is told as a letter: an unusual sign could be the value itself.
func shapeClass(r rune) rune {
	switch {
	case unicode.IsDigit(r):
		return '9'
	case unicode.IsUpper(r):
		return 'A'
	case unicode.IsSpace(r):
		return ' '
	case r > ' ' && r < unicode.MaxASCII && !unicode.IsLetter(r):
		return r
	default:
		return 'a'
	}
}

// textOfJSON decodes a string.
func textOfJSON(raw json.RawMessage) (text string, ok bool) {
	if isPlain(raw) {
		return string(raw[1 : len(raw)-1]), true
	}
	err := json.Unmarshal(raw, &text)
	return text, err == nil
}

// isPlain says that a string stands for itself between its quotes, as most do.
func isPlain(raw []byte) bool {
	last := len(raw) - 1
	if last < 1 || raw[0] != '"' || raw[last] != '"' {
		return false
	}
	for _, c := range raw[1:last] {
		if c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// sampleText is a scalar sample as text; objects, lists, flags and null have none.
func sampleText(sample json.RawMessage) (string, bool) {
	sample = bytes.TrimSpace(sample)
	if len(sample) == 0 {
		return "", false
	}
	switch c := sample[0]; {
	case c == '"':
		text, ok := textOfJSON(sample)
		if !ok {
			return "", false
		}
		return text[:min(len(text), sampleCap)], text != ""
	case c == '-' || c >= '0' && c <= '9':
		return string(sample[:min(len(sample), sampleCap)]), true
	default:
		return "", false
	}
}
