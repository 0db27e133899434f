package analysis

import (
	"github.com/schemacast/schemacast/internal/analysis/match"
)

const (
	// clearLead is how far the best entity must be ahead of the second for the choice
	// between them to be beyond question.
	clearLead = 0.2
	// plausibleShare of the best entity's score makes another one plausible.
	plausibleShare = 0.5
	// comparedEntities is how many plausible ones a model can compare with all their
	// fields before it, and still map well in the same answer.
	comparedEntities = 3
	// comparedFields is how many of their fields that may be. Both too little and too
	// much context make models worse at matching.
	comparedFields = 200
)

// plan says how a model is asked.
type plan string

// The plans, with their number of questions. Deciding the entity first and mapping
// inside it is what helps most where tables look alike, and only costs where they do
// not.
const (
	// planWhole asks for decision and mappings at once: 1.
	planWhole plan = "whole"
	// planStaged asks for the entity, then for the fields inside it: 2, and more for
	// a schema that is too wide for one question.
	planStaged plan = "staged"
)

// plan chooses by the width of the schema and by how clear its entity is: one that
// would be marked as ambiguous is worth a question of its own. An answer
// that was paid for decides for its own plan, whatever else changed since.
func (c *inquiry) plan(saved *transcript) plan {
	switch {
	case saved.begun():
		if saved.staged() {
			return planStaged
		}
		return planWhole
	case len(c.src.fields) > askedFields:
		return planStaged
	}
	plausible, fields := c.plausible()
	if plausible > comparedEntities && c.lead(c.top()) < closeCall || fields > comparedFields {
		return planStaged
	}
	return planWhole
}

// plausible counts the entities that are worth comparing, and the fields that a
// question would show of them.
func (c *inquiry) plausible() (entities, fields int) {
	for rank, hit := range c.hits {
		if hit.Score < plausibleShare*c.bestScore() {
			break
		}
		entities++
		if rank < fullEntities {
			fields += len(c.entities.list[hit.Entity].Fields)
		}
	}
	return entities, fields
}

// top is the position of the best entity, -1 without any.
func (c *inquiry) top() int {
	if len(c.hits) == 0 {
		return -1
	}
	return c.hits[0].Entity
}

// lead is how far the score of an entity is ahead of every other one's, negative
// when one is better. That of a new entity, position -1, is how far the best of
// those that exist stays below the threshold of creating one.
func (c *inquiry) lead(position int) float64 {
	if position < 0 {
		return c.cfg.CreateBelow - c.bestScore()
	}
	other := 0.0
	for _, hit := range c.hits {
		if hit.Entity != position {
			other = max(other, hit.Score)
		}
	}
	return c.scoreOf(position) - other
}

// shown are the candidates of a question. A tenant with few entities has all of
// them shown: a model sees what they mean where no word is shared.
func (c *inquiry) shown() []match.Hit {
	hits := append([]match.Hit(nil), c.hits...)
	if len(c.entities.list) > topEntities {
		return hits
	}
	found := make(map[int]bool, len(hits))
	for _, hit := range hits {
		found[hit.Entity] = true
	}
	for position := range c.entities.list {
		if !found[position] {
			hits = append(hits, match.Hit{Entity: position})
		}
	}
	return hits
}
