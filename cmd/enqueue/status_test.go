package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/store"
)

// What a run cost is shown where every one of its calls has a price.
func TestStatusShowsTheCost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		usage analysis.Usage
		text  string // in the line of the run
		json  string
	}{
		{"priced", analysis.Usage{Calls: 2, PricedCalls: 2, CostMicros: 1234, CachedTokens: 7, ReasoningTokens: 5}, "tokens, 0.001234 USD\n", `"cost_micro_usd":1234`},
		{"from the cache", analysis.Usage{CachedCalls: 1}, "+ 0 tokens\n", `"cost_micro_usd":0`},
		{"without a price", analysis.Usage{Calls: 2, PricedCalls: 1, CostMicros: 1234}, "+ 0 tokens\n", `"cost_micro_usd":null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := store.Run{Model: "m", Usage: c.usage}
			var b strings.Builder
			writeRun(&b, r)
			if !strings.Contains(b.String(), c.text) {
				t.Errorf("the run is shown as %q, want %q in it", b.String(), c.text)
			}
			raw, err := json.Marshal(documentOf(r))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(raw), c.json) {
				t.Errorf("the document is %s, want %s in it", raw, c.json)
			}
		})
	}
}
