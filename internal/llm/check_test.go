package llm

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

// TestCheckIsSmall relies on the scripted server to refuse what is not in the form of
// the real questions.
func TestCheckIsSmall(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]llmtest.Step{
		"good": llmtest.Good(), "cut off": llmtest.Truncated(), "empty": llmtest.Empty(), "refused": llmtest.Refusal(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, first)
			if err := b.Check(testContext(t)); err != nil {
				t.Fatalf("Check: %v", err)
			}
			if n := b.server.Count(); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
			if size := len(b.server.Last().Body); size > 700 {
				t.Errorf("the request has %d bytes, which is no minimal call:\n%s", size, b.server.Last().Body)
			}
			if b.cache.saved() != 0 {
				t.Error("the answer of a check is in the cache")
			}
		})
	}
}

func TestCheckTellsTheCause(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		step llmtest.Step
		kind analysis.ModelErrorKind
		text string
	}{
		"wrong key":    {llmtest.Unauthorized(), analysis.ModelConfig, "OPENAI_API_KEY"},
		"no model":     {llmtest.Status(404, `{"error":{"code":"model_not_found"}}`), analysis.ModelConfig, "OPENAI_MODEL"},
		"no credit":    {llmtest.Quota(), analysis.ModelQuota, "billing"},
		"no chat API":  {llmtest.HTML(), analysis.ModelUnavailable, ""},
		"finish error": {llmtest.Status(200, `{"choices":[{"finish_reason":"error"}]}`), analysis.ModelUnavailable, ""},
		"no JSON":      {llmtest.Status(http.StatusBadRequest, `{"error":"response_format is not supported"}`), analysis.ModelConfig, "every form"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.server.Otherwise(c.step)
			err := b.Check(testContext(t))
			e := analysis.ModelErrorOf(err)
			if e == nil || e.Kind != c.kind || !strings.Contains(err.Error(), c.text) {
				t.Errorf("Check = %v, want kind %v and %q", err, c.kind, c.text)
			}
		})
	}
}

// TestCheckStepsDown finds a server fine that has no json_schema, as the real
// questions do.
func TestCheckStepsDown(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.server.Otherwise(llmtest.WithoutJSONSchema())
	if err := b.Check(testContext(t)); err != nil {
		t.Fatalf("Check: %v", err)
	}
	if got := b.server.Last().Format; got != llmtest.FormatTool {
		t.Errorf("the last request asks for %q, want a tool", got)
	}
}

func TestCheckEndsWithTheCaller(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, llmtest.Hang())
	ctx, cancel := context.WithCancelCause(testContext(t))
	cause := errors.New("the operator left")
	done := make(chan error, 1)
	go func() { done <- b.Check(ctx) }()
	if err := b.server.Wait(ctx, 1); err != nil {
		t.Fatal(err)
	}
	cancel(cause)
	if err := <-done; !errors.Is(err, cause) {
		t.Errorf("Check = %v, want the cause of the cancellation", err)
	}
}
