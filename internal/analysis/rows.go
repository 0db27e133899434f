package analysis

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// rows are the sample rows of a schema. A formula runs on the part of a row that
// its sources name: decoding all of a row of 5,000 fields for each of 5,000
// formulas would take minutes.
type rows struct {
	roots []*node
}

// node is a value of a row. Objects are opened when they are first looked into.
type node struct {
	raw      json.RawMessage
	opened   bool
	children map[string]*node // nil unless the value is an object
}

func newRows(list []json.RawMessage) *rows {
	r := &rows{}
	for _, raw := range list {
		n := &node{raw: raw}
		if n.open(); n.children != nil {
			r.roots = append(r.roots, n)
		}
	}
	return r
}

func (n *node) open() {
	if n.opened {
		return
	}
	n.opened = true
	var members map[string]json.RawMessage
	if len(n.raw) == 0 || n.raw[0] != '{' || json.Unmarshal(n.raw, &members) != nil {
		return
	}
	n.children = make(map[string]*node, len(members))
	nodes := make([]node, 0, len(members)) // as one allocation; they live as long as their parent
	for key, raw := range members {
		nodes = append(nodes, node{raw: raw})
		n.children[key] = &nodes[len(nodes)-1]
	}
}

// project returns each row with nothing but the named paths in it, read as far as its own
// keys. A dotted name may be a path or a key with dots; whichever the row has is kept.
func (r *rows) project(names []string) []map[string]json.RawMessage {
	projected := make([]map[string]json.RawMessage, 0, len(r.roots))
	for _, root := range r.roots {
		if part, ok := root.project(names); ok {
			projected = append(projected, part)
		}
	}
	return projected
}

func (n *node) project(names []string) (map[string]json.RawMessage, bool) {
	part := make(map[string]json.RawMessage, len(names))
	if !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, ".") }) {
		for _, name := range names {
			if child, ok := n.children[name]; ok {
				part[name] = child.raw
			}
		}
		return part, true
	}
	if len(names) == 1 {
		if key, raw := n.nested(names[0]); raw != nil {
			part[key] = raw
			return part, true
		}
	}
	values := make(map[string]any, len(names))
	for _, name := range names {
		n.copyPath(name, values)
	}
	for key, value := range values {
		raw, whole := value.(json.RawMessage)
		if !whole {
			var err error
			if raw, err = json.Marshal(value); err != nil {
				return nil, false // a value that is no JSON can not have come out of a decoder
			}
		}
		part[key] = raw
	}
	return part, true
}

// nested is what copyPath copies, encoded, of a path that leads to a value through objects
// alone, by keys that JSON has as they are; nil of any other.
func (n *node) nested(path string) (first string, raw json.RawMessage) {
	first, _, _ = strings.Cut(path, ".")
	var out []byte
	for depth := 0; ; depth++ {
		key, rest, dotted := strings.Cut(path, ".")
		child, ok := n.children[key]
		if !ok || !plainKey(key) || n.hasDotted(path, len(key)+1) {
			return first, nil
		}
		if depth > 0 {
			out = append(append(append(out, `{"`...), key...), `":`...)
		}
		if !dotted {
			out = append(out, child.raw...)
			return first, append(out, strings.Repeat("}", depth)...)
		}
		if child.open(); child.children == nil {
			return first, nil
		}
		n, path = child, rest
	}
}

// hasDotted says that an object has a key which is a longer part of path than its first one.
func (n *node) hasDotted(path string, from int) bool {
	for at := from; at <= len(path); at++ {
		if at == len(path) || path[at] == '.' {
			if _, ok := n.children[path[:at]]; ok {
				return true
			}
		}
	}
	return false
}

func plainKey(key string) bool {
	for i := range len(key) {
		if c := key[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func (n *node) copyPath(path string, into map[string]any) {
	if child, ok := n.children[path]; ok {
		into[path] = child.raw
	}
	for at := range len(path) {
		if path[at] != '.' {
			continue
		}
		key := path[:at]
		child, ok := n.children[key]
		if !ok {
			continue
		}
		child.open()
		if child.children == nil {
			into[key] = child.raw // a list on the way, or nothing where a path should go on
			continue
		}
		inner, ok := into[key].(map[string]any)
		if !ok {
			if _, whole := into[key]; whole {
				continue
			}
			inner = make(map[string]any)
			into[key] = inner
		}
		child.copyPath(path[at+1:], inner)
	}
}

// values returns up to limit different values of a field as text, each cut to 64
// characters.
func (r *rows) values(name string, limit int) []string {
	var found []string
	seen := make(map[string]bool)
	for _, root := range r.roots {
		n := root.find(name)
		if n == nil {
			continue
		}
		if text := scalarText(n.raw); text != "" && !seen[text] && len(found) < limit {
			seen[text] = true
			found = append(found, clip(text, 64))
		}
	}
	return found
}

// maxScalar bounds a value that the matcher looks at, in bytes.
const maxScalar = 256

// scalars returns up to limit different scalar values of a field as JSON.
func (r *rows) scalars(name string, limit int) []json.RawMessage {
	var found []json.RawMessage
	for _, root := range r.roots {
		n := root.find(name)
		if n == nil || len(found) == limit || len(n.raw) > maxScalar || scalarText(n.raw) == "" {
			continue
		}
		if !slices.ContainsFunc(found, func(have json.RawMessage) bool { return string(have) == string(n.raw) }) {
			found = append(found, n.raw)
		}
	}
	return found
}

func (n *node) find(path string) *node {
	if child, ok := n.children[path]; ok {
		return child
	}
	key, rest, dotted := strings.Cut(path, ".")
	child, ok := n.children[key]
	if !dotted || !ok {
		return nil
	}
	child.open()
	return child.find(rest)
}

// scalarText is a scalar as a person would write it, empty for anything else.
func scalarText(raw json.RawMessage) string {
	if text, ok := plainScalar(raw); ok {
		return text
	}
	return decodedScalar(raw)
}

func decodedScalar(raw json.RawMessage) string {
	var value any
	if len(raw) > 4096 || json.Unmarshal(raw, &value) != nil {
		return ""
	}
	switch value := value.(type) {
	case string:
		return strings.TrimSpace(value)
	case float64, bool:
		return strings.TrimSpace(string(raw))
	default:
		return ""
	}
}

// plainScalar is scalarText for most values, which need no decoding: texts of printable
// ASCII without escapes, and numbers without an exponent that are not long. It is false for
// all others.
func plainScalar(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || len(raw) > maxScalar {
		return "", false
	}
	if raw[0] != '"' {
		if !plainNumber(raw) {
			return "", false
		}
		return string(raw), true
	}
	inner := raw[1:]
	for i, b := range inner {
		if b == '"' {
			return strings.TrimSpace(string(inner[:i])), i == len(inner)-1
		}
		if b < ' ' || b > '~' || b == '\\' {
			return "", false
		}
	}
	return "", false
}

// plainNumber says that raw is digits, with a sign before and a fraction behind them.
func plainNumber(raw []byte) bool {
	const longest = 20 // far from what a float can not hold
	whole, fraction, dotted := bytes.Cut(bytes.TrimPrefix(raw, []byte("-")), []byte("."))
	return len(raw) <= longest && onlyDigits(whole) && (whole[0] != '0' || len(whole) == 1) && (!dotted || onlyDigits(fraction))
}

func onlyDigits(text []byte) bool {
	for _, b := range text {
		if b < '0' || b > '9' {
			return false
		}
	}
	return len(text) > 0
}
