package analysis

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestPlainScalar compares the short way with decoding.
func TestPlainScalar(t *testing.T) {
	t.Parallel()
	check := func(t rapid.TB, raw string) {
		if text, ok := plainScalar(json.RawMessage(raw)); ok && text != decodedScalar(json.RawMessage(raw)) {
			t.Errorf("%s is %q, want %q", raw, text, decodedScalar(json.RawMessage(raw)))
		}
	}
	for _, raw := range []string{
		"", `"`, `""`, `" a "`, `"a"b"`, `"a" `, `"a\"`, `"\u0041"`, "\"\x7f\"", "\"\xff\"", `"é"`, "-", "0", "-0", "00", "01", "1.", ".5", "1.50", "-1.5e3",
		"1e999", "12345678901234567890123", "99999999999999999999", "1 ", "+1", "true", "null", "{}", "[1]",
	} {
		check(t, raw)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.StringMatching(`"?[-0-9.e"\\ a]{0,6}"?`).Draw(t, "raw"))
	})
}

// TestNested compares the short way to project one path with the long one.
func TestNested(t *testing.T) {
	t.Parallel()
	rows := newRows([]json.RawMessage{json.RawMessage(`{"a":1,"b":{"c":{"d":"<x> \u00e9","e":[1, 2]},"c.d":5,"":{"":3}},"b.f":4,"g":{"h":null,"ö":{"i":6},"q\"":{"r":1}},
		"l":[{"k":5}],"n":null,"o":{"o":{"o":{"o":{"p": true}}}},"x.y":{"z":1},"w":{"x.y":2}}`)})
	for _, path := range []string{
		"a", "b.c", "b.c.d", "b.c.e", "b..", "b.f", "b.c.x", "g.h", "g.ö.i", `g.q".r`, "l.k", "n.x", "o.o.o.o.p", "o.o.o", "x.y.z", "w.x.y", "w.x", ".", "", "z.z",
	} {
		key, raw := rows.roots[0].nested(path)
		if raw == nil {
			continue
		}
		values := make(map[string]any)
		rows.roots[0].copyPath(path, values)
		want, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(map[string]json.RawMessage{key: raw})
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %s, want %s, %v", path, got, want, err)
		}
	}
	if _, raw := rows.roots[0].nested("o.o.o.o.p"); string(raw) != `{"o":{"o":{"o":{"p":true}}}}` {
		t.Errorf("the long path is %s", raw)
	}
}

// TestIsPlain wants that what is taken for plain is what plain makes of it.
func TestIsPlain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[ a~\x01\x7f\t]{0,6}`), rapid.String()).Draw(t, "text")
		// A blank in front keeps plain from the short way, and is dropped by it.
		if long := plain(" "+text, 5); isPlain(text, 5) && long != text || plain(text, 5) != long {
			t.Errorf("plain(%q) is %q, want %q", text, plain(text, 5), long)
		}
	})
}

// TestVocabulary wants the same of many words and of few.
func TestVocabulary(t *testing.T) {
	t.Parallel()
	few := "is_active string owner e-mail"
	many := few + strings.Repeat(" x", indexedVocabulary)
	for value, want := range map[string]bool{"active": true, "owner e": true, "actives": false, "é": false} {
		if vocabularyOf(few)(value) != want || vocabularyOf(many)(value) != want {
			t.Errorf("%q is known: want %t", value, want)
		}
	}
}
