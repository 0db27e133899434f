package main

import (
	"strings"
	"testing"

	"github.com/tiktoken-go/tokenizer"
)

// TestCostOfASchema holds what was promised: one call for a schema
// of 40 fields, a third of the four calls or less, whatever else the tenant has.
func TestCostOfASchema(t *testing.T) {
	t.Parallel()
	counter, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	few, err := measure(t.Context(), counter, sourceOf(40), entitiesOf(10))
	if err != nil {
		t.Fatal(err)
	}
	if few.calls != 1 || few.prompt > 4_500 {
		t.Errorf("40 fields among 10 entities: %+v, want one call with 4,500 tokens at most", few)
	}
	four := chained(counter, sourceOf(40), entitiesOf(10))
	if four.prompt < 3*few.prompt {
		t.Errorf("the prompts have %d tokens and those of four calls %d, want a third at most", few.prompt, four.prompt)
	}
	many, err := measure(t.Context(), counter, sourceOf(40), entitiesOf(1000))
	if err != nil {
		t.Fatal(err)
	}
	if many.prompt > few.prompt*11/10 {
		t.Errorf("%d tokens among 1000 entities, %d among 10: want them independent of the number", many.prompt, few.prompt)
	}
}

func TestTableIsWhole(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out, []int{10, 20}, []int{10}); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "\n"); lines != 3 {
		t.Errorf("%d lines, want a head and two:\n%s", lines, &out)
	}
}
