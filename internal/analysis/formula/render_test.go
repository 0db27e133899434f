package formula

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recolabs/gnata"

	"github.com/schemacast/schemacast/internal/schema"
)

// eval runs an expression on a row and returns the result as JSON, "" for undefined.
func eval(t *testing.T, expr, row string) string {
	t.Helper()
	compiled, err := gnata.Compile(expr)
	if err != nil {
		t.Fatalf("compile %q: %v", expr, err)
	}
	data, err := gnata.DecodeJSON(json.RawMessage(row))
	if err != nil {
		t.Fatalf("decode %q: %v", row, err)
	}
	value, err := evaluate(context.Background(), compiled, data)
	if err != nil {
		t.Fatalf("run %q on %s: %v", expr, row, err)
	}
	if value == nil {
		return ""
	}
	out, err := json.Marshal(gnata.NormalizeValue(value))
	if err != nil {
		t.Fatalf("result of %q: %v", expr, err)
	}
	return string(out)
}

func TestRenderWritesShortExpressions(t *testing.T) {
	t.Parallel()
	field := func(name, typ string) []schema.Field { return []schema.Field{{Name: name, Type: typ}} }
	for _, tt := range []struct {
		op      schema.Op
		sources []schema.Field
		target  string
		args    Args
		want    string
	}{
		{schema.OpDirect, field("company_6", "string"), "string", Args{}, `company_6`},
		{schema.OpDirect, field("id", "float"), "decimal", Args{}, `id`},
		{schema.OpDirect, field("id", "float"), "string", Args{}, `id != null ? $string(id)`},
		{schema.OpDirect, field("order.customer.email", "email"), "string", Args{}, `order.customer.email`},
		{schema.OpConstant, nil, "string", Args{Literal: "stub"}, `"stub"`},
		{schema.OpConstant, nil, "string", Args{Literal: "a \"b\" <c>\n"}, `"a \"b\" <c>\n"`},
		{schema.OpConstant, nil, "integer", Args{Literal: " 7 "}, `7`},
		{schema.OpConstant, nil, "boolean", Args{Literal: "True"}, `true`},
		{schema.OpSplit, field("name", "string"), "string", Args{Separator: " ", Index: 1}, `name != null ? $trim($split($string(name), " ")[1])`},
		{schema.OpFormula, field("a", "string"), "string", Args{Formula: " $trim(a) "}, `$trim(a)`},
		{schema.OpFormatConversion, field("mail", "string"), "email", Args{}, `mail != null ? $lowercase($trim($string(mail)))`},
	} {
		got, err := NewVerifier(nil).Render(tt.op, tt.sources, schema.Field{Name: "t", Type: tt.target}, tt.args)
		if err != nil {
			t.Errorf("Render(%s, %v): %v", tt.op, tt.sources, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Render(%s, %v) (-want +got):\n%s", tt.op, tt.sources, diff)
		}
	}
}

// Every rendered expression is judged by what it makes of a value: "" for nothing.
func TestRenderedExpressionsConvert(t *testing.T) {
	t.Parallel()
	const direct, convert, split, combine = schema.OpDirect, schema.OpFormatConversion, schema.OpSplit, schema.OpCombine
	in := func(format string) Args { return Args{InFormat: format} }
	for _, tt := range []struct {
		op       schema.Op
		from, to string
		args     Args
		value    string
		want     string
	}{
		{direct, "float", "string", Args{}, `32.639`, `"32.639"`},
		{direct, "float", "string", Args{}, `null`, ``},
		{direct, "boolean", "string", Args{}, `false`, `"false"`},
		{direct, "string", "decimal", Args{}, `" 12.5 "`, `12.5`},
		{direct, "string", "decimal", Args{}, `7`, `7`},
		{direct, "string", "decimal", Args{}, `" "`, ``},
		{direct, "string", "decimal", Args{}, `null`, ``},
		{direct, "boolean", "integer", Args{}, `true`, `1`},
		{direct, "string", "boolean", Args{}, `"Yes"`, `true`},
		{direct, "string", "boolean", Args{}, `"n"`, `false`},
		{direct, "string", "boolean", Args{}, `"perhaps"`, ``},
		{direct, "float", "boolean", Args{}, `0`, `false`},
		{direct, "string", "array[string]", Args{}, `"a"`, `["a"]`},
		{direct, "string", "array[string]", Args{}, `null`, ``},
		{direct, "array[string]", "array[string]", Args{}, `["a"]`, `["a"]`},
		{direct, "datetime", "date", Args{}, `"2024-01-31 23:00:00"`, `"2024-01-31"`},
		{direct, "datetime", "date", Args{}, `"31.01.2024 23:00"`, ``},
		{direct, "date", "datetime", Args{}, `"2024-01-31"`, `"2024-01-31T00:00:00.000Z"`},

		{convert, "date", "date", in("DD/MM/YYYY"), `"31/1/2024"`, `"2024-01-31"`},
		{convert, "date", "date", in("dd/mm/yyyy"), `"31/01/2024"`, `"2024-01-31"`},
		{convert, "date", "date", in("day_first"), `"01/02/2024"`, `"2024-02-01"`},
		{convert, "date", "date", in("month_first"), `"01/02/2024"`, `"2024-01-02"`},
		{convert, "date", "date", in("MM/DD/YYYY"), `"31/01/2024"`, ``},
		{convert, "date", "date", in("date:DD.MM.YYYY"), `"31.01.2024"`, `"2024-01-31"`},
		{convert, "string", "date", in("%d-%b-%Y"), `"31-Jan-2024"`, `"2024-01-31"`},
		{convert, "string", "date", in("D MMMM YYYY"), `"1 February 2024"`, `"2024-02-01"`},
		{convert, "string", "date", in("YYYYMMDD"), `"20240131"`, `"2024-01-31"`},
		{convert, "float", "date", in("YYYYMMDD"), `20240131`, `"2024-01-31"`},
		{convert, "string", "datetime", in("d.m.Y H:i:s"), `"31.01.2024 10:15:01"`, `"2024-01-31T10:15:01.000Z"`},
		{convert, "string", "datetime", in("MM/DD/YYYY hh:mm A"), `"01/31/2024 01:05 pm"`, `"2024-01-31T13:05:00.000Z"`},
		{convert, "string", "datetime", in("YYYY-MM-DD HH:mm:ss Z"), `"2024-01-31 01:05:00 +02:00"`, `"2024-01-30T23:05:00.000Z"`},
		{convert, "string", "datetime", in("YYYY-MM-DD'T'HH:mm:ss.SSS"), `"2024-01-31T01:05:00.250"`, `"2024-01-31T01:05:00.250Z"`},
		{convert, "float", "datetime", in("epoch_s"), `1706659200`, `"2024-01-31T00:00:00.000Z"`},
		{convert, "float", "datetime", in("epoch_ms"), `1706659200000`, `"2024-01-31T00:00:00.000Z"`},
		{convert, "string", "datetime", in("epoch_s"), `"soon"`, ``},
		{convert, "datetime", "integer", Args{OutFormat: "epoch_s"}, `"2024-01-31T00:00:00Z"`, `1706659200`},
		{convert, "date", "string", Args{InFormat: "YYYY-MM-DD", OutFormat: "DD MMM YYYY"}, `"2024-01-31"`, `"31 Jan 2024"`},
		{convert, "date", "date", in("DD/MM/YYYY"), `null`, ``},
		{convert, "date", "date", in("DD/MM/YYYY"), `"29/02/2024"`, `"2024-02-29"`},
		{convert, "date", "date", in("DD/MM/YYYY"), `"29/02/2023"`, ``}, // no such day
		{convert, "date", "date", in("YYYYMMDD"), `"20240231"`, ``},
		{convert, "date", "date", in("iso"), `"2024-02-30"`, ``},
		{convert, "date", "date", in("iso"), `"0024-02-03"`, ``},
		{convert, "string", "date", in("D MMM YYYY"), `"31 Foo 2024"`, ``},
		{convert, "string", "datetime", in("iso"), `"2024-01-31T25:00:00"`, ``},
		{convert, "string", "datetime", in("iso"), `"2024-01-31T10:00:00"`, `"2024-01-31T10:00:00.000Z"`},
		{convert, "string", "datetime", in("iso"), `"2024-01-31T10:00:00+0200"`, `"2024-01-31T08:00:00.000Z"`},
		{convert, "string", "datetime", in("iso"), `"2024-01-31 10:00:00.5-02:00"`, `"2024-01-31T12:00:00.500Z"`},
		{convert, "string", "datetime", in("YYYY-MM-DD HH:mm:ssZ"), `"2024-01-31 01:05:00Z"`, `"2024-01-31T01:05:00.000Z"`},
		{convert, "string", "datetime", in("YYYY-MM-DD HH:mm:ss Z"), `"2024-02-30 01:05:00 +0200"`, ``},

		{convert, "string", "decimal", in("1.234,56"), `"€ -1.234.567,89"`, `-1234567.89`},
		{convert, "string", "decimal", in("decimal_comma"), `"12,5 kg"`, `12.5`},
		{convert, "string", "decimal", in("decimal_comma"), `"1.5"`, ``},
		{convert, "string", "decimal", in("decimal_comma"), "\"1\u00a0234,5\"", `1234.5`},
		{convert, "string", "decimal", in("#,##0.00"), `"$1,234.50"`, `1234.5`},
		{convert, "string", "decimal", in("#,##0"), `"1,234"`, `1234`},
		{convert, "string", "decimal", in("decimal_point"), `"(5)"`, ``},
		{convert, "string", "decimal", in("decimal_point"), `"n/a"`, ``},
		{convert, "string", "decimal", in("decimal_point"), `17`, `17`},
		{convert, "string", "boolean", in("ja/nein"), `"Ja"`, `true`},
		{convert, "string", "boolean", in("1/0"), `"0"`, `false`},
		{convert, "boolean", "string", Args{OutFormat: "Y/N"}, `true`, `"Y"`},
		{convert, "string", "string", Args{OutFormat: "upper"}, `" ab "`, `"AB"`},
		{convert, "string", "string", Args{OutFormat: "trim"}, `" ab "`, `"ab"`},

		{split, "string", "string", Args{Separator: " ", Index: 1}, `"Tom Chen"`, `"Chen"`},
		{split, "string", "string", Args{Separator: " ", Index: -1}, `"Tom B. Chen"`, `"Chen"`},
		{split, "string", "string", Args{Separator: " ", Index: 1}, `"Tom"`, ``},
		{split, "string", "string", Args{Separator: " "}, `null`, ``},
		{split, "string", "integer", Args{Separator: " "}, `"12 kg"`, `12`},
		{combine, "array[string]", "string", Args{Separator: ", "}, `["a", null, " ", 7]`, `"a, 7"`},
		{combine, "string", "string", Args{Separator: ", "}, `"a"`, `"a"`},
		{combine, "string", "string", Args{Separator: ", "}, `null`, ``},
	} {
		source := []schema.Field{{Name: "my field", Type: tt.from}}
		expr, err := NewVerifier(nil).Render(tt.op, source, schema.Field{Name: "t", Type: tt.to}, tt.args)
		if err != nil {
			t.Errorf("Render %s %s -> %s %+v: %v", tt.op, tt.from, tt.to, tt.args, err)
			continue
		}
		if got := eval(t, expr, `{"my field": `+tt.value+`}`); got != tt.want {
			t.Errorf("%s %s -> %s %+v of %s is %s, want %s\n%s", tt.op, tt.from, tt.to, tt.args, tt.value, got, tt.want, expr)
		}
		if got := eval(t, expr, `{}`); got != "" {
			t.Errorf("%s %s -> %s %+v of nothing is %s", tt.op, tt.from, tt.to, tt.args, got)
		}
	}
}

func TestCombineSkipsWhatIsMissing(t *testing.T) {
	t.Parallel()
	sources := []schema.Field{{Name: "a"}, {Name: "b.c"}, {Name: "d"}}
	expr, err := NewVerifier(nil).Render(schema.OpCombine, sources, schema.Field{Name: "t", Type: "string"}, Args{Separator: " - "})
	if err != nil {
		t.Fatal(err)
	}
	for row, want := range map[string]string{
		`{"a": "x", "b": {"c": "y"}, "d": "z"}`:  `"x - y - z"`,
		`{"a": "x", "b": {"c": null}, "d": "z"}`: `"x - z"`,
		`{"b": {"c": 5}}`:                        `"5"`,
		`{"a": "", "b": {}, "d": " "}`:           ``,
	} {
		if got := eval(t, expr, row); got != want {
			t.Errorf("combined %s is %s, want %s", row, got, want)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	source := func(typ string) []schema.Field { return []schema.Field{{Name: "a", Type: typ}} }
	for _, tt := range []struct {
		name    string
		op      schema.Op
		sources []schema.Field
		target  string
		args    Args
		code    string
	}{
		{"unknown operation", "guess", source("string"), "string", Args{}, CodeBadArgs},
		{"two sources", schema.OpDirect, append(source("string"), source("string")...), "string", Args{}, CodeBadArgs},
		{"constant with a source", schema.OpConstant, source("string"), "string", Args{Literal: "x"}, CodeBadArgs},
		{"list to text", schema.OpDirect, source("array[string]"), "string", Args{}, CodeTypeMismatch},
		{"object to number", schema.OpDirect, source("object"), "decimal", Args{}, CodeTypeMismatch},
		{"number to date", schema.OpDirect, source("float"), "date", Args{}, CodeTypeMismatch},
		{"two-digit year", schema.OpFormatConversion, source("string"), "date", Args{InFormat: "DD/MM/YY"}, CodeBadArgs},
		{"no such format", schema.OpFormatConversion, source("string"), "date", Args{InFormat: "like a date"}, CodeBadArgs},
		{"no such text format", schema.OpFormatConversion, source("string"), "string", Args{OutFormat: "snake"}, CodeBadArgs},
		{"epoch without unit", schema.OpFormatConversion, source("datetime"), "integer", Args{}, CodeBadArgs},
		{"split without separator", schema.OpSplit, source("string"), "string", Args{}, CodeBadArgs},
		{"zone in the middle", schema.OpFormatConversion, source("string"), "datetime", Args{InFormat: "YYYY-MM-DD Z HH:mm"}, CodeBadArgs},
		{"hundredths", schema.OpFormatConversion, source("datetime"), "string", Args{OutFormat: "YYYY-MM-DD HH:mm:ss.SS"}, CodeBadArgs},
		{"combined number", schema.OpCombine, source("string"), "decimal", Args{}, CodeTypeMismatch},
		{"constant text for a number", schema.OpConstant, nil, "integer", Args{Literal: "1.5"}, CodeTypeMismatch},
		{"huge constant", schema.OpConstant, nil, "decimal", Args{Literal: "1e999"}, CodeTypeMismatch},
		{"foreign field", schema.OpFormula, source("string"), "string", Args{Formula: "b"}, CodeUnknownSource},
		{"empty formula", schema.OpFormula, source("string"), "string", Args{}, CodeSyntax},
	} {
		expr, err := NewVerifier(nil).Render(tt.op, tt.sources, schema.Field{Name: "t", Type: tt.target}, tt.args)
		if got := codeOf(t, err); got != tt.code {
			t.Errorf("%s: code %q for %q, want %q", tt.name, got, expr, tt.code)
		}
	}
}

func TestCompatible(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from, to string
		ok, cast bool
	}{
		{"string", "string", true, false}, {"email", "string", true, false}, {"float", "decimal", true, false},
		{"float", "integer", true, false}, {"float", "string", true, true}, {"string", "decimal", true, true},
		{"date", "string", true, false}, {"date", "datetime", true, true}, {"float", "timestamp", true, false},
		{"string", "date", true, false}, {"", "date", true, false}, {"object", "json", true, false},
		{"string", "array[string]", true, true}, {"array[string]", "string", false, false}, {"float", "date", false, false},
		{"object", "array[object]", false, false}, {"boolean", "date", false, false},
	} {
		ok, cast := Compatible(schema.Field{Type: tt.from}, schema.Field{Type: tt.to})
		if ok != tt.ok || cast != tt.cast {
			t.Errorf("Compatible(%q, %q) = %v, %v; want %v, %v", tt.from, tt.to, ok, cast, tt.ok, tt.cast)
		}
	}
}
