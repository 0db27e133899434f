package llmtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Request is one request as it arrived.
type Request struct {
	Header http.Header
	Body   []byte
	Model  string
	// Format is how the form of the answer is asked for.
	Format Format
	// Schema is the schema of answers that the server is to enforce, empty for none.
	Schema string
	Tool   string // the name of the tool that is forced
	System string // the static part of the prompt
	User   string // the question
	// MaxOutput is the limit of output tokens, by either of its names.
	MaxOutput int
	// Problems lists what a strict server would refuse. Such a request is answered
	// with a 400 instead of the next step.
	Problems []string
}

// Asks is what the request asks for.
func (r Request) Asks() Kind { return kindOf(r.User) }

// Repair says whether the request asks for the repair of an earlier answer.
func (r Request) Repair() bool { return r.Asks() == AsksRepair }

// Format is how a request asks for the form of its answer.
type Format string

// The formats.
const (
	FormatStrict Format = "json_schema, strict"
	FormatSchema Format = "json_schema"
	FormatTool   Format = "tool"
	FormatObject Format = "json_object"
	FormatPlain  Format = "text"
)

// chatRequest is the part of a request that is looked at.
type chatRequest struct {
	Model       string        `json:"model"`
	Messages    []chatMessage `json:"messages"`
	Temperature *float64      `json:"temperature"`
	MaxTokens   *int          `json:"max_tokens"`
	MaxOutput   *int          `json:"max_completion_tokens"`
	Stream      bool          `json:"stream"`
	Format      chatFormat    `json:"response_format"`
	Tools       []struct {
		Type     string `json:"type"`
		Function struct {
			Name       string          `json:"name"`
			Parameters json.RawMessage `json:"parameters"`
		} `json:"function"`
	} `json:"tools"`
	ToolChoice struct {
		Type     string `json:"type"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	} `json:"tool_choice"`
}

func (c chatRequest) format() Format {
	switch {
	case len(c.Tools) > 0:
		return FormatTool
	case c.Format.Type == "json_schema" && c.Format.JSONSchema.Strict:
		return FormatStrict
	case c.Format.Type == "":
		return FormatPlain
	}
	return Format(c.Format.Type)
}

type chatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type chatFormat struct {
	Type       string `json:"type"`
	JSONSchema struct {
		Name   string          `json:"name"`
		Strict bool            `json:"strict"`
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
}

func readRequest(r *http.Request, body []byte) Request {
	request := Request{Header: r.Header.Clone(), Body: body}
	problem := func(format string, args ...any) {
		request.Problems = append(request.Problems, fmt.Sprintf(format, args...))
	}
	if r.Method != http.MethodPost || r.URL.Path != "/v1/chat/completions" || r.URL.RawQuery != "" {
		problem("%s %s, want POST /v1/chat/completions without a query", r.Method, r.URL.Path)
	}
	if r.Header.Get("Authorization") != "Bearer "+Key {
		problem("the Authorization header is not that of the key")
	}
	if len(body) > maxBody {
		problem("the body has more than %d bytes", maxBody)
		return request
	}
	var chat chatRequest
	if err := json.Unmarshal(body, &chat); err != nil {
		problem("the body is no chat request: %v", err)
		return request
	}
	request.Model, request.Format, request.Schema = chat.Model, chat.format(), string(chat.Format.JSONSchema.Schema)
	request.Tool = chat.ToolChoice.Function.Name
	for _, limit := range []*int{chat.MaxTokens, chat.MaxOutput} {
		if limit != nil {
			request.MaxOutput = *limit
		}
	}
	request.Problems = append(request.Problems, chat.problems()...)
	if len(chat.Messages) == 2 {
		request.System, request.User = chat.Messages[0].Content, chat.Messages[1].Content
	}
	return request
}

// problems lists what is wrong with a request besides its transport.
func (c chatRequest) problems() (list []string) {
	problem := func(text string) { list = append(list, text) }
	if c.Model == "" {
		problem("model is empty")
	}
	if c.Stream {
		problem("stream is true; its reader hides truncation")
	}
	if len(c.Messages) != 2 || c.Messages[0].Role != "system" || c.Messages[1].Role != "user" {
		problem("messages are not one of system and one of user")
	}
	for _, message := range c.Messages {
		if message.Content == "" {
			problem("a message has no content")
		}
	}
	if reasoning(c.Model) {
		if c.Temperature != nil || c.MaxTokens != nil {
			problem("a reasoning model gets temperature or max_tokens")
		}
	} else if c.Temperature == nil || *c.Temperature != 0 {
		problem("temperature is not 0")
	}
	if (c.MaxTokens == nil) == (c.MaxOutput == nil) {
		problem("not exactly one of max_tokens and max_completion_tokens is set")
	}
	return append(list, c.formatProblems()...)
}

func (c chatRequest) formatProblems() []string {
	switch c.format() {
	case FormatStrict, FormatSchema:
		if c.Format.JSONSchema.Name == "" {
			return []string{"json_schema has no name"}
		}
		return subsetProblems(c.Format.JSONSchema.Schema, c.Format.JSONSchema.Strict)
	case FormatTool:
		tool := c.Tools[0]
		forced := c.ToolChoice.Type == "function" && c.ToolChoice.Function.Name == tool.Function.Name
		if len(c.Tools) > 1 || tool.Type != "function" || !forced || tool.Function.Name == "" {
			return []string{"not exactly one tool, or it is not forced"}
		}
		if c.Format.Type != "" {
			return []string{"response_format beside a tool"}
		}
		return subsetProblems(tool.Function.Parameters, false)
	case FormatObject, FormatPlain:
		var all strings.Builder
		for _, message := range c.Messages {
			all.WriteString(message.Content)
		}
		if !strings.Contains(all.String(), "JSON") || !strings.Contains(all.String(), "additionalProperties") {
			return []string{"nothing enforces the schema, and the prompt has not the word JSON and the schema"}
		}
		return nil
	}
	return []string{fmt.Sprintf("response_format.type is %q", c.Format.Type)}
}

// reasoning knows the models that refuse a temperature by their names.
func reasoning(model string) bool {
	name := model[strings.LastIndexByte(model, '/')+1:]
	for _, prefix := range []string{"o1", "o3", "o4", "gpt-5", "gpt-6"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
