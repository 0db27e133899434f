package llm

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/schemacast/schemacast/internal/analysis"
)

// TestLastWord compares the short way, for letters of ASCII, with the one for all.
func TestLastWord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[A-Za-z0-9_. -]{0,12}[äÖß☃]?[a-zA-Z0-9]{0,4}`).Draw(t, "name")
		if got, want := lastWord(name), lastWordOfRunes(name); got != want {
			t.Errorf("last word of %q is %q, want %q", name, got, want)
		}
	})
}

// TestSideBySide wants the fields in the order of the first of each last word.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	var fields []analysis.QuestionField
	for _, name := range []string{"billing_city", "name", "1", "shippingCity", "City2", "LAST_NAME", "", "zip"} {
		fields = append(fields, analysis.QuestionField{Name: name})
	}
	if diff := cmp.Diff([]int{0, 3, 4, 1, 5, 2, 6, 7}, sideBySide(fields)); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// TestWriteQuoted compares the short way, for harmless texts, with the encoder.
func TestWriteQuoted(t *testing.T) {
	t.Parallel()
	check := func(t rapid.TB, s string, limit int) {
		var out bytes.Buffer
		if writeQuoted(&out, s, limit); out.String() != quote(s, limit) {
			t.Errorf("%q is written as %s, want %s", s, out.String(), quote(s, limit))
		}
	}
	for _, s := range hostile {
		check(t, s, 40)
	}
	for c := range 256 {
		check(t, "a"+string(rune(c))+"b", 40)
		check(t, "a"+string([]byte{byte(c)})+"b", 40)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.String().Draw(t, "text"), rapid.IntRange(0, 12).Draw(t, "limit"))
	})
}
