package analysis

import (
	"encoding/json"
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
