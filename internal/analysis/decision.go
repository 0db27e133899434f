package analysis

import "fmt"

// chosen is the position of the entity that a proposal maps to.
func (c *inquiry) chosen(q Question, proposal Proposal) (int, error) {
	if proposal.Entity < 0 || proposal.Entity >= len(q.Entities) {
		return -1, badAnswer("the answer names no entity of the question")
	}
	id := q.Entities[proposal.Entity].ID
	position, exists := c.entities.position[id]
	if !exists {
		return -1, badAnswer(fmt.Sprintf("the answer names entity %d, which does not exist any more", id))
	}
	return position, nil
}

// existing is an entity of the tenant as a target, with what the matcher thinks of
// choosing it.
func (c *inquiry) existing(position int) *target {
	dst := c.entities.existing(position, c.scoreOf(position), c.src)
	return c.judged(dst, position)
}

// judged notes what the matcher thinks of a decision. Position -1 is a new entity.
func (c *inquiry) judged(dst *target, position int) *target {
	dst.lead = c.lead(position)
	dst.matchers = c.bestScore() >= c.cfg.CreateBelow && position == c.top()
	if position < 0 {
		dst.matchers = c.bestScore() < c.cfg.CreateBelow
		dst.score = 1 - c.bestScore()
	}
	return dst
}

// draft starts a recommendation. A decision that the matcher does not share clearly
// is marked.
func (c *inquiry) draft(dst *target) *draft {
	d := &draft{src: c.src, dst: dst, progress: c.req.Progress}
	if dst.lead < closeCall {
		d.doubt(ReviewAmbiguousEntity)
	}
	return d
}
