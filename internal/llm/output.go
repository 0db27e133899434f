package llm

import (
	"strings"

	"github.com/schemacast/schemacast/internal/analysis"
)

// What an answer takes, in tokens. A mapping in the form of our schema has 45 to 80,
// a field of a new entity 30 to 45, and the rest of the answer 150 to 300; the bound
// leaves room for an answer that is indented. A model that writes more than this
// rambles, and would do so until the time is up.
const (
	outputBase     = 512
	outputPerField = 128
	// largerOutput is how much more the second try gets after an answer was cut off.
	largerOutput = 2
)

// answerTokens bounds the answer to q without any thoughts: 512, and 128 for every
// source field that the question is about. A repair is about its failures only, and a
// question about the entity about no field.
func answerTokens(q analysis.Question) int {
	fields := len(q.Source)
	switch {
	case q.Repair != nil:
		fields = max(len(newRepair(q).concerned), len(q.Repair.Failures))
	case q.Ask == analysis.AskEntity:
		fields = 0
	}
	return outputBase + outputPerField*fields
}

// outputLimit bounds the output of the first try. Thoughts count as output and their
// length says nothing about that of the answer, so a model that thinks gets all
// there is.
func (c *Client) outputLimit(q analysis.Question, d dialect) int {
	if d.Thinks {
		return c.cfg.MaxOutputTokens
	}
	return min(answerTokens(q), c.cfg.MaxOutputTokens)
}

// largerLimit bounds the output of the second try, after the first was cut off at
// limit; it is not larger where there is nothing left to give.
func (c *Client) largerLimit(limit int, d dialect) int {
	switch most := c.cfg.MaxOutputTokens; {
	case !d.Thinks:
		return min(largerOutput*limit, most)
	case limit < most: // it was not known to think
		return most
	default:
		return largerOutput * most
	}
}

// answerEstimate is what an answer will probably have: about half of what it may have.
// The bound itself would keep half of every limit unused; limits and budgets are settled
// when the server has said what it counted.
func answerEstimate(q analysis.Question, d dialect) int {
	answer := answerTokens(q)
	if !d.Thinks {
		answer /= 2
	}
	return answer
}

// loopTail is how many bytes of its end a looping text has said before.
const loopTail = 512

// loops says whether a text ends in a loop, as the answers of small models do. No
// honest answer says so much twice: every mapping has ids of its own, and every field
// of a new entity a name.
func loops(text string) bool {
	return len(text) > loopTail && strings.Contains(text[:len(text)-1], text[len(text)-loopTail:])
}
