package schema

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNameRunes is the width of the app's column field_path.
const maxNameRunes = 255

// badName says why a field can not be stored or addressed, "" when it can. key is
// the field's own key in its object, path the dotted name that it would get.
func badName(key string, path []byte) string {
	switch {
	case strings.TrimSpace(key) == "":
		return "the name is empty"
	case strings.ContainsFunc(key, unicode.IsControl):
		return "the name holds a control character"
	case strings.ContainsRune(key, utf8.RuneError):
		return "the name is not valid Unicode"
	case utf8.RuneCount(path) > maxNameRunes:
		return fmt.Sprintf("the name has more than %d characters", maxNameRunes)
	}
	return ""
}

// namesTime says whether the last part of a field's name speaks of a point in
// time: created_at, eventTime, ts.
func namesTime(name string) bool {
	words := nameWords(name[strings.LastIndexByte(name, '.')+1:])
	for i, word := range words {
		switch word {
		case "timestamp", "ts", "epoch", "unix", "unixtime", "time":
			return true
		case "at":
			if i > 0 && i == len(words)-1 {
				return true
			}
		}
	}
	return false
}

// nameWords splits a name at everything but letters and digits, and before a
// capital that follows a small letter, into words in lower case.
func nameWords(name string) []string {
	var b strings.Builder
	previous := ' '
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			b.WriteByte(' ')
		case unicode.IsUpper(r) && unicode.IsLower(previous):
			b.WriteByte(' ')
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(unicode.ToLower(r))
		}
		previous = r
	}
	return strings.Fields(b.String())
}
