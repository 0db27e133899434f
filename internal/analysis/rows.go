package analysis

import (
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
	for key, raw := range members {
		n.children[key] = &node{raw: raw}
	}
}

// project returns each row with nothing but the named paths in it. A dotted name
// may be a path or a key with dots; whichever the row has is kept.
func (r *rows) project(names []string) []json.RawMessage {
	projected := make([]json.RawMessage, 0, len(r.roots))
	for _, root := range r.roots {
		part := make(map[string]any)
		for _, name := range names {
			root.copyPath(name, part)
		}
		raw, err := json.Marshal(part)
		if err != nil {
			continue // a value that is no JSON can not have come out of a decoder
		}
		projected = append(projected, raw)
	}
	return projected
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
