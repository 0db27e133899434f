package formula

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/schema"
)

// This file makes mappings up, in which names, values and arguments are what strangers
// and models would write, and what they should not.

type proposal struct {
	op      schema.Op
	sources []schema.Field
	target  schema.Field
	args    Args
}

var (
	hostileNames = []string{
		"a", "first name", "and", "or", "in", "true", "null", "function", "λ", "2nd", "$price", "$", "$$", "größe", `quo"te`, "it's", "weird`name", "`",
		`back\slash`, "tab\u00a0", "items[0].sku", "x/*y*/", "*", "%", "a-b", "名前", "No.", "Mr. Smith", "a..b", ".", "a.", "😀", "a:b", "a;b", "(a)", "{a}",
		"a b c", "constructor", "__proto__x", "toString", "length", "\u200b", "e\u0301", "?", "@id", "#text", "^", "|", "~", "-1", "0", "1e5", "A.b`c",
	}
	fieldTypes      = []string{"", "boolean", "integer", "float", "string", "email", "url", "phone", "json", "date", "datetime", "timestamp", "object", "array[string]", "number", "decimal"}
	dateFormats     = []string{"DD/MM/YYYY", "MM/DD/YYYY", "YYYY-MM-DD", "D.M.YYYY", "iso", "epoch_s", "epoch_ms", "d/m/Y H:i", "%Y%m%d", "YYYYMMDDHHmmss", "D MMMM YYYY", "DD MMM YYYY", "MMM D, YYYY", "YYYY-MM-DD HH:mm:ss Z", "YYYY-MM-DDTHH:mm:ss.SSSZ", "MM/DD/YYYY hh:mm A", "h:mm A D/M/YYYY", "YYYY/MM/DD HH:mm:ss.SS", "day_first", "%d-%b-%Y"}
	otherFormats    = []string{"", "decimal_comma", "decimal_point", "1.234,56", "#,##0", "yes/no", "ja|nein", "1/0", "lower", "upper", "trim", "email"}
	separators      = []string{" ", "-", ", ", "", "|", "/", `"`, `\`, "\n", "😀", "$1", "é", "`", "'", "a", "[", ".*"}
	hostileLiterals = []string{"x", "", " 7 ", "1.50", "-0", "1e3", "True", "FALSE", "null", `"quoted"`, `a\b`, "line\nbreak", "😀", "$eval(1)", "é", "' & secret & '", "0x1F", "12345678901234567890"}

	// values as a field of any type may hold them.
	hostileValues = []string{
		`null`, `""`, `" "`, `"x"`, `" two  words "`, `0`, `-1`, `7`, `1.5`, `true`, `false`, `"7"`, `"007"`, `" 12.5 "`, `"1,234.50"`, `"1.234,50"`, `"€ 5"`, `"-3"`,
		`"yes"`, `"No"`, `"Ja"`, `"Y"`, `"31/12/2024"`, `"12/31/2024"`, `"2024-02-30"`, `"30/02/2024"`, `"29/02/2023"`, `"29/02/2024"`, `"2024-02-29"`, `"2024-01-31T10:15:30Z"`,
		`"2024-01-31T10:15:30"`, `"2024-01-31 10:15:30.250+02:00"`, `"2024-01-31 01:05:00 +0200"`, `"2024-01-31 01:05:00 Z"`, `"0024-01-31"`, `"2024-13-01"`, `"1 May 2024"`, `"1 MAY 2024"`,
		`"31 Jan 2024"`, `"Jan 3, 2024"`, `"31-Jan-2024"`, `"1706659200"`, `1706659200`, `1706659200000`, `1706659200.5`, `20240131`, `"20240131"`, `"20240131235959"`, `"01/31/2024 12:05 am"`,
		`"01/31/2024 01:05 PM"`, `"1:05 PM 31/1/2024"`, `"31.1.2024"`, `"99.99.9999"`, `"2024/01/31 10:00:00.25"`, `"5/6/2024 07:08"`, `["a", "b"]`, `["a", null, 7, " "]`, `[]`, `{}`, `{"a": 1}`,
		`"Straße"`, `"O'Neil"`, `"a-b-c"`, `"a|b"`, `"a, b, c"`, `"ann@x.org"`, `"Ann@X.ORG "`, `"ÀÉ"`, `"x\u00a0y"`, `"-"`, `"1e5"`, `"+5"`, `".5"`, `1e21`, `123456.789`, `"12 kg"`,
	}
)

func (g *generator) field() schema.Field {
	f := schema.Field{Name: pick(g, hostileNames...), Type: pick(g, fieldTypes...)}
	if g.IntN(4) == 0 {
		f.Format = pick(g, append(dateFormats, otherFormats...)...)
	}
	return f
}

func (g *generator) proposal() proposal {
	p := proposal{
		op:     pick(g, schema.OpDirect, schema.OpFormatConversion, schema.OpFormatConversion, schema.OpCombine, schema.OpSplit, schema.OpConstant),
		target: g.field(),
		args:   Args{Separator: pick(g, separators...), Index: g.IntN(5) - 2, Literal: pick(g, hostileLiterals...)},
	}
	p.target.Name = "t"
	n := 1
	switch p.op {
	case schema.OpConstant:
		n = 0
	case schema.OpCombine:
		n = 1 + g.IntN(4)
	}
	taken := map[string]bool{}
	for len(p.sources) < n {
		f := g.field()
		if first, _, _ := strings.Cut(f.Name, "."); !taken[first] {
			taken[first], taken[f.Name] = true, true
			p.sources = append(p.sources, f)
		}
	}
	formats := append(otherFormats, dateFormats...)
	p.args.InFormat, p.args.OutFormat = pick(g, formats...), pick(g, formats...)
	if g.IntN(2) == 0 {
		p.args.OutFormat = ""
	}
	return p
}

// rowsOf makes rows in which each source has any value, or none.
func (g *generator) rowsOf(sources []schema.Field) []json.RawMessage {
	rows := make([]json.RawMessage, 6)
	for i := range rows {
		row := map[string]any{}
		for _, source := range sources {
			if g.IntN(12) == 0 {
				continue
			}
			put(row, keysOf(source.Name, nil), json.RawMessage(pick(g, hostileValues...)))
		}
		raw, err := json.Marshal(row)
		if err != nil {
			panic(err)
		}
		rows[i] = raw
	}
	return rows
}

// TestRenderedDoesWhatItsOperationSays holds what Render writes against the operations
// in plain Go, for names, separators and literals that are made to break out of it.
func TestRenderedDoesWhatItsOperationSays(t *testing.T) {
	t.Parallel()
	g := &generator{Rand: rand.New(rand.NewPCG(3, 3))}
	done := map[schema.Op]int{}
	for range 4000 {
		p := g.proposal()
		if p.op == schema.OpFormatConversion {
			continue // see TestRenderedExpressionsConvert
		}
		p.target = schema.Field{Name: "t", Type: "string"}
		texts := make([]string, len(p.sources))
		row := map[string]any{}
		for i := range p.sources {
			p.sources[i].Type, p.sources[i].Format = "string", ""
			texts[i] = pick(g, "x", "", " ", " two  words ", "a-b", "Ann, Lee", `"`, "'", `\`, "`", "😀", "null", "12", "a|b", "$1", "/*")
			put(row, keysOf(p.sources[i].Name, nil), texts[i])
		}
		raw, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		expr, err := NewVerifier([]json.RawMessage{raw}).Render(p.op, p.sources, p.target, p.args)
		if p.op == schema.OpSplit && p.args.Separator == "" {
			continue
		}
		if err != nil {
			t.Fatalf("%+v: %v", p, err)
		}
		done[p.op]++
		got := here(expr, []json.RawMessage{raw})
		if got.Error != "" || got.Results[0].Error != "" || !sameText(got.Results[0].Value, expected(p, texts)) {
			t.Errorf("%s of %s: %s %s %s, want %q", expr, raw, got.Error, got.Results[0].Error, shown(got.Results[0].Value), expected(p, texts))
		}
	}
	for _, op := range []schema.Op{schema.OpDirect, schema.OpCombine, schema.OpSplit, schema.OpConstant} {
		if done[op] < 100 {
			t.Errorf("only %d of %s were tried", done[op], op)
		}
	}
}

func put(row map[string]any, keys []string, value any) {
	for _, key := range keys[:len(keys)-1] {
		inner := map[string]any{}
		row[key] = inner
		row = inner
	}
	row[keys[len(keys)-1]] = value
}

// sameText takes nothing and the empty text for the same.
func sameText(value json.RawMessage, want string) bool {
	var text string
	return value == nil && want == "" || json.Unmarshal(value, &text) == nil && text == want
}

func expected(p proposal, texts []string) string {
	trim := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	switch p.op {
	case schema.OpConstant:
		return p.args.Literal
	case schema.OpDirect:
		return texts[0]
	case schema.OpSplit:
		parts := strings.Split(texts[0], p.args.Separator)
		i := p.args.Index
		if i < 0 {
			i += len(parts)
		}
		if i < 0 || i >= len(parts) {
			return ""
		}
		return trim(parts[i])
	}
	var parts []string
	for _, text := range texts {
		if text = trim(text); text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, p.args.Separator)
}
