package llm

import (
	"errors"
	"fmt"
	"math"
)

// Price is what a model costs, in US dollars for a million tokens. That is the same as
// millionths of a dollar for one token.
type Price struct {
	Input       float64
	CachedInput float64 // of tokens that the server still knew from another prompt
	Output      float64 // thoughts included
}

// micros is the price of one answer, in millionths of a dollar. Thoughts are part of the
// completion, and what was cached is part of the prompt.
func (p Price) micros(prompt, cached, completion int) int64 {
	return int64(math.Round(p.Input*float64(prompt-cached) + p.CachedInput*float64(cached) + p.Output*float64(completion)))
}

func (p *Price) validate() error {
	if p == nil {
		return nil
	}
	for _, part := range []float64{p.Input, p.CachedInput, p.Output} {
		if part < 0 || math.IsNaN(part) || math.IsInf(part, 0) {
			return fmt.Errorf("the price of the language model is %g, %g and %g dollars; none may be negative", p.Input, p.CachedInput, p.Output)
		}
	}
	return nil
}

var errNoPrice = errors.New("a budget of money bounds the language model, but its price is not known; set the price, or a budget of tokens")
