package llm

import (
	"testing"

	"github.com/tiktoken-go/tokenizer"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

// TestEstimateIsNearTheCount compares with the vocabulary of OpenAI's models: limits and
// budgets may be a quarter off before they are settled, and never by half.
func TestEstimateIsNearTheCount(t *testing.T) {
	t.Parallel()
	counter, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	count := func(text string) int {
		n, err := counter.Count(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	entity, fields, newFields := wideQuestions()
	b := setup(t, nil)
	for name, q := range map[string]analysis.Question{
		"small": customerQuestion(), "sixty fields": wide(60), "a thousand": wide(1_000), "many words": wordy(),
		"entity": entity, "fields": fields, "fields of a new one": newFields, "repair": repairQuestion(),
	} {
		v := b.variant(q, b.spoken.current(t.Context()))
		p, f := b.prepare(v)
		if f.ModelError != nil {
			t.Fatal(f)
		}
		counted := count(systemPrompt(rungStrict)) + count(userPrompt(q)) + count(answerSchema)
		if off := float64(p.prompt) / float64(counted); off < 0.75 || off > 1.25 {
			t.Errorf("%s: estimated %d tokens, counted %d: %.2f of them", name, p.prompt, counted, off)
		}
	}
}

// TestCutPromptIsFoundOut tells what Ollama does from what honest servers count.
func TestCutPromptIsFoundOut(t *testing.T) {
	t.Parallel()
	p := prepared{prompt: 6_730} // 6,000 without the schema
	d := dialect{Rung: rungStrict}
	for _, c := range []struct {
		name        string
		reported    int
		cut, surely bool
	}{
		{"all of it, and the schema", 6_700, false, false},
		{"all of it, in another vocabulary", 5_500, false, false},
		{"a round number near it", 5_632, false, false},
		{"cut at 4096", 4_096, true, true},
		{"cut at 2048", 2_048, true, true},
		{"only what was not cached", 1_234, true, false},
		{"nothing is reported", 0, false, false},
	} {
		cut, surely := cutPrompt(tokens{prompt: c.reported}, p, d)
		if cut != c.cut || surely != c.surely {
			t.Errorf("%s (%d): cut %t, surely %t; want %t, %t", c.name, c.reported, cut, surely, c.cut, c.surely)
		}
	}
	if cut, _ := cutPrompt(tokens{prompt: 512}, prepared{prompt: 1_300}, d); cut {
		t.Error("a prompt that fits everywhere was taken for cut")
	}
}

// TestUsableAnswerToWhatMayBeCutIsTaken: some servers count only what was not in their
// cache, which is no reason to ask again.
func TestUsableAnswerToWhatMayBeCutIsTaken(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, llmtest.Reported(llmtest.Good(), `{"prompt_tokens":77,"completion_tokens":50}`))
	if _, err := b.Ask(testContext(t), wide(60)); err != nil || b.server.Count() != 1 {
		t.Errorf("error %v after %d requests, want none after 1", err, b.server.Count())
	}
	b = setup(t, nil)
	b.server.Otherwise(llmtest.Reported(llmtest.Content("Sorted."), `{"prompt_tokens":77,"completion_tokens":50}`))
	_, err := b.Ask(testContext(t), wide(60))
	if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelTooLarge {
		t.Errorf("error = %v, want too large", err)
	}
}
