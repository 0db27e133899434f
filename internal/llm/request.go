package llm

import (
	"encoding/json"
	"fmt"

	"github.com/sashabaranov/go-openai"

	"github.com/schemacast/schemacast/internal/analysis"
)

// maxRequest is the largest request that is sent. No model reads more, and a server
// would only refuse it after the upload.
const maxRequest = 4 << 20

// wireRequest is the body of a request. The outer temperature hides the inner one,
// which go-openai never sends when it is 0.
type wireRequest struct {
	openai.ChatCompletionRequest
	Temperature *float32 `json:"temperature,omitempty"`
}

// encode makes the exact bytes of the request for q, whose answer has limit tokens at
// most. Equal questions give equal bytes, which is what the cache lives on.
func (c *Client) encode(q analysis.Question, d dialect, limit int) ([]byte, failure) {
	body, err := json.Marshal(c.request(d, responseFormat(d.jsonSchema), systemPrompt(d.jsonSchema), userPrompt(q), limit))
	if err != nil {
		return nil, failure{ModelError: &analysis.ModelError{
			Kind: analysis.ModelConfig, Detail: "the question can not be written as JSON", Err: err,
		}}
	}
	if len(body) > maxRequest {
		return nil, failure{ModelError: &analysis.ModelError{
			Kind:   analysis.ModelTooLarge,
			Detail: fmt.Sprintf("the question has %d bytes, more than the %d that are sent", len(body), maxRequest),
		}}
	}
	return body, failure{}
}

// request is a request in the dialect d, whose answer has limit tokens at most.
func (c *Client) request(d dialect, format *openai.ChatCompletionResponseFormat, system, user string, limit int) wireRequest {
	request := wireRequest{ChatCompletionRequest: openai.ChatCompletionRequest{
		Model: c.cfg.Model,
		Messages: []openai.ChatCompletionMessage{
			{Role: openai.ChatMessageRoleSystem, Content: system},
			{Role: openai.ChatMessageRoleUser, Content: user},
		},
		ResponseFormat: format,
	}}
	if d.temperature {
		request.Temperature = new(float32)
	}
	if d.maxTokens {
		request.MaxTokens = limit //nolint:staticcheck // deprecated by OpenAI alone; other servers know no other name
	} else {
		request.MaxCompletionTokens = limit
	}
	return request
}

func responseFormat(jsonSchema bool) *openai.ChatCompletionResponseFormat {
	if !jsonSchema {
		return &openai.ChatCompletionResponseFormat{Type: openai.ChatCompletionResponseFormatTypeJSONObject}
	}
	return &openai.ChatCompletionResponseFormat{
		Type: openai.ChatCompletionResponseFormatTypeJSONSchema,
		JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{
			Name:   "schema_analysis",
			Strict: true,
			Schema: json.RawMessage(answerSchema),
		},
	}
}
