package llm

import "github.com/schemacast/schemacast/internal/analysis"

// Bytes for a token, measured with o200k_base over our own texts: 4.15 for the rules,
// 3.97 for the schema, 2.95 to 3.5 for lines of data. Other vocabularies of the last
// years are within a tenth of that for Latin script.
const (
	bytesPerRule = 4
	bytesPerData = 3
)

// promptTokens estimates the tokens of a prompt. A server that enforces a schema mostly
// shows it to the model as well.
func promptTokens(system, user string, d dialect) int {
	tokens := len(system)/bytesPerRule + len(user)/bytesPerData
	if d.Rung <= rungTool {
		tokens += len(answerSchema) / bytesPerRule
	}
	return tokens
}

// cutPrompt says whether the server read only a part of the prompt, as Ollama does with
// one that is longer than its num_ctx. Then it counts a round number of tokens, far fewer
// than there are; the schema, which it does not show to the model, is left out of the
// comparison. Surely is false where the number is only far too small: some servers count
// what was not in their cache.
func cutPrompt(t tokens, p prepared, d dialect) (cut, surely bool) {
	least := p.prompt
	if d.Rung <= rungTool {
		least -= len(answerSchema) / bytesPerRule
	}
	if t.prompt == 0 || least < leastContext {
		return false, false
	}
	surely = t.prompt%contextStep == 0 && t.prompt*10 < least*9
	return surely || t.prompt*2 < least, surely
}

const (
	leastContext = 1_500 // no server has less
	contextStep  = 512   // what contexts are multiples of
)

// usageOf counts what a call cost. Local servers often report no tokens, and some report
// more than the request has bytes; both are estimated. Requests that were refused cost
// nothing.
func (c *Client) usageOf(r *reply, calls int, p prepared) analysis.Usage {
	usage := analysis.Usage{Calls: calls, PricedCalls: calls}
	if r == nil {
		return usage
	}
	t := r.tokens
	if t.prompt == 0 || t.prompt > len(p.body)+maxTemplate {
		t.prompt, t.cached, usage.Estimated = p.prompt, 0, true
	}
	if t.completion == 0 && r.content != "" {
		t.completion, usage.Estimated = len(r.content)/bytesPerData+1, true
	}
	usage.PromptTokens, usage.CachedTokens = t.prompt, t.cached
	usage.CompletionTokens, usage.ReasoningTokens = t.completion, t.reasoning
	switch {
	case t.cost >= 0:
		usage.CostMicros = t.cost
	case c.cfg.Price != nil:
		usage.CostMicros = c.cfg.Price.micros(t.prompt, t.cached, t.completion)
	default:
		usage.PricedCalls = 0
	}
	return usage
}

// maxTemplate is what a server may add to the messages before it counts tokens.
const maxTemplate = 4_096
