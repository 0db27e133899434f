package formula

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/schemacast/schemacast/internal/schema"
)

// benchMapping is one mapping of a schema of records with 12 fields.
type benchMapping struct {
	name    string
	op      schema.Op
	sources []schema.Field
	target  schema.Field
	args    Args
}

var benchMappings = []benchMapping{
	{"direct", schema.OpDirect, []schema.Field{{Name: "email", Type: "string"}}, schema.Field{Name: "t", Type: "string"}, Args{}},
	{"cast", schema.OpDirect, []schema.Field{{Name: "qty", Type: "integer"}}, schema.Field{Name: "t", Type: "string"}, Args{}},
	{"date", schema.OpFormatConversion, []schema.Field{{Name: "born", Type: "string"}}, schema.Field{Name: "t", Type: "date"}, Args{InFormat: "DD/MM/YYYY"}},
	{"number", schema.OpFormatConversion, []schema.Field{{Name: "price", Type: "string"}}, schema.Field{Name: "t", Type: "decimal"}, Args{InFormat: "decimal_point"}},
	{"combine", schema.OpCombine, []schema.Field{{Name: "first"}, {Name: "last"}}, schema.Field{Name: "t", Type: "string"}, Args{Separator: " "}},
	{"split", schema.OpSplit, []schema.Field{{Name: "name", Type: "string"}}, schema.Field{Name: "t", Type: "string"}, Args{Separator: " ", Index: 1}},
	{
		"formula", schema.OpFormula, []schema.Field{{Name: "phone", Type: "string"}, {Name: "code", Type: "string"}}, schema.Field{Name: "t", Type: "string"},
		Args{Formula: `$replace($substringAfter(phone, "+"), /[^0-9]/, "") & "-" & $uppercase($split(code, "-")[0])`},
	},
}

func benchRows(b *testing.B) []json.RawMessage {
	b.Helper()
	rows := make([]json.RawMessage, 10)
	for i := range rows {
		rows[i] = json.RawMessage(fmt.Sprintf(`{"id":%[1]d,"name":"Ann Lee%[1]d","first":"Ann","last":"Lee%[1]d","email":"ann%[1]d@example.org",
			"phone":"+44 20-7185 27%[1]d0","born":"%[2]d/11/1990","price":"1,234.%[2]d","qty":%[1]d,"code":"ab-12-cd","status":"active"}`, i, i+13))
	}
	return rows
}

func (m benchMapping) run(b *testing.B, v *Verifier) {
	b.Helper()
	expr, err := v.Render(m.op, m.sources, m.target, m.args)
	if err != nil {
		b.Fatal(err)
	}
	names := make([]string, len(m.sources))
	for i, source := range m.sources {
		names[i] = source.Name
	}
	if report, err := v.Verify(b.Context(), expr, names, m.target); err != nil || report.Produced != 10 {
		b.Fatalf("%s: %+v, %v", expr, report, err)
	}
}

// One mapping, from its arguments to the report on 10 rows.
func BenchmarkMapping(b *testing.B) {
	for _, m := range benchMappings {
		b.Run(m.name, func(b *testing.B) {
			v := NewVerifier(benchRows(b))
			b.ReportAllocs()
			for b.Loop() {
				m.run(b, v)
			}
		})
	}
}

// A schema of 500 mappings of all kinds, its rows read once.
func BenchmarkSchema500(b *testing.B) {
	rows := benchRows(b)
	b.ReportAllocs()
	for b.Loop() {
		v := NewVerifier(rows)
		for i := range 500 {
			benchMappings[i%len(benchMappings)].run(b, v)
		}
	}
}

// One mapping of a schema of 5,000 fields, its rows read once.
func BenchmarkVerifyWide(b *testing.B) {
	row := map[string]any{}
	for i := range 5000 {
		row[fmt.Sprintf("field_%d", i)] = fmt.Sprintf("value %d", i)
	}
	raw, err := json.Marshal(row)
	if err != nil {
		b.Fatal(err)
	}
	v := NewVerifier([]json.RawMessage{raw, raw, raw})
	source, target := schema.Field{Name: "field_77", Type: "string"}, schema.Field{Name: "t", Type: "string"}
	b.ReportAllocs()
	for b.Loop() {
		expr, err := v.Render(schema.OpSplit, []schema.Field{source}, target, Args{Separator: " ", Index: 1})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := v.Verify(b.Context(), expr, []string{source.Name}, target); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGate(b *testing.B) {
	const expr = `($v := $trim($string(a)); $contains($v, /^[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}$/) ? $fromMillis($toMillis($v, "[D1].[M1].[Y0001]"), "[Y0001]-[M01]-[D01]"))`
	b.ReportAllocs()
	for b.Loop() {
		if err := Gate(expr, []string{"a"}); err != nil {
			b.Fatal(err)
		}
	}
}
