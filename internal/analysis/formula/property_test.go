package formula

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/schemacast/schemacast/internal/schema"
)

// fieldName draws a name that detection would keep.
func fieldName(t *rapid.T) string {
	name := rapid.OneOf(
		rapid.SampledFrom([]string{"and", "or", "in", "true", "null", "function", "λ", "a.b", "a..b", ".", "a.", "No.", "Mr. Smith", "weird`name", "`", "a.`b", "`a.b",
			"first name", "2nd", "$price", "$", "$$", "größe", `quo"te`, `back\slash`, "tab\u00a0", "items[0].sku", "x/*y*/", "*", "%", "a-b", "名前"}),
		rapid.StringN(1, 40, 120),
	).Filter(func(s string) bool {
		return strings.TrimSpace(s) != "" && !strings.ContainsFunc(s, unicode.IsControl) && !strings.ContainsRune(s, unicode.ReplacementChar)
	}).Draw(t, "name")
	return name
}

var anyType = rapid.SampledFrom([]string{
	"", "null", "boolean", "integer", "float", "string", "email", "url", "uuid", "phone", "json",
	"date", "datetime", "timestamp", "object", "array[string]", "array[mixed:string]", "number", "decimal", "geometry",
})

// Whatever Render returns without an error compiles; it passes the gate by itself.
func TestRenderedExpressionsCompile(t *testing.T) {
	t.Parallel()
	format := rapid.OneOf(rapid.SampledFrom([]string{
		"", "DD/MM/YYYY", "iso", "epoch_s", "epoch_ms", "decimal_comma", "1.234,56", "yes/no", "lower", "d/m/Y H:i", "%Y%m%d", "YYYYMMDDHHmmss", "D MMMM YYYY",
	}), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		op := rapid.SampledFrom([]schema.Op{
			schema.OpDirect, schema.OpFormatConversion, schema.OpCombine, schema.OpSplit, schema.OpConstant, schema.OpFormula, "other",
		}).Draw(t, "op")
		var sources []schema.Field
		var names []string
		for range rapid.IntRange(0, 4).Draw(t, "sources") {
			sources = append(sources, schema.Field{Name: fieldName(t), Type: anyType.Draw(t, "type"), Format: format.Draw(t, "format")})
			names = append(names, sources[len(sources)-1].Name)
		}
		target := schema.Field{Name: "t", Type: anyType.Draw(t, "target"), Format: format.Draw(t, "format")}
		expr, err := NewVerifier(nil).Render(op, sources, target, Args{
			InFormat: format.Draw(t, "in"), OutFormat: format.Draw(t, "out"), Separator: rapid.String().Draw(t, "separator"),
			Index: rapid.IntRange(-3, 9).Draw(t, "index"), Literal: rapid.String().Draw(t, "literal"), Formula: rapid.String().Draw(t, "formula"),
		})
		if err != nil {
			return
		}
		if err := Gate(expr, names); err != nil {
			t.Fatalf("Render gives %q, which does not pass the gate: %v", expr, err)
		}
		if _, err := compile(expr); err != nil && op != schema.OpFormula {
			t.Fatalf("Render gives %q, which does not compile: %v", expr, err)
		}
	})
}

// A field of any name is found, whether its dots nest or not.
func TestEveryNameCanBeRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := fieldName(t)
		value := any("value")
		keys := []string{name}
		if parts := strings.Split(name, "."); rapid.Bool().Draw(t, "nested") && !slices.Contains(parts, "") {
			keys = parts
		}
		for i := len(keys) - 1; i >= 0; i-- {
			value = map[string]any{keys[i]: value}
		}
		row, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		v := NewVerifier([]json.RawMessage{row})
		field := schema.Field{Name: name, Type: "string"}
		expr, err := v.Render(schema.OpDirect, []schema.Field{field}, field, Args{})
		if err != nil {
			t.Fatalf("Render of %q: %v", name, err)
		}
		report, err := v.Verify(context.Background(), expr, []string{name}, field)
		if err != nil || report.Produced != 1 {
			t.Fatalf("%q reads %s: %+v, %v; want one value", expr, row, report, err)
		}
	})
}
