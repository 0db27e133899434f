package match

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestShortWays: what is done otherwise for plain text is done with the same result.
func TestShortWays(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(2, 8))
	pieces := []string{"a", "Bc", "URLPath", "9", "42", "_", ".", " ", "  ", "\t", "-", "\"", "\\", "\\n", "\\u00e4", "ä", "客", "\xff", "<"}
	for range 5000 {
		var b strings.Builder
		for range random.IntN(6) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		s := b.String()
		if diff := cmp.Diff(splitRunes(s), splitWords(s)); diff != "" {
			t.Errorf("words of %q (-any +plain):\n%s", s, diff)
		}
		if want := strings.Join(strings.Fields(strings.ToLower(s)), " "); fold(s) != want {
			t.Errorf("%q is folded to %q, want %q", s, fold(s), want)
		}
		var want string
		valid := json.Unmarshal([]byte(`"`+s+`"`), &want) == nil
		if got, ok := textOfJSON(json.RawMessage(`"` + s + `"`)); ok != valid || ok && got != want {
			t.Errorf("%q is decoded to %q, %v, want %q, %v", s, got, ok, want, valid)
		}
	}
}

// TestSmallest: buckets are the same whether they are sorted or marked.
func TestSmallest(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(8, 2))
	for _, n := range []int{0, 1, 50, fingerprintSize, 3 * fingerprintSize} {
		buckets := make([]uint32, n)
		for i := range buckets {
			buckets[i] = random.Uint32N(fingerprintBuckets)
		}
		if diff := cmp.Diff(bounded(slices.Clone(buckets)), smallest(buckets)); diff != "" {
			t.Errorf("of %d buckets (-sorted +marked):\n%s", n, diff)
		}
	}
}
