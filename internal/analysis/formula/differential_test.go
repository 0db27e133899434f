package formula

import (
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/schemacast/schemacast/internal/schema"
)

// comparisons says how many formulas to compare, and writes them. Without the setting
// the test is skipped, since it wants Node and jsonata-js.
func comparisons(t *testing.T) (int, *generator) {
	t.Helper()
	count, err := strconv.Atoi(os.Getenv("SCHEMACAST_JSONATA"))
	if err != nil {
		t.Skip("compares with jsonata-js; run make test-jsonata")
	}
	seed := uint64(1)
	if s, err := strconv.ParseUint(os.Getenv("SCHEMACAST_SEED"), 10, 64); err == nil {
		seed = s
	}
	return count, &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
}

// TestAgreesWithReference writes as many mapping formulas as SCHEMACAST_JSONATA says and
// compares what passes the gate with jsonata-js, on every row.
func TestAgreesWithReference(t *testing.T) {
	count, g := comparisons(t)
	ref := newReference(t)
	refused, noted, agreed, differ := map[string]int{}, map[string]int{}, 0, 0
	for agreed+differ < count {
		expr := g.mapping(1 + g.IntN(3))
		if err := Gate(expr, mappingSources); err != nil {
			refused[codeOf(t, err)]++
			continue
		}
		want, err := ref.ask(expr, mappingRows)
		if errors.Is(err, errHangs) {
			t.Errorf("%s: %v", expr, err)
			differ++
			continue
		}
		how := differs(here(expr, mappingRows), want)
		if name := knownAs(expr, how); name != "" {
			noted[name]++
			differ++
			continue
		}
		if how != "" {
			differ++
			t.Errorf("%s  =>  %s", expr, how)
			continue
		}
		agreed++
	}
	t.Logf("%d agree, %d differ (%.2f %%), of them known %v, refused %v", agreed, differ, 100*float64(differ)/float64(count), noted, refused)
}

// TestRenderedAgreesWithReference compares what Render writes, for every operation, with
// names, values and arguments that are made to break it. Here nothing may differ, an
// error on one side included.
func TestRenderedAgreesWithReference(t *testing.T) {
	count, g := comparisons(t)
	ref := newReference(t)
	rendered, refused := map[schema.Op]int{}, map[string]int{}
	for done := 0; done < count/4; {
		m := g.proposal()
		expr, err := NewVerifier(nil).Render(m.op, m.sources, m.target, m.args)
		if err != nil {
			refused[codeOf(t, err)]++
			continue
		}
		done++
		rendered[m.op]++
		rows := g.rowsOf(m.sources)
		want, err := ref.ask(expr, rows)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		got := here(expr, rows)
		for i := range got.Results {
			if (got.Results[i].Error == "") != (want.Results[i].Error == "") || !sameJSON(got.Results[i].Value, want.Results[i].Value) {
				t.Errorf("%s of %s: here %s %s, there %s %s", expr, rows[i], got.Results[i].Error, shown(got.Results[i].Value),
					want.Results[i].Error, shown(want.Results[i].Value))
			}
		}
	}
	t.Logf("rendered %v, refused %v", rendered, refused)
}
