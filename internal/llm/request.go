package llm

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/sashabaranov/go-openai"

	"github.com/schemacast/schemacast/internal/analysis"
)

// maxRequest is the largest request that is sent. No model reads more, and a server
// would only refuse it after the upload.
const maxRequest = 4 << 20

// answerName is the name of the schema of answers, or of the tool that takes them.
const answerName = "schema_analysis"

// wireRequest is the body of a request. The outer temperature hides the inner one,
// which go-openai never sends when it is 0.
type wireRequest struct {
	openai.ChatCompletionRequest
	Temperature *float32  `json:"temperature,omitempty"`
	Provider    *provider `json:"provider,omitempty"`
}

// provider is for OpenRouter, which else may take a provider that ignores the form of
// the answer.
type provider struct {
	RequireParameters bool `json:"require_parameters"`
}

// prepared is a request that can be sent.
type prepared struct {
	body   []byte
	prompt int // tokens, estimated
}

// prepare makes the exact bytes of the request for a variant of a question. Equal
// questions give equal bytes, which is what the cache lives on.
func (c *Client) prepare(v variant) (prepared, failure) {
	user := userPrompt(v.question()) + v.hint
	t, err := c.templates.in(c, v.dialect)
	var body []byte
	if err == nil {
		body, err = t.body(user, v.limit)
	}
	if err != nil {
		return prepared{}, failure{ModelError: &analysis.ModelError{
			Kind: analysis.ModelConfig, Detail: "the question can not be written as JSON", Err: err,
		}}
	}
	if len(body) > maxRequest {
		return prepared{}, failure{ModelError: &analysis.ModelError{
			Kind:   analysis.ModelTooLarge,
			Detail: fmt.Sprintf("the question has %d bytes, more than the %d that are sent", len(body), maxRequest),
		}}
	}
	return prepared{body: body, prompt: promptTokens(t.system, user, v.dialect)}, failure{}
}

// form is how the form of an answer is asked for.
type form struct {
	name   string
	schema json.RawMessage
}

// forms are the schema of answers, and what is left of it for servers that do not take
// all of its keywords: under strict, which demands the rest, only descriptions go.
type forms struct{ full, strictBare, bare form }

func newForms() forms {
	schema := json.RawMessage(answerSchema)
	return forms{
		full:       form{answerName, schema},
		strictBare: form{answerName, bare(schema, "description")},
		bare:       form{answerName, bare(schema, "description", "additionalProperties")}, // Read keeps up the ban on further keys
	}
}

func (f forms) in(d dialect) form {
	switch {
	case !d.Bare:
		return f.full
	case d.Rung == rungStrict:
		return f.strictBare
	}
	return f.bare
}

// request is a request in the dialect d, whose answer has limit tokens at most.
func (c *Client) request(d dialect, f form, system, user string, limit int) wireRequest {
	request := wireRequest{ChatCompletionRequest: openai.ChatCompletionRequest{
		Model: c.cfg.Model,
		Messages: []openai.ChatCompletionMessage{
			{Role: openai.ChatMessageRoleSystem, Content: system},
			{Role: openai.ChatMessageRoleUser, Content: user},
		},
	}}
	f.ask(&request, d.Rung)
	if d.Rung != rungPlain && c.routed {
		request.Provider = &provider{RequireParameters: true}
	}
	if d.Temperature {
		request.Temperature = new(float32)
	}
	if d.MaxTokens {
		request.MaxTokens = limit //nolint:staticcheck // deprecated by OpenAI alone; other servers know no other name
	} else {
		request.MaxCompletionTokens = limit
	}
	return request
}

// ask asks for the form on a rung.
func (f form) ask(request *wireRequest, r rung) {
	switch r {
	case rungStrict, rungSchema:
		request.ResponseFormat = &openai.ChatCompletionResponseFormat{
			Type:       openai.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{Name: f.name, Strict: r == rungStrict, Schema: f.schema},
		}
	case rungTool:
		request.Tools = []openai.Tool{{Type: openai.ToolTypeFunction, Function: &openai.FunctionDefinition{
			Name: f.name, Description: "Takes the answer.", Parameters: f.schema,
		}}}
		request.ToolChoice = openai.ToolChoice{Type: openai.ToolTypeFunction, Function: openai.ToolFunction{Name: f.name}}
	case rungObject:
		request.ResponseFormat = &openai.ChatCompletionResponseFormat{Type: openai.ChatCompletionResponseFormatTypeJSONObject}
	case rungPlain:
	}
}

// routes says whether a base URL is that of OpenRouter.
func routes(baseURL string) bool {
	u, err := url.Parse(baseURL)
	return err == nil && (u.Hostname() == "openrouter.ai" || strings.HasSuffix(u.Hostname(), ".openrouter.ai"))
}

// bare returns a schema without some keywords.
func bare(schema json.RawMessage, keywords ...string) json.RawMessage {
	var node any
	if json.Unmarshal(schema, &node) != nil {
		return schema
	}
	strip(node, keywords, false)
	stripped, err := json.Marshal(node)
	if err != nil {
		return schema
	}
	return stripped
}

// strip removes keywords below a node. In names, the keys are those of properties, where
// "description" is a name like any other.
func strip(node any, keywords []string, names bool) {
	members, ok := node.(map[string]any)
	if !ok {
		return
	}
	for key, child := range members {
		if !names && slices.Contains(keywords, key) {
			delete(members, key)
			continue
		}
		strip(child, keywords, key == "properties" && !names)
	}
}
