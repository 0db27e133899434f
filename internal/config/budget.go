package config

import (
	"math"
	"strconv"
	"strings"
)

// budget reads what may be spent in a day. Money can only be counted where the price of
// the model is known.
func (l *loader) budget(tokensName string, tokens int64, costName string, cost float64) Budget {
	if tokens != 0 {
		between(l, tokensName, tokens, leastTokens, mostDaily)
	}
	switch {
	case l.broken[costName]:
	case math.IsNaN(cost) || cost < 0 || cost > mostCost:
		l.problem(costName, "is %g; write US dollars between 0 and %d", cost, mostCost)
	case cost != 0 && l.cfg.Analysis.Price == nil && !l.broken["ANALYSIS_PRICES"]:
		l.problem(costName, "bounds the cost of %s, whose price is not known; set ANALYSIS_PRICES=%s=input/cached input/output in US dollars for a million tokens",
			l.cfg.Analysis.Model, l.cfg.Analysis.Model)
	}
	return Budget{Tokens: tokens, CostMicros: int64(math.Round(cost * 1e6))}
}

// price finds the price of a model, nil when it has none. All prices are checked, also
// those of other models.
func (l *loader) price(model string) *Price {
	const name = "ANALYSIS_PRICES"
	var found *Price
	for _, entry := range l.vars.AnalysisPrices {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		of, price := parsePrice(entry)
		if price == nil {
			l.problem(name, "has %q; write name=input/cached input/output in US dollars for a million tokens, such as gpt-4.1-mini=0.40/0.10/1.60", entry)
			return nil
		}
		if of == model {
			found = price
		}
	}
	return found
}

// parsePrice reads one entry. Names of models have slashes and colons, but the last
// equals sign is ours.
func parsePrice(entry string) (model string, price *Price) {
	at := strings.LastIndexByte(entry, '=')
	if at < 1 {
		return "", nil
	}
	parts := strings.Split(entry[at+1:], "/")
	if len(parts) != 3 {
		return "", nil
	}
	var numbers [3]float64
	for i, part := range parts {
		n, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || math.IsNaN(n) || n < 0 || n > mostCost {
			return "", nil
		}
		numbers[i] = n
	}
	return strings.TrimSpace(entry[:at]), &Price{Input: numbers[0], CachedInput: numbers[1], Output: numbers[2]}
}
