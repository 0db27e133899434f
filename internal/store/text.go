package store

import (
	"strings"
	"unicode/utf8"
)

const (
	// maxVarchar is the length in characters of most of the app's text columns.
	maxVarchar = 255
	// maxErrorText bounds an error text, in characters.
	maxErrorText = 1000
)

// clip makes a text storable: valid UTF-8, no NUL, which PostgreSQL refuses, and at
// most limit characters. It is the last guard before a paid result would be lost to
// a database error.
func clip(text string, limit int) string {
	if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
		text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
	}
	if len(text) <= limit {
		return text
	}
	count := 0
	for i := range text {
		if count == limit {
			return text[:i]
		}
		count++
	}
	return text
}
