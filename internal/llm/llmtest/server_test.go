package llmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testPrompt = `BEGIN ENTITIES 0
e1 | "Order" | score=0.10
t1 | "order_id" | decimal | required
e2 | "Person" | score=0.90
t2 | "email" | email
t3 | "fullName" | string | taken
END ENTITIES 0

BEGIN SOURCE 0
s1 | "E-Mail" | string
s2 | "full name" | string
END SOURCE 0
`

const strictSchema = `{"type":"object","additionalProperties":false,"required":["a"],"properties":{"a":{"type":"string"}}}`

func testBody(change func(body map[string]any)) []byte {
	body := map[string]any{
		"model": "gpt-4.1-mini", "temperature": 0, "max_tokens": 100,
		"messages": []any{
			map[string]any{"role": "system", "content": "Answer in JSON. additionalProperties"},
			map[string]any{"role": "user", "content": testPrompt},
		},
		"response_format": map[string]any{"type": "json_schema", "json_schema": map[string]any{
			"name": "x", "strict": true, "schema": json.RawMessage(strictSchema),
		}},
	}
	if change != nil {
		change(body)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return raw
}

// post sends a body and returns the status and the body of the response.
func post(t *testing.T, client *http.Client, s *Server, path string, body []byte) (int, []byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.BaseURL()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+Key)
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, raw, err
}

func newClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestValidatesRequests(t *testing.T) {
	t.Parallel()
	schemaOf := func(body map[string]any, raw string) {
		format, _ := body["response_format"].(map[string]any)
		inner, _ := format["json_schema"].(map[string]any)
		inner["schema"] = json.RawMessage(raw)
	}
	for _, c := range []struct {
		name   string
		change func(body map[string]any)
		want   string // part of a problem, empty for none
	}{
		{"good", nil, ""},
		{"json_object", func(b map[string]any) { b["response_format"] = map[string]any{"type": "json_object"} }, ""},
		{"no temperature", func(b map[string]any) { delete(b, "temperature") }, "temperature is not 0"},
		{"warm", func(b map[string]any) { b["temperature"] = 1 }, "temperature is not 0"},
		{"warm reasoning", func(b map[string]any) { b["model"] = "openai/o3" }, "a reasoning model gets"},
		{"no model", func(b map[string]any) { b["model"] = "" }, "model is empty"},
		{"no limit", func(b map[string]any) { delete(b, "max_tokens") }, "not exactly one"},
		{"stream", func(b map[string]any) { b["stream"] = true }, "stream is true"},
		{"one message", func(b map[string]any) { b["messages"] = []any{} }, "messages are not"},
		{"plain text", func(b map[string]any) { delete(b, "response_format") }, ""}, // the schema stands in the prompt
		{"plain text without the schema", func(b map[string]any) {
			delete(b, "response_format")
			b["messages"] = []any{map[string]any{"role": "system", "content": "JSON"}, map[string]any{"role": "user", "content": "x"}}
		}, "nothing enforces the schema"},
		{"unknown format", func(b map[string]any) { b["response_format"] = map[string]any{"type": "xml"} }, `response_format.type is "xml"`},
		{"tool", func(b map[string]any) {
			delete(b, "response_format")
			b["tools"] = []any{map[string]any{"type": "function", "function": map[string]any{"name": "a", "parameters": json.RawMessage(strictSchema)}}}
			b["tool_choice"] = map[string]any{"type": "function", "function": map[string]any{"name": "a"}}
		}, ""},
		{"tool that is not forced", func(b map[string]any) {
			delete(b, "response_format")
			b["tools"] = []any{map[string]any{"type": "function", "function": map[string]any{"name": "a", "parameters": json.RawMessage(strictSchema)}}}
		}, "or it is not forced"},
		{"keyword", func(b map[string]any) {
			schemaOf(b, strings.Replace(strictSchema, `"string"`, `"string","minLength":1`, 1))
		}, `keyword "minLength"`},
		{"extra keys", func(b map[string]any) {
			schemaOf(b, strings.Replace(strictSchema, `"additionalProperties":false,`, "", 1))
		}, "additionalProperties is not false"},
		{"optional", func(b map[string]any) { schemaOf(b, strings.Replace(strictSchema, `["a"]`, `[]`, 1)) }, "required is not all of a"},
		{"nullable", func(b map[string]any) {
			schemaOf(b, strings.Replace(strictSchema, `{"type":"string"}`, `{"type":["string","null"]}`, 1))
		}, "type is not one word"},
		{"deep", func(b map[string]any) {
			deep := strings.Repeat(`{"type":"array","items":`, 6) + `{"type":"string"}` + strings.Repeat("}", 6)
			schemaOf(b, strings.Replace(strictSchema, `{"type":"string"}`, deep, 1))
		}, "nested deeper"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// Not Start: the problems are expected here.
			s, err := Listen(t.Context(), "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			status, _, err := post(t, newClient(t), s, "/chat/completions", testBody(c.change))
			if err != nil {
				t.Fatal(err)
			}
			problems := strings.Join(s.Last().Problems, "; ")
			if c.want == "" && (status != http.StatusOK || problems != "") {
				t.Errorf("status %d, problems %q, want 200 and none", status, problems)
			}
			if c.want != "" && (status != http.StatusBadRequest || !strings.Contains(problems, c.want)) {
				t.Errorf("status %d, problems %q, want 400 with %q", status, problems, c.want)
			}
		})
	}
}

// recorder is a TB that keeps what it is told.
type recorder struct {
	testing.TB
	cleanup func()
	errors  []string
}

func (*recorder) Helper()            {}
func (r *recorder) Cleanup(f func()) { r.cleanup = f }
func (r *recorder) Errorf(format string, a ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, a...))
}
func (r *recorder) Fatalf(format string, a ...any) { r.Errorf(format, a...) }

func TestStartFailsTheTestOnBadRequests(t *testing.T) {
	t.Parallel()
	r := recorder{TB: t}
	s := Start(&r)
	if _, _, err := post(t, newClient(t), s, "/completions", []byte("{")); err != nil {
		t.Fatal(err)
	}
	r.cleanup()
	s.Close() // closing twice does nothing
	if len(r.errors) != 2 || !strings.Contains(strings.Join(r.errors, ";"), "/v1/completions") {
		t.Errorf("errors %q, want the path and the body", r.errors)
	}
}

func TestGoodAnswer(t *testing.T) {
	t.Parallel()
	mapped := goodAnswer(testPrompt)
	want := []Mapping{direct("s1", "t2")}
	if mapped.Entity != "e2" || mapped.Decision != "map_to_existing" {
		t.Errorf("answer %+v, want e2", mapped)
	}
	if diff := cmp.Diff(want, mapped.Mappings); diff != "" {
		t.Errorf("mappings (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"s2"}, mapped.Unmapped); diff != "" {
		t.Errorf("unmapped (-want +got)\n%s", diff)
	}
	created := goodAnswer("s1 | \"!\" | string\ns2 | \"leadId\" | float | x\ns3 | \"Tags\" | array[string]\ns4 | \"lead id\" | string\n")
	wantEntity := NewEntity{Name: "Lead", Description: "Made by the scripted model.", Fields: []Field{
		{Name: "lead_id", Type: "decimal"}, {Name: "tags", Type: "array[string]"},
	}}
	if diff := cmp.Diff(wantEntity, created.NewEntity); diff != "" {
		t.Errorf("new entity (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"s1", "s4"}, created.Unmapped); diff != "" {
		t.Errorf("unmapped (-want +got)\n%s", diff)
	}
}

func TestScriptOrderAndStatus(t *testing.T) {
	t.Parallel()
	s := Start(t, Unauthorized())
	s.Script(HTML())
	s.Otherwise(Delayed(time.Millisecond, Content("x")))
	client := newClient(t)
	var statuses []int
	for range 4 {
		status, _, err := post(t, client, s, "/chat/completions", testBody(nil))
		if err != nil {
			t.Fatal(err)
		}
		statuses = append(statuses, status)
	}
	if diff := cmp.Diff([]int{401, 502, 200, 200}, statuses); diff != "" {
		t.Errorf("statuses (-want +got)\n%s", diff)
	}
	if err := s.Wait(t.Context(), 4); err != nil || s.Count() != 4 {
		t.Errorf("Wait: %v after %d", err, s.Count())
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	cancel(reason)
	if err := s.Wait(ctx, 5); !errors.Is(err, reason) {
		t.Errorf("Wait for what never comes: %v", err)
	}
	url := strings.TrimSuffix(s.BaseURL(), "/v1") + "/llmtest/requests"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if got := strings.TrimSpace(string(raw)); err != nil || got != `{"count":4,"problems":[]}` {
		t.Errorf("status is %s (%v)", got, err)
	}
}

func TestCloseReleasesHangingSteps(t *testing.T) {
	t.Parallel()
	for _, step := range []Step{Hang(), Stall(), Delayed(time.Hour, Good())} {
		s := Start(t, step)
		done := make(chan error, 1)
		client := newClient(t)
		go func() {
			_, _, err := post(t, client, s, "/chat/completions", testBody(nil))
			done <- err
		}()
		if err := s.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		s.Close()
		t.Logf("%s ended with error %v", step, <-done) // with or without: it must only end
	}
}
