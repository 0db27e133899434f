package llm

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

// TestUsageAsReported has servers report what they can think of. Nothing of it fails an
// answer, and nothing impossible is believed.
func TestUsageAsReported(t *testing.T) {
	t.Parallel()
	estimated := analysis.Usage{Calls: 1, Estimated: true}
	for _, c := range []struct {
		name, usage string
		want        analysis.Usage
	}{
		{"all there is", `{"prompt_tokens":100,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":15}}`,
			analysis.Usage{Calls: 1, PromptTokens: 100, CachedTokens: 64, CompletionTokens: 20, ReasoningTokens: 15}},
		{"cost of OpenRouter", `{"prompt_tokens":100,"completion_tokens":20,"cost":0.001234}`,
			analysis.Usage{Calls: 1, PricedCalls: 1, PromptTokens: 100, CompletionTokens: 20, CostMicros: 1234}},
		{"free", `{"prompt_tokens":100,"completion_tokens":20,"cost":0}`, analysis.Usage{Calls: 1, PricedCalls: 1, PromptTokens: 100, CompletionTokens: 20}},
		{"cost as a word", `{"prompt_tokens":100,"completion_tokens":20,"cost":"cheap"}`, analysis.Usage{Calls: 1, PromptTokens: 100, CompletionTokens: 20}},
		{"cost below zero", `{"prompt_tokens":100,"completion_tokens":20,"cost":-1}`, analysis.Usage{Calls: 1, PromptTokens: 100, CompletionTokens: 20}},
		{"cost of a house", `{"prompt_tokens":100,"completion_tokens":20,"cost":1e9}`, analysis.Usage{Calls: 1, PromptTokens: 100, CompletionTokens: 20}},
		{"hits of DeepSeek", `{"prompt_tokens":100,"completion_tokens":20,"prompt_cache_hit_tokens":50}`,
			analysis.Usage{Calls: 1, PromptTokens: 100, CachedTokens: 50, CompletionTokens: 20}},
		{"parts larger than the whole", `{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":15}}`,
			analysis.Usage{Calls: 1, PromptTokens: 10, CachedTokens: 10, CompletionTokens: 2, ReasoningTokens: 2}},
		{"fractions", `{"prompt_tokens":100.0,"completion_tokens":2e1}`, analysis.Usage{Calls: 1, PromptTokens: 100, CompletionTokens: 20}},
		{"none", `null`, estimated},
		{"a word", `"plenty"`, estimated},
		{"a list", `[1,2]`, estimated},
		{"words", `{"prompt_tokens":"many","completion_tokens":"few"}`, estimated},
		{"below zero", `{"prompt_tokens":-5,"completion_tokens":-1}`, estimated},
		{"huge", `{"prompt_tokens":9e18,"completion_tokens":9e99}`, estimated},
		{"more than the request has bytes", `{"prompt_tokens":9000000,"completion_tokens":0}`, estimated},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, llmtest.Reported(llmtest.Good(), c.usage))
			answer, err := b.Ask(testContext(t), customerQuestion())
			if err != nil {
				t.Fatal(err)
			}
			ignore := cmpopts.IgnoreFields(analysis.Usage{}, "PromptTokens", "CompletionTokens")
			if !c.want.Estimated {
				ignore = nil
			} else if answer.Usage.PromptTokens < 1000 || answer.Usage.PromptTokens > 10_000 || answer.Usage.CompletionTokens < 50 {
				t.Errorf("estimated %+v, want something like it", answer.Usage)
			}
			if diff := cmp.Diff(c.want, answer.Usage, ignore); diff != "" {
				t.Errorf("usage (-want +got)\n%s", diff)
			}
		})
	}
}

func TestCostIsKnownWhereEveryCallIsPriced(t *testing.T) {
	t.Parallel()
	sum := analysis.Usage{CachedCalls: 3}
	if micros, known := sum.Cost(); micros != 0 || !known {
		t.Errorf("answers of the cache cost %d (%t), want nothing", micros, known)
	}
	sum = sum.Add(analysis.Usage{Calls: 1, PricedCalls: 1, CostMicros: 5})
	if micros, known := sum.Cost(); micros != 5 || !known {
		t.Errorf("cost %d (%t), want 5", micros, known)
	}
	if _, known := sum.Add(analysis.Usage{Calls: 1}).Cost(); known {
		t.Error("a call without a price is taken for free")
	}
}
