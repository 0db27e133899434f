package llm

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

// completionWith is a chat completion with this message, in JSON.
func completionWith(message string) string {
	return `{"id":"x","created":1.7e9,"choices":[{"index":0,"finish_reason":"stop","message":` + message + `}],"usage":{}}`
}

func quoted(text string) string {
	raw, err := json.Marshal(text)
	if err != nil {
		panic(err) // strings always encode
	}
	return string(raw)
}

// repaired are answers that are odd and end all the same in the proposal of a good one,
// after so many requests.
func repaired() []struct {
	step  llmtest.Step
	calls int
} {
	rewritten := llmtest.Rewritten
	body := func(name string, f func(good string) string) llmtest.Step {
		return llmtest.Body(name, func(good string, _ llmtest.Request) string { return f(good) })
	}
	return []struct {
		step  llmtest.Step
		calls int
	}{
		// Taken as they are.
		{rewritten("byte order mark", func(good string) string { return "\ufeff" + good }), 1},
		{rewritten("fence", func(good string) string { return "```json\n" + good + "\n```" }), 1},
		{rewritten("prose around", func(good string) string { return "Sure, here {it} is:\n" + good + "\nLet me know {if} you need more." }), 1},
		{rewritten("thoughts", func(good string) string { return `<think>is it {"decision":1}?</think>` + good }), 1},
		{rewritten("thoughts without a beginning", func(good string) string { return "so s1 is t3.</think>\n" + good }), 1},
		{rewritten("the same twice", func(good string) string { return good + "\n" + strings.ReplaceAll(good, `,"`, `, "`) }), 1},
		{rewritten("indented", func(good string) string { return strings.ReplaceAll(good, ",", ",\n   ") }), 1},
		{body("parts", func(good string) string {
			return completionWith(`{"content":[{"type":"text","text":` + quoted(good[:40]) + `},{"type":"text","text":` + quoted(good[40:]) + `}]}`)
		}), 1},
		{body("arguments as a string", func(good string) string {
			return completionWith(`{"content":null,"tool_calls":[{"function":{"name":"schema_analysis","arguments":` + quoted(good) + `}}]}`)
		}), 1},
		{body("arguments as an object", func(good string) string {
			return completionWith(`{"content":null,"tool_calls":[{"function":{"name":"schema_analysis","arguments":` + good + `}}]}`)
		}), 1},
		{body("blanks to keep the connection", func(good string) string {
			return strings.Repeat(" \n", 5000) + completionWith(`{"content":`+quoted(good)+`}`) + "\n\n "
		}), 1},
		{body("odd fields", func(good string) string {
			return `{"id":7,"created":"today","object":[],"usage":"none","choices":[{"index":"first","finish_reason":null,"logprobs":7,` +
				`"message":{"role":1,"refusal":null,"content":` + quoted(good) + `}}]}`
		}), 1},
		{body("lone surrogate", func(good string) string {
			return completionWith(`{"content":` + strings.Replace(quoted(good), "Scripted answer", `\ud800Scripted answer`, 1) + `}`)
		}), 1},
		// Asked for once more.
		{rewritten("trailing comma", func(good string) string { return strings.Replace(good, "}],", "},],", 1) }), 2},
		{rewritten("unescaped quotes", func(good string) string { return strings.Replace(good, "Scripted answer", `Scripted "answer"`, 1) }), 2},
		{rewritten("duplicate keys", func(good string) string { return `{"decision":"create_new",` + good[1:] }), 2},
		{rewritten("two different objects", func(good string) string { return good + strings.Replace(good, `"s1"`, `"s2"`, 1) }), 2},
		{rewritten("schema violated", func(good string) string { return strings.Replace(good, `"direct"`, `"call"`, 1) }), 2},
		{rewritten("a key too many", func(good string) string { return `{"notes":"x",` + good[1:] }), 2},
		{rewritten("a key too few", func(good string) string { return strings.Replace(good, `"unmapped"`, `"left"`, 1) }), 2},
		{rewritten("cut without a word", func(good string) string { return good[:len(good)/2] }), 2},
		{llmtest.Body("the example of the rules", func(_ string, r llmtest.Request) string {
			return completionWith(`{"content":` + quoted(r.System) + `}`)
		}), 2},
		{llmtest.Body("the prompt", func(_ string, r llmtest.Request) string { return completionWith(`{"content":` + quoted(r.User) + `}`) }), 2},
		{llmtest.InventedEntity(), 2},
		{llmtest.Empty(), 2},
		{body("null", func(string) string { return completionWith(`{"content":null}`) }), 2},
		{body("no message", func(string) string { return `{"choices":[{"finish_reason":"stop"}]}` }), 2},
		{body("a tool without arguments", func(string) string { return completionWith(`{"tool_calls":[{"function":{"name":"x"}}]}`) }), 2},
		{llmtest.Status(400, invalidForGroq), 2},
		// Asked for in another way.
		{llmtest.Refusal(), 2},
		{llmtest.Filtered(), 2},
		{llmtest.BadRequest("content_filter"), 2},
		{llmtest.Truncated(), 2},
		{llmtest.BadRequest("context_length_exceeded"), 2},
		{llmtest.ContextOf(512), 2},
		{llmtest.WithoutJSONSchema(), 2},
		// Sent again.
		{llmtest.RateLimited("1"), 2},
		{llmtest.ServerError(), 2},
		{llmtest.HTML(), 2},
		{llmtest.ErrorInside(), 2},
		{llmtest.Reset(), 2},
		{llmtest.ResetInside(), 2},
		{llmtest.WrongLength(), 2},
	}
}

func TestRepairedFaults(t *testing.T) {
	t.Parallel()
	q := wordy()
	good := setup(t, nil)
	answer, err := good.Ask(testContext(t), q)
	if err != nil {
		t.Fatal(err)
	}
	want, err := good.Read(q, answer.Raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range repaired() {
		t.Run(c.step.String(), func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, c.step)
			answer, err := b.Ask(testContext(t), q)
			if err != nil {
				t.Fatalf("Ask: %v", err)
			}
			got, err := b.Read(q, answer.Raw)
			if err != nil {
				t.Fatalf("Read: %v", err)
			}
			got.Reasoning = strings.TrimPrefix(got.Reasoning, "\ufffd")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("proposal (-want +got)\n%s", diff)
			}
			if n := b.server.Count(); n != c.calls {
				t.Errorf("%d requests, want %d", n, c.calls)
			}
			wantClean(t, b, nil)
		})
	}
}

// wordy is a question with enough of everything to be shortened, and longer than the
// smallest context.
func wordy() analysis.Question {
	q := customerQuestion()
	for i := range 30 {
		q.Entities[0].Fields = append(q.Entities[0].Fields, analysis.QuestionField{
			Name: fmt.Sprintf("order_detail_%d", i), Type: "string", Description: "one of the many details that an order may have",
		})
	}
	return q
}

// TestRepairedAnswersAreKept under the first request, whatever it took to get them.
func TestRepairedAnswersAreKept(t *testing.T) {
	t.Parallel()
	for _, step := range []llmtest.Step{
		llmtest.Content("Certainly!"), llmtest.Refusal(), llmtest.Truncated(), llmtest.BadRequest("context_length_exceeded"), llmtest.InventedEntity(),
	} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, step)
			for range 2 {
				if _, err := b.Ask(testContext(t), customerQuestion()); err != nil {
					t.Fatal(err)
				}
			}
			if n := b.server.Count(); n != 2 {
				t.Errorf("%d requests, want 2: the second question is answered by the cache", n)
			}
		})
	}
}

// TestMaskedQuestionShowsNoValues: what offended a filter is left out, once.
func TestMaskedQuestionShowsNoValues(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, llmtest.Refusal())
	if _, err := b.Ask(testContext(t), customerQuestion()); err != nil {
		t.Fatal(err)
	}
	first, second := b.server.Requests()[0].User, b.server.Requests()[1].User
	for _, value := range []string{secretSample, "first name, then last"} {
		if !strings.Contains(first, value) || strings.Contains(second, value) {
			t.Errorf("%q stands in the second question, or not in the first", value)
		}
	}
	if !strings.Contains(second, "Aaaaa Aaaaaaaaaa") {
		t.Error("the shape of the value is gone, too")
	}
	plain := customerQuestion()
	plain.Source = plain.Source[:1]
	b = setup(t, nil)
	b.server.Otherwise(llmtest.Refusal())
	if _, err := b.Ask(testContext(t), plain); analysis.ModelErrorOf(err) == nil || b.server.Count() != 1 {
		t.Errorf("error %v after %d requests, want no second one with nothing to mask", err, b.server.Count())
	}
}

// TestShorterQuestions leave out ever more, and no line.
func TestShorterQuestions(t *testing.T) {
	t.Parallel()
	q, _, _ := wideQuestions()
	b := setup(t, nil)
	b.server.Otherwise(llmtest.BadRequest("context_length_exceeded"))
	if _, err := b.Ask(testContext(t), q); analysis.ModelErrorOf(err) == nil {
		t.Fatal("Ask succeeds")
	}
	requests := b.server.Requests()
	if len(requests) != 3 {
		t.Fatalf("%d requests, want 3", len(requests))
	}
	for i := range requests[1:] {
		longer, shorter := requests[i].User, requests[i+1].User
		if len(shorter) >= len(longer) || strings.Count(shorter, "\n") != strings.Count(longer, "\n") {
			t.Errorf("question %d is not a shorter form of the one before:\n%s", i+1, shorter)
		}
	}
	last := requests[2].User
	for _, detail := range []string{"shape=", "about=", "also=", "sample="} {
		if strings.Contains(last, detail) {
			t.Errorf("the shortest question still has %s", detail)
		}
	}
	if !strings.Contains(last, "format=") {
		t.Error("the shortest question has lost the formats")
	}
}

// TestNothingToShorten: a question of names alone is put once.
func TestNothingToShorten(t *testing.T) {
	t.Parallel()
	q := wide(5)
	q.Entities = nil
	b := setup(t, nil)
	b.server.Otherwise(llmtest.BadRequest("context_length_exceeded"))
	if _, err := b.Ask(testContext(t), q); analysis.ModelErrorOf(err) == nil || b.server.Count() != 1 {
		t.Errorf("error %v after %d requests, want one: nothing can be left out", err, b.server.Count())
	}
}

func TestCertificateThatNobodySigned(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	b := setup(t, func(cfg *Config) { cfg.BaseURL = server.URL + "/v1" })
	_, err := b.Ask(testContext(t), customerQuestion())
	if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelConfig || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error = %v, want config about the certificate", err)
	}
}

// TestIdleConnectionsMayBeClosed by the server at any moment.
func TestIdleConnectionsMayBeClosed(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for i := range 5 {
		askEach(t, b, fmt.Sprint("tenant", i))
		b.server.CloseConnections()
	}
	if n := b.server.Count(); n != 5 {
		t.Errorf("%d requests, want 5: nothing is asked twice", n)
	}
}
