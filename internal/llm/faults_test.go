package llm

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

const (
	tooLongForVLLM = `{"object":"error","message":"This model's maximum context length is 8192 tokens, ` +
		`max_tokens or max_completion_tokens is too large","code":400}`
	invalidForGroq = `{"error":{"message":"Failed","code":"json_validate_failed","failed_generation":"x"}}`
)

// TestFaults drives every fault through the whole client. A fault that is repeated
// gets the same answer each time.
func TestFaults(t *testing.T) {
	t.Parallel()
	const waits = 3 // one request and two repeats
	for _, c := range []struct {
		name  string
		step  llmtest.Step
		kind  analysis.ModelErrorKind
		code  string
		after time.Duration
		calls int
	}{
		{"truncated", llmtest.Truncated(), analysis.ModelBadAnswer, "", 0, 2},
		{"empty", llmtest.Empty(), analysis.ModelBadAnswer, "", 0, 2},
		{"huge", llmtest.Huge(9 << 20), analysis.ModelBadAnswer, "", 0, 1},
		{"refusal", llmtest.Refusal(), analysis.ModelRefused, "", 0, 2},
		{"filtered", llmtest.Filtered(), analysis.ModelRefused, "", 0, 2},
		{"filtered question", llmtest.BadRequest("content_filter"), analysis.ModelRefused, "content_filter", 0, 2},
		{"bad request", llmtest.BadRequest("invalid_value"), analysis.ModelConfig, "invalid_value", 0, 1},
		{"too long", llmtest.BadRequest("context_length_exceeded"), analysis.ModelTooLarge, "context_length_exceeded", 0, 3},
		{"too long, vLLM", llmtest.Status(400, tooLongForVLLM), analysis.ModelTooLarge, "", 0, 3},
		{"too long, FastAPI", llmtest.Status(413, `{"detail":"too large"}`), analysis.ModelTooLarge, "", 0, 3},
		{"too long, llama.cpp", llmtest.Status(400, `{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}`), analysis.ModelTooLarge, "exceed_context_size_error", 0, 3},
		{"cut in silence, Ollama", llmtest.ContextOf(512), analysis.ModelTooLarge, "", 0, 3},
		{"invalid JSON of Groq", llmtest.Status(400, invalidForGroq), analysis.ModelBadAnswer, "json_validate_failed", 0, 2},
		{"unauthorized", llmtest.Unauthorized(), analysis.ModelConfig, "invalid_api_key", 0, 1},
		{"no credit", llmtest.Status(402, `{"error":{"message":"Insufficient credits","code":402}}`), analysis.ModelQuota, "", 0, 1},
		{"forbidden", llmtest.Status(403, `{"error":"no"}`), analysis.ModelConfig, "", 0, 1},
		{"moderation", llmtest.Status(403, `{"error":{"message":"Your input was flagged"}}`), analysis.ModelRefused, "", 0, 2},
		{"no model", llmtest.Status(404, `{"error":{"code":"model_not_found"}}`), analysis.ModelConfig, "model_not_found", 0, 1},
		{"not processable", llmtest.Status(422, `{"detail":[{"loc":["body","n"],"msg":"unexpected"}]}`), analysis.ModelConfig, "", 0, 1},
		{"an error without words", llmtest.Status(400, `{"error":{}}`), analysis.ModelConfig, "", 0, 1},
		{"a status nobody knows", llmtest.Status(418, ""), analysis.ModelConfig, "", 0, 1},
		{"redirect", llmtest.Status(307, "", "Location", "http://127.0.0.1:1/"), analysis.ModelConfig, "", 0, 1},
		{"not modified", llmtest.Status(304, ""), analysis.ModelConfig, "", 0, 1},
		{"quota", llmtest.Quota(), analysis.ModelQuota, "insufficient_quota", 0, 1},
		{"limited for long", llmtest.RateLimited("120"), analysis.ModelRateLimited, "rate_limit_exceeded", 2 * time.Minute, 1},
		{"limited for an hour", llmtest.Status(429, `[{}]`, "Retry-After-Ms", "3600000"), analysis.ModelRateLimited, "", time.Hour, 1},
		{"limited until a date", llmtest.Status(429, "", "Retry-After", "Fri, 31 Dec 2060 23:59:59 GMT"), analysis.ModelRateLimited, "", maxRetryAfter, 1},
		{"limited by a header of OpenAI", llmtest.Status(429, "", "X-Ratelimit-Remaining-Tokens", "0", "X-Ratelimit-Reset-Tokens", "1m30s"), analysis.ModelRateLimited, "", 90 * time.Second, 1},
		{"limited by the body of Gemini", llmtest.Status(429, `[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},{"retryDelay":"37s"}]}}]`), analysis.ModelRateLimited, "", 37 * time.Second, 1},
		{"limited without a time", llmtest.RateLimited(""), analysis.ModelRateLimited, "rate_limit_exceeded", 0, 1},
		{"limited for a moment", llmtest.RateLimited("2"), analysis.ModelRateLimited, "rate_limit_exceeded", 2 * time.Second, waits},
		{"server error", llmtest.ServerError(), analysis.ModelUnavailable, "server_error", 0, waits},
		{"overloaded", llmtest.Status(529, ""), analysis.ModelUnavailable, "", 0, waits},
		{"overloaded for long", llmtest.Status(503, "", "Retry-After", "60"), analysis.ModelUnavailable, "", time.Minute, 1},
		{"thought too long", llmtest.Status(400, `{"error":{"message":"Could not finish the message because max_tokens was reached"}}`), analysis.ModelBadAnswer, "", 0, 2},
		{"HTML", llmtest.HTML(), analysis.ModelUnavailable, "", 0, waits},
		{"HTML with 200", llmtest.Status(200, "<html></html>"), analysis.ModelUnavailable, "", 0, waits},
		{"empty body", llmtest.Status(200, "  "), analysis.ModelUnavailable, "", 0, waits},
		{"a list", llmtest.Status(200, `[]`), analysis.ModelUnavailable, "", 0, waits},
		{"unavailable without a word", llmtest.Status(503, ""), analysis.ModelUnavailable, "", 0, waits},
		{"capacity of Groq", llmtest.Status(498, ""), analysis.ModelUnavailable, "", 0, waits},
		{"wrong length", llmtest.WrongLength(), analysis.ModelUnavailable, "", 0, waits},
		{"64 MiB", llmtest.Huge(64 << 20), analysis.ModelBadAnswer, "", 0, 1},
		{"64 MiB of an error", llmtest.HugeError(64 << 20), analysis.ModelUnavailable, "", 0, waits},
		{"gzip bomb", llmtest.GzipBomb(64 << 20), analysis.ModelBadAnswer, "", 0, 1},
		{"cut body", llmtest.Status(200, `{"choices":[{"mess`), analysis.ModelUnavailable, "", 0, waits},
		{"error inside", llmtest.ErrorInside(), analysis.ModelUnavailable, "", 0, waits},
		{"error string inside", llmtest.Status(200, `{"error":"model crashed"}`), analysis.ModelUnavailable, "", 0, waits},
		{"limit inside", llmtest.Status(200, `{"error":{"code":429,"message":"slow down"}}`), analysis.ModelRateLimited, "", 0, 1},
		{"finish error", llmtest.Status(200, `{"choices":[{"finish_reason":"error"}]}`), analysis.ModelUnavailable, "", 0, waits},
		{"tool calls", llmtest.Status(200, `{"choices":[{"finish_reason":"tool_calls"}]}`), analysis.ModelBadAnswer, "", 0, 2},
		{"zero choices", llmtest.ZeroChoices(), analysis.ModelRefused, "", 0, 2},
		{"refusal in words", llmtest.Content("I’m sorry, but I can’t help with that."), analysis.ModelRefused, "", 0, 2},
		{"reset", llmtest.Reset(), analysis.ModelUnavailable, "", 0, waits},
		{"reset inside", llmtest.ResetInside(), analysis.ModelUnavailable, "", 0, waits},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.server.Otherwise(c.step)
			_, err := b.Ask(testContext(t), wordy())
			got := analysis.ModelErrorOf(err)
			if got == nil {
				t.Fatalf("Ask error = %v, want a *ModelError", err)
			}
			if got.Kind != c.kind || got.Code != c.code || got.RetryAfter != c.after {
				t.Errorf("got kind %q code %q after %s (%v), want %q %q %s",
					got.Kind, got.Code, got.RetryAfter, err, c.kind, c.code, c.after)
			}
			if got.Detail == "" {
				t.Errorf("error %v has no detail", err)
			}
			if n := b.server.Count(); n != c.calls {
				t.Errorf("%d requests, want %d", n, c.calls)
			}
			if b.cache.saved() != 0 {
				t.Errorf("a failed call was saved to the cache")
			}
			wantClean(t, b, err)
		})
	}
}

// wantClean fails when anything that must stay private stands in the chain of an
// error or in the log.
func wantClean(t *testing.T, b bundle, err error) {
	t.Helper()
	texts := b.log.String()
	for e := err; e != nil; e = errors.Unwrap(e) {
		texts += fmt.Sprintf("%v %+v\n", e, e)
	}
	for _, secret := range []string{llmtest.Key, secretSample, "e_mail", "Customer", "BEGIN", "Incorrect API key", "failed_generation"} {
		if strings.Contains(texts, secret) {
			t.Errorf("%q stands in an error or log:\n%s", secret, texts)
		}
	}
}

func TestTimeoutIsUnavailable(t *testing.T) {
	t.Parallel()
	for _, step := range []llmtest.Step{llmtest.Hang(), llmtest.Stall()} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(cfg *Config) { cfg.Timeout = 300 * time.Millisecond })
			b.server.Otherwise(step)
			_, err := b.Ask(testContext(t), customerQuestion())
			if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelUnavailable {
				t.Fatalf("error = %v, want unavailable", err)
			}
			if n := b.server.Count(); n > 1 {
				t.Errorf("%d requests, want no repeat: a timeout was probably billed", n)
			}
			wantClean(t, b, err)
		})
	}
}

func TestUnreachableServer(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	b := setup(t, func(cfg *Config) { cfg.BaseURL = "http://" + address + "/v1" })
	_, err = b.Ask(testContext(t), customerQuestion())
	if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelUnavailable || e.Err == nil {
		t.Errorf("error = %v, want unavailable with a cause", err)
	}
	if len(b.waits.all()) != 2 {
		t.Errorf("%d waits, want 2", len(b.waits.all()))
	}
	b = setup(t, func(cfg *Config) { cfg.BaseURL = strings.Replace(cfg.BaseURL, "http:", "https:", 1) })
	_, err = b.Ask(testContext(t), customerQuestion())
	if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelConfig {
		t.Errorf("https to an http server: %v, want config", err)
	}
}
