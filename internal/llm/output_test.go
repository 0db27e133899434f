package llm

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/schema"
)

// wide is a question about so many fields.
func wide(fields int) analysis.Question {
	q := customerQuestion()
	q.Source = q.Source[:0]
	for i := range fields {
		q.Source = append(q.Source, analysis.SourceField{Name: fmt.Sprintf("field_%d", i), Type: "string"})
	}
	return q
}

// outputs are the limits of output tokens that the server saw.
func outputs(b bundle) (limits []int) {
	for _, r := range b.server.Requests() {
		limits = append(limits, r.MaxOutput)
	}
	return limits
}

func TestOutputFollowsTheQuestion(t *testing.T) {
	t.Parallel()
	repair := wide(60)
	repair.Repair = repairQuestion().Repair
	for _, c := range []struct {
		name  string
		model string
		q     analysis.Question
		want  int
	}{
		{"small", "gpt-4.1-mini", customerQuestion(), 896},
		{"sixty fields", "gpt-4.1-mini", wide(60), 8_192},
		{"wide", "gpt-4.1-mini", wide(1_000), 16_384},
		{"a repair is about its failures", "gpt-4.1-mini", repair, 768}, // s2, and s3 that is left
		{"thoughts count, too", "o4-mini", customerQuestion(), 16_384},
		{"an open model that thinks", "Qwen3-8B-Q4_K_M", customerQuestion(), 16_384},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(cfg *Config) { cfg.Model = c.model })
			if _, err := b.Ask(testContext(t), c.q); err != nil {
				t.Fatalf("Ask: %v", err)
			}
			if diff := cmp.Diff([]int{c.want}, outputs(b)); diff != "" {
				t.Errorf("limits of output (-want +got)\n%s", diff)
			}
		})
	}
}

// TestBoundHoldsAnyHonestAnswer makes the longest answer that the rules allow: each
// field of a new entity described, and mapped by a formula with its reason.
func TestBoundHoldsAnyHonestAnswer(t *testing.T) {
	t.Parallel()
	const fields = 60
	a := answer{Decision: "create_new", SourceName: "customer_orders_export", Reasoning: strings.Repeat("A reviewer reads this. ", 8)}
	a.NewEntity.Name, a.NewEntity.Description = "CustomerOrder", strings.Repeat("what it is ", 10)
	for i := range fields {
		a.NewEntity.Fields = append(a.NewEntity.Fields, answerField{
			Name: fmt.Sprintf("customer_order_field_%d", i), Type: "datetime", Description: "When the order was placed by the customer.",
		})
		a.Mappings = append(a.Mappings, answerMapping{
			Sources: []string{fmt.Sprintf("s%d", i+1)}, Target: fmt.Sprintf("n%d", i+1), Op: string(schema.OpFormatConversion), Band: "medium",
			Args: []answerArgument{{"in_format", "DD.MM.YYYY"}, {"out_format", "YYYY-MM-DD"}},
			Why:  "German name for the date of an order; its shape has the day first",
		})
	}
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	// JSON of this kind has about four bytes a token.
	if tokens, bound := len(raw)/4, answerTokens(wide(fields)); tokens > bound {
		t.Errorf("an answer of about %d tokens does not fit into %d", tokens, bound)
	}
}

func TestCutAnswerGetsMoreRoomOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		model string
		step  llmtest.Step
		want  []int
		err   bool
	}{
		{"it was too little", "gpt-4.1-mini", llmtest.CutBelow(1_000), []int{896, 1_792}, false},
		{"it is never enough", "gpt-4.1-mini", llmtest.Truncated(), []int{896, 1_792}, true},
		{"thoughts were long", "o4-mini", llmtest.CutBelow(20_000), []int{16_384, 32_768}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(cfg *Config) { cfg.Model = c.model })
			b.server.Otherwise(c.step)
			got, err := b.Ask(testContext(t), customerQuestion())
			if diff := cmp.Diff(c.want, outputs(b)); diff != "" {
				t.Errorf("limits of output (-want +got)\n%s", diff)
			}
			if got.Usage.Calls != 2 || got.Usage.PromptTokens == 0 {
				t.Errorf("usage = %+v, want both calls in it", got.Usage)
			}
			if e := analysis.ModelErrorOf(err); (e != nil && e.Kind == analysis.ModelBadAnswer) != c.err || err != nil && !c.err {
				t.Fatalf("error = %v, want bad_answer: %v", err, c.err)
			}
			if c.err {
				return
			}
			again, err := b.Ask(testContext(t), customerQuestion())
			if err != nil || again.Usage.CachedCalls != 1 || b.server.Count() != 2 {
				t.Errorf("asked again: usage %+v, error %v, %d requests; want the cached answer", again.Usage, err, b.server.Count())
			}
		})
	}
}

// TestLoopGetsNoMoreRoom has what a real model of 270 million parameters answered.
func TestLoopGetsNoMoreRoom(t *testing.T) {
	t.Parallel()
	const loop = `{ "name": "birth_date", "type": "date", "required": true, "description": "Customer's birth date" },
      { "name": "full_name", "type": "string", "required": true, "description": "Customer's name" },`
	whole, err := json.Marshal(manyMappings(100))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		calls      int
	}{
		{"a loop", `{"decision":"map_to_existing","new_entity":{"fields":[` + strings.Repeat(loop, 15)[:2_500], 1},
		{"blanks", `{"decision":` + strings.Repeat("\t", 3_000), 1},
		{"a loop through many fields", strings.Repeat(string(whole[:3_000]), 2), 1},
		{"a short loop may end", strings.Repeat("x", 512), 2},
		{"mappings that look alike", string(whole[:len(whole)/2]), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.server.Otherwise(llmtest.Cut(c.text))
			_, err := b.Ask(testContext(t), customerQuestion())
			if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelBadAnswer || b.server.Count() != c.calls {
				t.Errorf("error %v after %d requests, want bad_answer after %d", err, b.server.Count(), c.calls)
			}
		})
	}
}

// manyMappings are as dull as they can be.
func manyMappings(n int) answer {
	a := answer{Decision: "map_to_existing", Entity: "e1"}
	for i := range n {
		a.Mappings = append(a.Mappings, answerMapping{
			Sources: []string{fmt.Sprintf("s%d", i+1)}, Target: fmt.Sprintf("t%d", i+1), Op: "direct", Band: "high", Why: "equal names",
		})
	}
	return a
}

// TestRamblingIsABadAnswer: whatever ends the second try, a cut answer came first, so
// the model is there and a run must not wait for it.
func TestRamblingIsABadAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		second  llmtest.Step
		timeout time.Duration
	}{
		"no end in sight": {llmtest.Hang(), 3 * time.Second},
		"not so much": {
			llmtest.Status(400, `{"error":{"message":"max_tokens is too large: this model supports at most 1000"}}`), time.Minute,
		},
		"no room for both": {llmtest.BadRequest("context_length_exceeded"), time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(cfg *Config) { cfg.Timeout = c.timeout }, llmtest.Truncated())
			b.server.Otherwise(c.second)
			_, err := b.Ask(testContext(t), customerQuestion())
			if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelBadAnswer || b.server.Count() != 2 {
				t.Errorf("error %v after %d requests, want bad_answer after 2", err, b.server.Count())
			}
		})
	}
	t.Run("away", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil, llmtest.Truncated())
		b.server.Otherwise(llmtest.ServerError())
		_, err := b.Ask(testContext(t), customerQuestion())
		if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelUnavailable {
			t.Errorf("error = %v, want unavailable: the server may be back with a whole answer", err)
		}
	})
}

func TestLearnsThatTheModelThinks(t *testing.T) {
	t.Parallel()
	for name, message := range map[string]string{
		"tag":               `{"content":"<think>Let me see"}`,
		"reasoning_content": `{"content":"","reasoning_content":"Let me see"}`,
		"reasoning":         `{"content":null,"reasoning":"Let me see"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, llmtest.Status(200, `{"choices":[{"finish_reason":"length","message":`+message+`}]}`))
			for _, tenant := range []string{"first", "second"} {
				q := customerQuestion()
				q.TenantID = tenant
				if _, err := b.Ask(testContext(t), q); err != nil {
					t.Fatalf("Ask: %v", err)
				}
			}
			if diff := cmp.Diff([]int{896, 16_384, 16_384}, outputs(b)); diff != "" {
				t.Errorf("limits of output (-want +got)\n%s", diff)
			}
		})
	}
}
