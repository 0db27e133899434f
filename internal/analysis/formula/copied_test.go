package formula

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/schemacast/schemacast/internal/schema"
)

// copiedValues are what a copied field may hold beside hostileValues: what is cut, left
// out, escaped, or not quite a number.
var copiedValues = []string{
	`"` + strings.Repeat("a", 127) + `é"`, `"` + strings.Repeat("a", 128) + `"`, `"` + strings.Repeat(" ", 128) + `x"`, `"` + strings.Repeat("😀", 40) + `"`,
	`"a\nb"`, `"\ud800"`, `"<b>&\u2028"`, "\"\u2028\"", "\"\xff\xc3\"", `"a\u0062c"`, `"\\"`, `"\""`, `"\u0000"`, `"\t"`, `"\u00a0"`,
	`12345678901234567`, `"12345678901234567"`, `":1234567890123456789,"`, `9007199254740993`, `-9007199254740993`, `1234567890123456789012345678901234567890`,
	`12345678901234567890123456789012`, `1e400`, `-0`, `-0.0`, `0.1e-7`, `1E5`, `1.234`, `12.345`, `1e21`, `1706659200.25`, `99999999999999999999`,
	`"2024-02-29T10:15:30.123456789Z"`, `"2024-01-31T10:15:30.1234567890123456789012345678901Z"`, `"0001-01-01"`, `"12/11/2024"`, `"2024-1-2"`, `"1.234"`,
	`"00000000-0000-4000-8000-000000000000"`, `"+49 30 901820"`, `"https://a.example/b"`, `[1]`, `{"a":[]}`, `[[]]`, `null`,
}

func (g *generator) copiedRows(name string) []json.RawMessage {
	rows := make([]json.RawMessage, g.IntN(6))
	for i := range rows {
		value := pick(g, append(copiedValues, hostileValues...)...)
		if g.IntN(4) > 0 { // else most runs would end at the first row
			value = pick(g, `"x"`, `"2024-01-31"`, `17`, `true`, `null`, `""`, `1.234`, `"12/11/2024"`, value)
		}
		rows[i] = fmt.Appendf(nil, `{ "other" : "x", %s }`, g.nested(name, value))
		if g.IntN(10) == 0 {
			rows[i] = json.RawMessage(pick(g, `{}`, `[]`, `null`, `{"`+name+`":1,"`+name+`":"twice"}`))
		}
	}
	return rows
}

// nested writes a member that a name leads to, now and then with a dot for itself, through a
// list, or with something else on the way.
func (g *generator) nested(name, value string) string {
	key, rest, dotted := strings.Cut(name, ".")
	if !dotted || g.IntN(12) == 0 {
		return fmt.Sprintf(`%q : %s`, name, value)
	}
	inside := "{ \"x\": 1, " + g.nested(rest, value) + "}"
	switch g.IntN(16) {
	case 0:
		inside = "[" + inside + "]"
	case 1:
		inside = pick(g, "{}", "null", `"x"`, "[]", "7", "true", inside+`, "`+name+`": 1`, inside+`, "`+key+`": {"b":2}`)
	}
	return fmt.Sprintf(`%q : %s`, key, inside)
}

// TestCopiesAsTheEngine wants of a formula that copies the report, or the error, that the
// engine gives, for all kinds of values and targets.
func TestCopiesAsTheEngine(t *testing.T) {
	t.Parallel()
	g := &generator{Rand: rand.New(rand.NewPCG(5, 5))}
	types := append([]string{"integer", "timestamp", "geometry", "text", "char", "varchar", "email", "uuid", "phone", "url", "array[string]"}, fieldTypes...)
	failed := map[string]int{}
	for range 20_000 {
		name := pick(g, "a", "_", "Name_2", "λ2", "and", "a.b", "a.b.c", "a.b.c.d", "a.and", "a..b", "a.b.c.d.e", "x9", "function", "sum")
		target := schema.Field{Name: "t", Type: pick(g, types...)}
		if g.IntN(3) == 0 {
			target.Format = pick(g, append(append([]string{"string", "text", "char", "email", "uuid", "DD.MM.YY", "YYYY"}, dateFormats...), otherFormats...)...)
		}
		rows := g.copiedRows(name)
		v := NewVerifier(rows)
		got, gotErr := v.Verify(t.Context(), name, []string{name}, target)
		want, wantErr := v.verify(t.Context(), name, []string{name}, target)
		if diff := cmp.Diff(want, got); diff != "" || fmt.Sprint(wantErr) != fmt.Sprint(gotErr) {
			t.Fatalf("%s to %+v of %s: %v, want %v (-want +got):\n%s", name, target, rows, gotErr, wantErr, diff)
		}
		if wantErr != nil {
			failed[codeOf(t, wantErr)]++
		}
	}
	t.Logf("failed by code: %v", failed)
}

// TestPlainNames wants that the gate lets every plain name pass, that the engine compiles
// it, and that the word is as the expression for it says.
func TestPlainNames(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.StringMatching(`[A-Za-z0-9_ .]{0,5}`), rapid.StringMatching(`[a-z]{2,8}`), rapid.SampledFrom(reserved)).Draw(t, "name")
		plain := isPlainName(name)
		if plain != (form.MatchString(name) && !slices.Contains(reserved, name)) {
			t.Fatalf("%q is plain: %t", name, plain)
		}
		if !plain {
			return
		}
		other := rapid.StringMatching(`[A-Za-z_]{1,4}`).Filter(isPlainName).Draw(t, "other")
		for _, expr := range []string{name, name + "." + other, other + "." + name + "." + name, name + "." + name + "." + name + "." + other} {
			if !copies(expr, []string{expr}) {
				t.Fatalf("%s does not copy", expr)
			}
			if err := Gate(expr, []string{expr}); err != nil {
				t.Fatal(err)
			}
			if _, err := compile(expr); err != nil {
				t.Fatal(err)
			}
		}
	})
	long := strings.Repeat("abcdefgh", maxCopied/8)
	if err := Gate(long, []string{long}); err != nil || !copies(long, []string{long}) || copies(long+"x", []string{long + "x"}) {
		t.Errorf("a long name: %v", err)
	}
}

// TestTypeWordsAreNoPatterns is what fitsText rests on.
func TestTypeWordsAreNoPatterns(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"string", "text", "varchar", "char"} {
		if p, err := parsePattern(word); err == nil && len(p.parts) > 0 {
			t.Errorf("%s is a pattern", word)
		}
	}
}
