package analysis

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxName is the length of the app's columns for names and paths, in characters.
	maxName = 255
	// maxWhy bounds the sentences of a model, in characters.
	maxWhy = 240
	// maxReasoning bounds the reasoning of a decision, in characters.
	maxReasoning = 600
)

// storable says that a name can be written to the database as it stands. A name is
// never cut: a cut path names another field, or none.
func storable(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsRune(name, 0) &&
		utf8.RuneCountInString(name) <= maxName
}

// shown makes a name that is not storable fit to be reported.
func shown(name string) string {
	return clip(strings.ReplaceAll(strings.ToValidUTF8(name, "\uFFFD"), "\x00", ""), maxName)
}

// plain makes one line of plain text of what a stranger wrote: no control, format
// or bidirectional characters, blanks collapsed, cut to limit characters.
func plain(text string, limit int) string {
	if isPlain(text, limit) {
		return text
	}
	var b strings.Builder
	blank := false
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			blank = true
			continue
		case r == utf8.RuneError, unicode.Is(unicode.C, r):
			continue
		}
		if blank && b.Len() > 0 {
			b.WriteByte(' ')
		}
		blank = false
		b.WriteRune(r)
	}
	return clip(b.String(), limit)
}

// isPlain says that plain would change nothing, of most texts: printable ASCII with single
// spaces, none in front or behind.
func isPlain(text string, limit int) bool {
	if len(text) > limit {
		return false
	}
	space := true // as behind one
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c > '~' || c == ' ' && space {
			return false
		}
		space = c == ' '
	}
	return !space || text == ""
}

func clip(text string, limit int) string {
	if len(text) <= limit || utf8.RuneCountInString(text) <= limit {
		return text
	}
	return strings.TrimSpace(string([]rune(text)[:limit]))
}
