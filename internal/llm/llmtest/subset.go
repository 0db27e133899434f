package llmtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The limits of the oldest servers that enforce schemas. Lists count as a level.
const (
	maxDepth      = 5
	maxProperties = 100
)

// allowedKeywords are those that every server with strict schemas takes.
var allowedKeywords = []string{"type", "properties", "required", "additionalProperties", "items", "enum", "description"}

// subsetProblems checks a schema against the strict subset that OpenAI documents,
// narrowed to what the other servers take as well. Only strict demands that objects are
// closed.
func subsetProblems(raw json.RawMessage, strict bool) []string {
	var root map[string]any
	if err := json.Unmarshal(raw, &root); err != nil || root["type"] != "object" {
		return []string{"the root of the schema is no object"}
	}
	w := subsetWalk{strict: strict}
	w.walk("", root, 1)
	if w.properties > maxProperties {
		w.problem("", "the schema has %d properties, more than %d", w.properties, maxProperties)
	}
	return w.problems
}

type subsetWalk struct {
	strict     bool
	properties int
	problems   []string
}

func (w *subsetWalk) problem(path, format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf("schema at %s/: ", path)+fmt.Sprintf(format, args...))
}

func (w *subsetWalk) walk(path string, node map[string]any, depth int) {
	if nested := node["type"] == "object" || node["type"] == "array"; nested && depth > maxDepth {
		w.problem(path, "nested deeper than %d levels", maxDepth)
		return
	}
	for _, keyword := range slices.Sorted(maps.Keys(node)) {
		if !slices.Contains(allowedKeywords, keyword) {
			w.problem(path, "keyword %q is outside the common subset", keyword)
		}
	}
	if _, ok := node["type"].(string); !ok {
		w.problem(path, "type is not one word")
	}
	if items, ok := node["items"].(map[string]any); ok {
		w.walk(path+"/items", items, depth+1)
	}
	if node["type"] == "object" {
		w.object(path, node, depth)
	}
}

func (w *subsetWalk) object(path string, node map[string]any, depth int) {
	if extra, ok := node["additionalProperties"].(bool); w.strict && !ok || extra {
		w.problem(path, "additionalProperties is not false")
	}
	properties, _ := node["properties"].(map[string]any)
	w.properties += len(properties)
	names := slices.Sorted(maps.Keys(properties))
	var required []string
	list, _ := node["required"].([]any)
	for _, name := range list {
		required = append(required, fmt.Sprint(name))
	}
	slices.Sort(required)
	if !slices.Equal(names, required) {
		w.problem(path, "required is not all of %s", strings.Join(names, ", "))
	}
	for _, name := range names {
		child, ok := properties[name].(map[string]any)
		if !ok {
			w.problem(path, "property %s is no schema", name)
			continue
		}
		w.walk(path+"/"+name, child, depth+1)
	}
}
