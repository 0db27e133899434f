package match

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNamesAreBounded: what is asked for all the time stays, and what is kept is what
// would be cut again.
func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	var c nameCache
	keep := func(spelt string) { c.put(spelt, &name{tokens: Tokens(spelt)}) }
	keep("customer_email")
	for i := range 3 * keptNames {
		keep(fmt.Sprintf("field_%d", i))
		if _, kept := c.get("customer_email"); !kept {
			t.Fatalf("customer_email is gone after %d names, though it is asked for all the time", i)
		}
	}
	if n := len(c.young) + len(c.old); n > 2*keptNames {
		t.Errorf("%d names are kept, want at most %d", n, 2*keptNames)
	}
	if _, kept := c.get("field_1"); kept {
		t.Error("field_1 is still there after all others")
	}
	for range 2 {
		if diff := cmp.Diff(Tokens("order.mobile_2"), nameOf("order.mobile_2").tokens); diff != "" {
			t.Errorf("words (-cut +kept):\n%s", diff)
		}
	}
	long := strings.Repeat("x", longestKept+1)
	nameOf(long)
	if _, kept := names.get(long); kept {
		t.Error("a long name is kept")
	}
}
