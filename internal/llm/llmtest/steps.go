package llmtest

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Step answers one request.
type Step struct {
	name  string
	reply func(c *call)
}

// String returns the name of the step, for the names of subtests.
func (s Step) String() string { return s.name }

// call is a request that a step answers.
type call struct {
	w        http.ResponseWriter
	r        *http.Request
	request  Request
	released <-chan struct{}
	ignores  bool            // that the answer was to be the arguments of a tool
	usage    json.RawMessage // reported instead of the usual, nil for that
}

// Good answers well: the entity with most equal names if it covers half of the
// source, else a new one; every mapping direct. Where the entity is decided it answers
// with direct mappings of equal names, and leaves the rest unmapped; where only the
// entity is asked for it maps nothing.
func Good() Step {
	return Step{"good", func(c *call) { c.answer(encode(goodAnswer(c.request.User))) }}
}

// Content answers with this text.
func Content(text string) Step {
	return Step{"content", func(c *call) { c.answer(text) }}
}

// Changed answers well, with the answer changed before it is sent.
func Changed(name string, change func(a *Answer)) Step {
	return Step{name, func(c *call) {
		a := goodAnswer(c.request.User)
		change(&a)
		c.answer(encode(a))
	}}
}

// InventedIDs adds a mapping to a target, one from a source, and an unmapped field
// that are not in the question.
func InventedIDs() Step {
	return Changed("invented ids", func(a *Answer) {
		a.Mappings = append(a.Mappings, direct("s1", "t9999"), direct("s9999", "t1"))
		a.Unmapped = append(a.Unmapped, "s8888")
	})
}

// InventedEntity decides for an entity that is not in the question.
func InventedEntity() Step {
	return Changed("invented entity", func(a *Answer) { a.Decision, a.Entity = "map_to_existing", "e9999" })
}

// DuplicateTargets maps two sources to the target of the first mapping.
func DuplicateTargets() Step {
	return Changed("duplicate targets", func(a *Answer) {
		if len(a.Mappings) > 1 {
			a.Mappings[1].Target = a.Mappings[0].Target
		}
	})
}

// BadFormula answers the first mapping with a formula that does not compile.
func BadFormula() Step {
	return Changed("bad formula", func(a *Answer) {
		if len(a.Mappings) > 0 {
			a.Mappings[0].Op = "formula"
			a.Mappings[0].Args = []Argument{{Name: "formula", Value: "$substring(("}}
		}
	})
}

// Fenced wraps a good answer into thoughts, prose and a code fence, after a byte
// order mark.
func Fenced() Step {
	return Step{"fenced", func(c *call) {
		c.answer("\ufeff<think>maybe {\"decision\": 1}</think>Sure!\n```json\n" + encode(goodAnswer(c.request.User)) + "\n```\nDone.")
	}}
}

// Truncated cuts a good answer off at the limit of tokens.
func Truncated() Step {
	return Step{"truncated", func(c *call) {
		text := encode(goodAnswer(c.request.User))
		c.complete(text[:len(text)/2], "length", nil)
	}}
}

// Cut answers with this text, cut off at the limit of tokens.
func Cut(text string) Step { return Step{"cut", func(c *call) { c.complete(text, "length", nil) }} }

// CutBelow answers well where the request allows so many tokens of output, and else
// cuts the answer off, as a model does that needs them.
func CutBelow(tokens int) Step {
	return Step{fmt.Sprintf("cut below %d", tokens), func(c *call) {
		text := encode(goodAnswer(c.request.User))
		if c.request.MaxOutput < tokens {
			c.complete(text[:len(text)/2], "length", nil)
			return
		}
		c.answer(text)
	}}
}

// Reported answers as the step does, with this JSON as its usage.
func Reported(step Step, usage string) Step {
	return Step{step.name + " with a usage", func(c *call) {
		c.usage = json.RawMessage(usage)
		step.reply(c)
	}}
}

// Empty answers with an empty text.
func Empty() Step { return Step{"empty", func(c *call) { c.complete("", "stop", nil) }} }

// Refusal refuses as OpenAI's models do.
func Refusal() Step {
	return Step{"refusal", func(c *call) { c.complete("", "stop", "I can not help with that.") }}
}

// Filtered ends the answer by the content filter.
func Filtered() Step {
	return Step{"filtered", func(c *call) { c.complete("", "content_filter", nil) }}
}

// ZeroChoices answers 200 without a choice.
func ZeroChoices() Step {
	return Step{"zero choices", func(c *call) { writeJSON(c.w, http.StatusOK, map[string]any{"choices": []any{}}) }}
}

// Status answers with a status and a body of any kind, and headers as pairs.
func Status(status int, body string, headers ...string) Step {
	return Step{fmt.Sprintf("status %d", status), func(c *call) {
		c.w.Header().Set("Content-Type", "application/json")
		for pair := range slices.Chunk(headers, 2) {
			c.w.Header().Set(pair[0], pair[1])
		}
		c.w.WriteHeader(status)
		_, _ = io.WriteString(c.w, body) // a client that left is the client's business
	}}
}

// BadRequest answers 400 in OpenAI's form, with the request in the message: servers
// do that.
func BadRequest(code string) Step {
	return Step{"bad request " + code, func(c *call) {
		writeError(c.w, http.StatusBadRequest, code, "bad request: "+c.request.User)
	}}
}

// Unauthorized answers 401 and repeats the key, as servers do in part.
func Unauthorized() Step {
	return Step{"unauthorized", func(c *call) {
		writeError(c.w, http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided: "+c.r.Header.Get("Authorization"))
	}}
}

// RateLimited answers 429. RetryAfter is the header's value, empty for none.
func RateLimited(retryAfter string) Step {
	return Step{"rate limited", func(c *call) {
		if retryAfter != "" {
			c.w.Header().Set("Retry-After", retryAfter)
		}
		writeError(c.w, http.StatusTooManyRequests, "rate_limit_exceeded", "Rate limit reached.")
	}}
}

// Quota answers 429 of the kind that waiting does not cure.
func Quota() Step {
	return Step{"quota", func(c *call) {
		writeError(c.w, http.StatusTooManyRequests, "insufficient_quota", "You exceeded your current quota.")
	}}
}

// ServerError answers 500.
func ServerError() Step {
	return Step{"server error", func(c *call) {
		writeError(c.w, http.StatusInternalServerError, "server_error", "The server had an error.")
	}}
}

// ErrorInside answers 200 with an error in the body, as OpenRouter does.
func ErrorInside() Step {
	return Step{"error inside 200", func(c *call) {
		writeJSON(c.w, http.StatusOK, map[string]any{"error": map[string]any{"message": "Provider returned error", "code": 502}})
	}}
}

// HTML answers 502 as a proxy does.
func HTML() Step {
	return Step{"html", func(c *call) {
		c.w.Header().Set("Content-Type", "text/html")
		c.w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(c.w, "<html><body><h1>502 Bad Gateway</h1></body></html>")
	}}
}

// Huge answers 200 with this many bytes.
func Huge(size int) Step {
	return Step{"huge", func(c *call) {
		c.w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(c.w, `{"choices":[{"finish_reason":"stop","message":{"content":"`)
		chunk := strings.Repeat("x", 64<<10)
		for sent := 0; sent < size; sent += len(chunk) {
			if _, err := io.WriteString(c.w, chunk); err != nil {
				return // the client has had enough
			}
		}
		_, _ = io.WriteString(c.w, `"}}]}`)
	}}
}

// HugeError answers 500 with this many bytes.
func HugeError(size int) Step {
	return Step{"huge error", func(c *call) {
		c.w.WriteHeader(http.StatusInternalServerError)
		chunk := strings.Repeat("x", 64<<10)
		for sent := 0; sent < size; sent += len(chunk) {
			if _, err := io.WriteString(c.w, chunk); err != nil {
				return // the client has had enough
			}
		}
	}}
}

// GzipBomb answers 200 with few bytes that become this many.
func GzipBomb(size int) Step {
	return Step{"gzip bomb", func(c *call) {
		c.w.Header().Set("Content-Type", "application/json")
		c.w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(c.w)
		chunk := make([]byte, 1<<20)
		for i := range chunk {
			chunk[i] = ' '
		}
		for sent := 0; sent < size; sent += len(chunk) {
			if _, err := packed.Write(chunk); err != nil || packed.Flush() != nil {
				return // the client has had enough
			}
		}
		_ = packed.Close() // a client that left is the client's business
	}}
}

// WrongLength answers well, with a Content-Length that cuts the answer.
func WrongLength() Step {
	return Step{"wrong length", func(c *call) {
		c.w.Header().Set("Content-Length", "20")
		c.answer(encode(goodAnswer(c.request.User)))
	}}
}

// Rewritten answers with a text that is made of a good answer.
func Rewritten(name string, rewrite func(good string) string) Step {
	return Step{name, func(c *call) { c.answer(rewrite(encode(goodAnswer(c.request.User)))) }}
}

// Body answers 200 with a body of any kind, made of a good answer and its prompt.
func Body(name string, body func(good string, r Request) string) Step {
	return Step{name, func(c *call) {
		c.w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(c.w, body(encode(goodAnswer(c.request.User)), c.request)) // a client that left is the client's business
	}}
}

// Hang answers nothing until the client leaves or the server closes.
func Hang() Step { return Step{"hang", func(c *call) { c.hang() }} }

// Stall sends headers and half an answer, then hangs.
func Stall() Step {
	return Step{"stall", func(c *call) {
		c.w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(c.w, `{"choices":[`)
		_ = http.NewResponseController(c.w).Flush() // httptest's writer can flush
		c.hang()
	}}
}

// Drip sends headers, and then a blank every few milliseconds and no answer, so that
// a limit on silence alone is never reached.
func Drip() Step {
	return Step{"drip", func(c *call) {
		c.w.Header().Set("Content-Type", "application/json")
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			_, _ = io.WriteString(c.w, " ")
			_ = http.NewResponseController(c.w).Flush() // httptest's writer can flush
			select {
			case <-ticker.C:
			case <-c.r.Context().Done():
				return
			case <-c.released:
				return
			}
		}
	}}
}

// Reset breaks the connection before anything is answered.
func Reset() Step { return Step{"reset", func(*call) { panic(http.ErrAbortHandler) }} }

// ResetInside breaks the connection within the answer.
func ResetInside() Step {
	return Step{"reset inside", func(c *call) {
		c.w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(c.w, `{"choices":[`)
		panic(http.ErrAbortHandler)
	}}
}

// WithoutJSONSchema refuses json_schema with a 400 and answers other requests well.
func WithoutJSONSchema() Step {
	return Refusing("This model does not support response format `json_schema`.", FormatStrict, FormatSchema)
}

// Refusing refuses requests in these formats with a 400 of this message, and answers
// others well.
func Refusing(message string, formats ...Format) Step {
	return Step{"refusing", func(c *call) {
		if slices.Contains(formats, c.request.Format) {
			writeError(c.w, http.StatusBadRequest, "", message)
			return
		}
		c.answer(encode(goodAnswer(c.request.User)))
	}}
}

// Ignoring answers requests in these formats with this text, as a server does that
// ignores the form that is asked for, and others well.
func Ignoring(text string, formats ...Format) Step {
	return Step{"ignoring", func(c *call) {
		if slices.Contains(formats, c.request.Format) {
			c.ignores = true
			c.complete(text, "stop", nil)
			return
		}
		c.answer(encode(goodAnswer(c.request.User)))
	}}
}

// ContextOf reads only so many tokens of a prompt, and says nothing of it, as Ollama does.
// To a prompt that fits it answers well, and else with what is left.
func ContextOf(tokens int) Step {
	return Step{fmt.Sprintf("context of %d", tokens), func(c *call) {
		prompt := len(c.request.System)/4 + len(c.request.User)/3
		c.usage = json.RawMessage(fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":9}`, min(prompt, tokens)))
		c.answer(encode(goodAnswer(c.request.User)))
	}}
}

// Delayed answers as the step does, after a while, as a model that takes its time.
func Delayed(d time.Duration, step Step) Step {
	return Step{step.name + " delayed", func(c *call) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			step.reply(c)
		case <-c.r.Context().Done():
		case <-c.released:
		}
	}}
}

// Gated answers as the step does when the gate is closed.
func Gated(gate <-chan struct{}, step Step) Step {
	return Step{step.name + " behind a gate", func(c *call) {
		select {
		case <-gate:
			step.reply(c)
		case <-c.r.Context().Done():
		case <-c.released:
		}
	}}
}

func (c *call) hang() {
	select {
	case <-c.r.Context().Done():
	case <-c.released:
	}
}

func (c *call) answer(text string) { c.complete(text, "stop", nil) }

// complete writes a chat completion. Tokens are counted as four bytes each.
func (c *call) complete(text, finish string, refusal any) {
	prompt, completion := len(c.request.System+c.request.User)/4, len(text)/4
	var usage any = map[string]any{"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
	if c.usage != nil {
		usage = c.usage
	}
	message := map[string]any{"role": "assistant", "content": text, "refusal": refusal}
	if c.request.Format == FormatTool && finish == "stop" && !c.ignores {
		finish, message["content"] = "tool_calls", nil
		message["tool_calls"] = []any{map[string]any{
			"id": "call_1", "type": "function", "function": map[string]any{"name": c.request.Tool, "arguments": text},
		}}
	}
	writeJSON(c.w, http.StatusOK, map[string]any{
		"id": "chatcmpl-llmtest", "object": "chat.completion", "created": 1_700_000_000, "model": c.request.Model,
		"choices": []any{map[string]any{"index": 0, "finish_reason": finish, "message": message}},
		"usage":   usage,
	})
}
