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
