package metrics

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// Every code that package run has is a known label.
func TestCodesAreComplete(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, kind string
		known      []string
	}{
		{"../run/ports.go", "Code", codes}, {"../run/ports.go", "OutcomeState", outcomes}, {"../run/observe.go", "Refusal", refusals},
		{"../run/classify.go", "class", classes}, {"../llm/observe.go", "Limit", limits}, {"../analysis/ports.go", "ModelErrorKind", modelErrors},
	} {
		values := constants(t, c.file, c.kind)
		if len(values) == 0 {
			t.Errorf("%s has no constants of type %s", c.file, c.kind)
		}
		for _, value := range values {
			if !slices.Contains(c.known, value) {
				t.Errorf("%s %q of %s is not a known label", c.kind, value, c.file)
			}
		}
	}
}

// constants are the values of the constants of a type in a file.
func constants(t *testing.T, file, kind string) (values []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		name, named := spec.Type.(*ast.Ident)
		literal, text := spec.Values[0].(*ast.BasicLit)
		if named && text && name.Name == kind {
			value, _ := strconv.Unquote(literal.Value)
			values = append(values, value)
		}
		return true
	})
	return values
}
