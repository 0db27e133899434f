package formula

import (
	"encoding/json"
	"slices"
	"strings"
)

// A source's name is a dotted path, but a dot may also stand for itself: a CSV
// header can be "a.b". The rule, where sample rows are at hand: the reading that a
// row has, and of several the one with the longest key first. Without rows, or
// where none has the field: every dot nests, unless a part would be blank or begin
// or end with a space ("No.", "Mr. Smith"), which makes the whole name one key.

// keysOf returns the keys that lead to a source in a row.
func keysOf(name string, samples []sample) []string {
	for _, s := range samples {
		if keys := lead(s, name, 1); keys != nil {
			return keys
		}
	}
	keys := strings.Split(name, ".")
	if slices.ContainsFunc(keys, func(key string) bool { return key == "" || strings.TrimSpace(key) != key }) {
		return []string{name}
	}
	return keys
}

// lead finds the keys of name in an object, nil when it is not there.
func lead(object map[string]json.RawMessage, name string, depth int) []string {
	for end := len(name); end > 0; end-- { // no field has an empty key
		if end < len(name) && name[end] != '.' {
			continue
		}
		value, ok := object[name[:end]]
		switch {
		case !ok:
		case end == len(name):
			return []string{name}
		case depth < maxDepth:
			if rest := leadInside(value, name[end+1:], depth+1); rest != nil {
				return append([]string{name[:end]}, rest...)
			}
		}
	}
	return nil
}

func leadInside(value json.RawMessage, name string, depth int) []string {
	var object map[string]json.RawMessage
	if json.Unmarshal(value, &object) == nil {
		return lead(object, name, depth)
	}
	var list []map[string]json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		return nil
	}
	for _, element := range list[:min(len(list), maxValueItems)] {
		if keys := lead(element, name, depth); keys != nil {
			return keys
		}
	}
	return nil
}

var reserved = []string{"and", "or", "in", "true", "false", "null", "function"}

// isPlainName says that JSONata takes a key as it is for a name.
func isPlainName(key string) bool {
	for i := range len(key) {
		switch c := key[i]; {
		case c == '_', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case i > 0 && isDigit(c):
		default:
			return false
		}
	}
	return key != "" && !slices.Contains(reserved, key)
}

// path writes keys as JSONata: plain names as they are, others in backticks, and
// those with a backtick, for which backticks have no escape, as texts, which are
// names when they stand in a path.
func path(keys []string) string {
	var b strings.Builder
	for i, key := range keys {
		if i > 0 {
			b.WriteByte('.')
		}
		switch {
		case isPlainName(key):
			b.WriteString(key)
		case !strings.Contains(key, "`"):
			b.WriteString("`" + key + "`")
		default:
			if i == 0 {
				b.WriteString("$.")
			}
			b.WriteString(quote(key))
		}
	}
	return b.String()
}

// quote writes s as a literal text, which JSON and JSONata write alike.
func quote(s string) string { return string(textJSON(s)) }
