package llm

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

// formats are how the server was asked for the form of answers.
func formats(b bundle) (list []llmtest.Format) {
	for _, r := range b.server.Requests() {
		list = append(list, r.Format)
	}
	return list
}

// askEach asks the same for several tenants, so that no answer comes from the cache.
func askEach(t *testing.T, b bundle, tenants ...string) {
	t.Helper()
	for _, tenant := range tenants {
		q := customerQuestion()
		q.TenantID = tenant
		answer, err := b.Ask(testContext(t), q)
		if err != nil {
			t.Fatalf("Ask for %s: %v", tenant, err)
		}
		if _, err := b.Read(q, answer.Raw); err != nil {
			t.Fatalf("Read for %s: %v", tenant, err)
		}
	}
}

const (
	strict, loose, tool = llmtest.FormatStrict, llmtest.FormatSchema, llmtest.FormatTool
	object, plainText   = llmtest.FormatObject, llmtest.FormatPlain
)

// TestLadder has servers refuse what they really do, in their words. The second question
// begins where the first ended.
func TestLadder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, message string
		refuses       []llmtest.Format
		want          []llmtest.Format
	}{
		{"Groq", "This model does not support response format `json_schema`.", []llmtest.Format{strict, loose}, []llmtest.Format{strict, tool, tool}},
		{"strict", "Unknown parameter: 'response_format.json_schema.strict'.", []llmtest.Format{strict}, []llmtest.Format{strict, loose, loose}},
		{"LiteLLM", "litellm.UnsupportedParamsError: vertex does not support parameters: ['response_format']", []llmtest.Format{strict, loose, object}, []llmtest.Format{strict, tool, tool}},
		{"llama.cpp, grammar", "failed to parse grammar", []llmtest.Format{strict, loose}, []llmtest.Format{strict, strict, tool, tool}},
		{"Gemini, keywords", `Invalid JSON payload received. Unknown name \"additionalProperties\" at 'generation_config.response_schema'`,
			[]llmtest.Format{strict, loose}, []llmtest.Format{strict, strict, tool, tool}},
		{"neither schema nor tools", "json_schema and tools are not supported", []llmtest.Format{strict, loose, tool}, []llmtest.Format{strict, tool, object, object}},
		{"nothing but text", "response_format, tools and tool_choice are not supported", []llmtest.Format{strict, loose, tool, object},
			[]llmtest.Format{strict, tool, object, plainText, plainText}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.server.Otherwise(llmtest.Refusing(c.message, c.refuses...))
			askEach(t, b, "first", "second")
			if diff := cmp.Diff(c.want, formats(b)); diff != "" {
				t.Errorf("formats (-want +got)\n%s", diff)
			}
			if warned, want := strings.Count(b.log.String(), "refuses a feature"), len(c.want)-2; warned != want {
				t.Errorf("%d warnings, want one for each step", warned)
			}
			wantClean(t, b, nil)
		})
	}
}

// TestLadderInOtherShapes is about the shapes of refusals, not about their words.
func TestLadderInOtherShapes(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]llmtest.Step{
		"string":     llmtest.Status(400, `{"error":"'response_format.type' must be 'json_object' or 'text'"}`),
		"parameter":  llmtest.Status(400, `{"error":{"message":"Unsupported","param":"response_format","code":null}}`),
		"FastAPI":    llmtest.Status(422, `{"detail":[{"loc":["body","response_format","type"],"msg":"unexpected value","input":"x"}]}`),
		"OpenRouter": llmtest.Status(404, `{"error":{"message":"No endpoints found that can handle the requested parameters.","code":404}}`),
		"not there":  llmtest.Status(501, `{"error":{"message":"structured_outputs: not implemented"}}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, refusal)
			askEach(t, b, "first")
			if diff := cmp.Diff([]llmtest.Format{strict, tool}, formats(b)); diff != "" {
				t.Errorf("formats (-want +got)\n%s", diff)
			}
		})
	}
	t.Run("tools that llama.cpp can not", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil, llmtest.Status(400, `{"error":"response_format"}`), llmtest.Status(500, `{"error":{"message":"tools param requires --jinja flag","code":500}}`))
		askEach(t, b, "first")
		if diff := cmp.Diff([]llmtest.Format{strict, tool, object}, formats(b)); diff != "" {
			t.Errorf("formats (-want +got)\n%s", diff)
		}
	})
	t.Run("restricted is not strict", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil)
		b.server.Otherwise(llmtest.Status(400, `{"error":{"message":"This account is restricted."}}`))
		_, err := b.Ask(testContext(t), customerQuestion())
		if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelConfig || b.server.Count() != 1 {
			t.Errorf("error %v after %d requests, want config after 1", err, b.server.Count())
		}
	})
	t.Run("nothing left", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil)
		b.server.Otherwise(llmtest.Status(400, `{"error":"neither response_format nor tools nor text"}`))
		_, err := b.Ask(testContext(t), customerQuestion())
		if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelConfig || !strings.Contains(err.Error(), "another model or server") {
			t.Errorf("error %v, want config", err)
		}
	})
}

// TestBareSchemaIsTriedOnce: descriptions go at first, under strict nothing else may.
func TestBareSchemaIsTriedOnce(t *testing.T) {
	t.Parallel()
	const complaint = "Invalid schema for response_format: 'description' is not permitted"
	b := setup(t, nil, llmtest.Refusing(complaint, strict))
	askEach(t, b, "first", "second")
	requests := b.server.Requests()
	if diff := cmp.Diff([]llmtest.Format{strict, strict, strict}, formats(b)); diff != "" {
		t.Fatalf("formats (-want +got)\n%s", diff)
	}
	for i, wants := range []bool{true, false, false} {
		if has := strings.Contains(requests[i].Schema, `"description": "id such as`) || strings.Contains(requests[i].Schema, `"description":"id such as`); has != wants {
			t.Errorf("the schema of request %d has descriptions: %t, want %t", i, has, wants)
		}
		if !strings.Contains(requests[i].Schema, "additionalProperties") || !strings.Contains(requests[i].Schema, `"new_entity"`) {
			t.Errorf("the schema of request %d is not strict any more:\n%s", i, requests[i].Schema)
		}
	}
}

// TestIgnoredFormStepsDown is about servers that take a form and do not enforce it: for
// the one call at once, for good after three in a row.
func TestIgnoredFormStepsDown(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"prose":         "Certainly! I have mapped your fields.",
		"think only":    "<think>s1 looks like t3",
		"another form":  `{"mapping":{"email":"email"}}`,
		"empty":         "",
		"cut in itself": `{"decision":"map_to_existing",`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.server.Otherwise(llmtest.Ignoring(text, strict, loose))
			askEach(t, b, "first", "second", "third", "fourth")
			want := []llmtest.Format{strict, tool, strict, tool, strict, tool, tool}
			if diff := cmp.Diff(want, formats(b)); diff != "" {
				t.Errorf("formats (-want +got)\n%s", diff)
			}
			if !strings.Contains(b.server.Requests()[1].User, "could not be used: the answer") {
				t.Errorf("the second request does not say what was wrong:\n%s", b.server.Requests()[1].User)
			}
			if strings.Count(b.log.String(), "does not enforce the form") != 1 {
				t.Errorf("the log does not say it once:\n%s", b.log.String())
			}
		})
	}
	t.Run("usable in prose", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil)
		b.server.Otherwise(llmtest.Fenced())
		askEach(t, b, "first", "second", "third", "fourth")
		if diff := cmp.Diff([]llmtest.Format{strict, strict, strict, tool}, formats(b)); diff != "" {
			t.Errorf("formats (-want +got)\n%s", diff)
		}
	})
	t.Run("now and then", func(t *testing.T) {
		t.Parallel()
		prose := llmtest.Ignoring("Certainly!", strict)
		b := setup(t, nil, prose, llmtest.Good(), prose, llmtest.Good(), llmtest.Good(), prose, llmtest.Good(), prose, llmtest.Good())
		askEach(t, b, "1", "2", "3", "4", "5", "6")
		want := []llmtest.Format{strict, tool, strict, tool, strict, strict, tool, strict, tool, strict}
		if diff := cmp.Diff(want, formats(b)); diff != "" {
			t.Errorf("formats (-want +got)\n%s", diff)
		}
	})
	t.Run("a decision that is wrong says nothing", func(t *testing.T) {
		t.Parallel()
		wrong := llmtest.InventedEntity()
		b := setup(t, nil, wrong, llmtest.Good(), wrong, llmtest.Good(), wrong, llmtest.Good(), wrong, llmtest.Good())
		askEach(t, b, "1", "2", "3", "4")
		for i, format := range formats(b) {
			if format != strict {
				t.Errorf("request %d asks for %q, want %q: the form was kept", i, format, strict)
			}
		}
	})
}

// notebook is a Memory that two clients share.
type notebook struct {
	mu   sync.Mutex
	text []byte
	err  error
}

func (n *notebook) Recall(context.Context) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text, n.err
}

func (n *notebook) Remember(_ context.Context, text []byte, _ time.Duration) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.text = text
	return n.err
}

func TestWhatOneWorkerLearnedAllKnow(t *testing.T) {
	t.Parallel()
	shared := &notebook{}
	remembering := func(cfg *Config) { cfg.Memory = shared }
	first, early := setup(t, remembering), setup(t, remembering)
	now := time.Now()
	early.spoken.now = func() time.Time { return now }
	for _, b := range []bundle{first, early} {
		b.server.Otherwise(llmtest.WithoutJSONSchema())
	}
	early.spoken.current(t.Context()) // it looks before there is anything
	askEach(t, first, "1")
	restarted := setup(t, remembering)
	askEach(t, restarted, "1")
	if diff := cmp.Diff([]llmtest.Format{tool}, formats(restarted)); diff != "" {
		t.Errorf("formats after a restart (-want +got)\n%s", diff)
	}
	now = now.Add(recallEvery)
	askEach(t, early, "1")
	if diff := cmp.Diff([]llmtest.Format{tool}, formats(early)); diff != "" {
		t.Errorf("formats of a worker that ran already (-want +got)\n%s", diff)
	}
}

// TestMemoryMayBeAway, or hold anything.
func TestMemoryMayBeAway(t *testing.T) {
	t.Parallel()
	for _, broken := range []*notebook{
		{err: errors.New("redis is away")}, {text: []byte("\x00 no JSON")}, {text: []byte(`{"rung":99,"learned_ms":9e15}`)}, {text: []byte(`{"rung":-1}`)},
	} {
		b := setup(t, func(cfg *Config) { cfg.Memory = broken }, llmtest.WithoutJSONSchema())
		askEach(t, b, "1", "2")
		if diff := cmp.Diff([]llmtest.Format{strict, tool, tool}, formats(b)); diff != "" {
			t.Errorf("%q: formats (-want +got)\n%s", broken.text, diff)
		}
	}
}

// TestRungIsTriedAgainAfterADay: servers are updated.
func TestRungIsTriedAgainAfterADay(t *testing.T) {
	t.Parallel()
	shared := &notebook{}
	b := setup(t, func(cfg *Config) { cfg.Memory = shared })
	now := time.Now()
	b.spoken.now = func() time.Time { return now }
	b.server.Otherwise(llmtest.Refusing("response_format and tools are not supported", strict, loose, tool, object))
	askEach(t, b, "1")
	now = now.Add(learnedFor - time.Minute)
	askEach(t, b, "2")
	now = now.Add(2 * time.Minute)
	askEach(t, b, "3") // one up, in vain
	now = now.Add(learnedFor + time.Minute)
	b.server.Otherwise(llmtest.Good()) // the server can do everything now
	askEach(t, b, "4", "5")
	now = now.Add(learnedFor + time.Minute)
	askEach(t, b, "6")
	now = now.Add(learnedFor + time.Minute)
	askEach(t, b, "7")
	want := []llmtest.Format{
		strict, tool, object, plainText, // 1
		plainText,         // 2
		object, plainText, // 3
		object, object, // 4, 5
		tool,   // 6
		strict, // 7
	}
	if diff := cmp.Diff(want, formats(b)); diff != "" {
		t.Errorf("formats (-want +got)\n%s", diff)
	}
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
		return 200, `{"created":1.5,"choices":[{"finish_reason":null,"message":{"content":[{"type":"text","text":"` + strings.ReplaceAll(string(testAnswer(nil)), `"`, `\"`) + `"}]}}]}`
	})
	b.Client = mustNew(t, Config{BaseURL: server})
	answer, err := b.Ask(testContext(t), customerQuestion())
	if err != nil {
		t.Fatalf("Ask: %v", err)
	}
	if string(answer.Raw) != string(testAnswer(nil)) || answer.Usage.Calls != 3 || !answer.Usage.Estimated || len(bodies) != 3 {
		t.Errorf("answer %q, usage %+v, want it after 3 calls, estimated", answer.Raw, answer.Usage)
	}
}
