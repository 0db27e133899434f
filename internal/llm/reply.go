package llm

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// reply is what counts of a chat completion.
type reply struct {
	content string
	finish  string // stop, length, content_filter, error, ...; empty when the server says nothing
	refused bool
	// thinks says that the model thought before it answered; what is not known.
	thinks bool
	tokens tokens
}

// tokens are what a server reports of an answer's usage, 0 for what it does not.
type tokens struct {
	prompt     int
	cached     int // part of prompt
	completion int
	reasoning  int // part of completion
	// cost is in millionths of a US dollar, -1 when it is not reported.
	cost int64
}

// completion decodes only what is used, and each part on its own: go-openai's type
// fails as a whole on one odd field, such as a fractional "created".
type completion struct {
	Error   json.RawMessage `json:"error"`
	Choices []struct {
		FinishReason json.RawMessage `json:"finish_reason"`
		Error        json.RawMessage `json:"error"`
		Message      struct {
			Content json.RawMessage `json:"content"`
			Refusal json.RawMessage `json:"refusal"`
			// Calls hold the answer where it was asked for as the arguments of a tool.
			Calls []struct {
				Function struct {
					Arguments json.RawMessage `json:"arguments"`
				} `json:"function"`
			} `json:"tool_calls"`
			// Thoughts have no name that all servers share.
			ReasoningContent json.RawMessage `json:"reasoning_content"`
			Reasoning        json.RawMessage `json:"reasoning"`
		} `json:"message"`
	} `json:"choices"`
	Usage json.RawMessage `json:"usage"`
}

// parseReply reads the body of a 200. Its errors are *payloadError.
func parseReply(raw []byte) (*reply, error) {
	raw = bytes.TrimSpace(raw) // servers keep slow connections alive with blanks
	if len(raw) == 0 {
		return nil, &payloadError{reason: "is empty"}
	}
	if raw[0] == '<' {
		return nil, &payloadError{reason: "is HTML instead of JSON, so something else answers at this address"}
	}
	var c completion
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, &payloadError{reason: "is no complete chat completion"}
	}
	if present(c.Error) {
		return nil, &payloadError{reason: "has status 200 but an error inside"}
	}
	if len(c.Choices) == 0 {
		return nil, &payloadError{reason: "has no choices", silent: true}
	}
	choice := c.Choices[0]
	r := &reply{
		content: contentText(choice.Message.Content),
		finish:  stringOf(choice.FinishReason),
		refused: stringOf(choice.Message.Refusal) != "",
	}
	if calls := choice.Message.Calls; len(calls) > 0 && present(calls[0].Function.Arguments) {
		r.content = argumentsText(calls[0].Function.Arguments)
	}
	if present(choice.Error) {
		r.finish = "error"
	}
	r.tokens = parseUsage(c.Usage)
	r.thinks = stringOf(choice.Message.ReasoningContent) != "" || stringOf(choice.Message.Reasoning) != "" ||
		strings.HasPrefix(strings.TrimSpace(r.content), "<think>")
	return r, nil
}

// argumentsText returns the arguments of a tool, which are JSON in a string; some servers
// send the JSON itself.
func argumentsText(raw json.RawMessage) string {
	if raw[0] == '"' {
		return stringOf(raw)
	}
	return string(raw)
}

// contentText joins the parts of a content, which is a string or a list of parts.
func contentText(raw json.RawMessage) string {
	if len(raw) > 0 && raw[0] == '"' {
		return stringOf(raw)
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(raw, &parts) != nil {
		return stringOf(raw)
	}
	var text strings.Builder
	for _, part := range parts {
		text.WriteString(part.Text)
	}
	return text.String()
}

// maxReported is the most that one answer can honestly report, in tokens and in dollars.
const (
	maxReported = 10_000_000
	maxCost     = 1_000
)

// parseUsage reads the usage, each number on its own. Numbers that can not be are taken
// as not reported.
func parseUsage(raw json.RawMessage) tokens {
	usage := members(raw)
	count := func(of map[string]json.RawMessage, key string) int {
		var n float64
		if len(of[key]) == 0 || json.Unmarshal(of[key], &n) != nil || n < 0 || n > maxReported {
			return 0
		}
		return int(n)
	}
	t := tokens{prompt: count(usage, "prompt_tokens"), completion: count(usage, "completion_tokens"), cost: -1}
	t.cached = count(members(usage["prompt_tokens_details"]), "cached_tokens")
	t.cached = max(t.cached, count(usage, "prompt_cache_hit_tokens")) // DeepSeek's word
	t.reasoning = count(members(usage["completion_tokens_details"]), "reasoning_tokens")
	t.cached, t.reasoning = min(t.cached, t.prompt), min(t.reasoning, t.completion)
	var cost float64 // OpenRouter has it, in dollars
	if present(usage["cost"]) && json.Unmarshal(usage["cost"], &cost) == nil && cost >= 0 && cost <= maxCost {
		t.cost = int64(math.Round(cost * 1e6))
	}
	return t
}

// members returns the members of an object, none of anything else.
func members(raw json.RawMessage) map[string]json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	var object map[string]json.RawMessage
	_ = json.Unmarshal(raw, &object) // nothing else has members
	return object
}

// refusing is how models begin to refuse in plain words.
var refusing = []string{
	"i can't", "i cannot", "i can not", "i'm sorry", "i am sorry", "sorry", "i'm unable", "i am unable",
	"i'm not able", "i am not able", "i won't", "i will not", "i must decline", "as an ai",
}

// refusesInWords says whether a text is a refusal. A text with a brace is left to
// whoever looks for an object in it.
func refusesInWords(content string) bool {
	if strings.Contains(content, "{") {
		return false
	}
	text := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(content)), "’", "'")
	return slices.ContainsFunc(refusing, func(words string) bool { return strings.HasPrefix(text, words) })
}

func present(raw json.RawMessage) bool {
	return len(raw) > 0 && !bytes.Equal(bytes.TrimSpace(raw), []byte("null"))
}

func stringOf(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
