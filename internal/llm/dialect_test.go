package llm

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

func TestStepsDownToJSONObject(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]string{
		"Groq":      `{"error":{"message":"This model does not support response format 'json_schema'","type":"invalid_request_error"}}`,
		"string":    `{"error":"'response_format.type' must be 'json_object' or 'text'"}`,
		"parameter": `{"error":{"message":"Unsupported","param":"response_format","code":null}}`,
		"llama.cpp": `{"error":{"code":400,"message":"failed to parse grammar","type":"invalid_request_error"}}`,
		"FastAPI":   `{"detail":[{"loc":["body","response_format","type"],"msg":"unexpected value","input":"x"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, llmtest.Status(http.StatusBadRequest, refusal))
			b.server.Otherwise(llmtest.WithoutJSONSchema())
			answer, err := b.Ask(testContext(t), customerQuestion())
			if err != nil {
				t.Fatalf("Ask: %v", err)
			}
			if answer.Usage.Calls != 2 {
				t.Errorf("%d calls, want 2", answer.Usage.Calls)
			}
			other := customerQuestion()
			other.TenantID = "another"
			if _, err := b.Ask(testContext(t), other); err != nil {
				t.Fatalf("second Ask: %v", err)
			}
			var formats []string
			for _, r := range b.server.Requests() {
				formats = append(formats, r.Format)
			}
			if diff := cmp.Diff([]string{"json_schema", "json_object", "json_object"}, formats); diff != "" {
				t.Errorf("formats (-want +got)\n%s", diff)
			}
			if n := strings.Count(b.log.String(), "feature=json_schema"); n != 1 {
				t.Errorf("the step down is logged %d times, want once", n)
			}
		})
	}
	t.Run("nothing left", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil)
		b.server.Otherwise(llmtest.Status(http.StatusBadRequest, `{"error":"response_format is not supported"}`))
		_, err := b.Ask(testContext(t), customerQuestion())
		if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelConfig || b.server.Count() != 2 {
			t.Errorf("error %v after %d requests, want config after 2", err, b.server.Count())
		}
	})
}

// TestReasoningModels relies on the scripted server to refuse a temperature and
// max_tokens for such names.
func TestReasoningModels(t *testing.T) {
	t.Parallel()
	for _, model := range []string{"o3-mini", "gpt-5.2", "openai/o4-mini", "gpt-6-sol"} {
		b := setup(t, func(cfg *Config) { cfg.Model = model })
		if _, err := b.Ask(testContext(t), customerQuestion()); err != nil {
			t.Errorf("%s: %v", model, err)
		}
	}
	b := setup(t, func(cfg *Config) { cfg.Model = "text-davinci-003" })
	_, err := b.Ask(testContext(t), customerQuestion())
	if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelConfig || b.server.Count() != 0 {
		t.Errorf("a model without chat: %v after %d requests, want config and none", err, b.server.Count())
	}
}

// TestLearnsDialect uses a plain server: the scripted one wants what is unlearned.
func TestLearnsDialect(t *testing.T) {
	t.Parallel()
	var bodies []string
	b := setup(t, nil)
	server := newPlainServer(t, func(body string) (int, string) {
		bodies = append(bodies, body)
		switch {
		case strings.Contains(body, `"max_tokens"`):
			return 400, `{"error":{"message":"Use 'max_completion_tokens' instead.","param":"max_tokens","code":"unsupported_parameter"}}`
		case strings.Contains(body, `"temperature"`):
			return 400, `{"error":{"message":"Unsupported value","param":"temperature","code":"unsupported_value"}}`
		}
		return 200, `{"created":1.5,"choices":[{"finish_reason":null,"message":{"content":[{"type":"text","text":"{}"}]}}]}`
	})
	b.Client = mustNew(t, Config{BaseURL: server})
	answer, err := b.Ask(testContext(t), customerQuestion())
	if err != nil {
		t.Fatalf("Ask: %v", err)
	}
	if string(answer.Raw) != "{}" || answer.Usage.Calls != 3 || !answer.Usage.Estimated || len(bodies) != 3 {
		t.Errorf("answer %q, usage %+v, want {} after 3 calls, estimated", answer.Raw, answer.Usage)
	}
}
