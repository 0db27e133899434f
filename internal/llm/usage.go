package llm

import "github.com/schemacast/schemacast/internal/analysis"

// bytesPerToken is low on purpose: prompts are mostly short names and ids.
const bytesPerToken = 3

// usageOf counts what a call cost. Local servers often report no tokens, and some report
// more than the request has bytes; both are estimated. Requests that were refused cost
// nothing.
func (c *Client) usageOf(r *reply, calls int, body []byte) analysis.Usage {
	usage := analysis.Usage{Calls: calls, PricedCalls: calls}
	if r == nil {
		return usage
	}
	t := r.tokens
	if t.prompt == 0 || t.prompt > len(body)+maxTemplate {
		t.prompt, t.cached, usage.Estimated = len(body)/bytesPerToken, 0, true
	}
	if t.completion == 0 && r.content != "" {
		t.completion, usage.Estimated = len(r.content)/bytesPerToken+1, true
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
