package analysis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/schemacast/schemacast/internal/schema"
)

// unusable marks the error about a whole answer: it can not be read, or its entity
// is gone. A saved answer that is unusable is asked for again.
type unusable struct{ error }

func (u unusable) Unwrap() error { return u.error }

// ask has the model decide: from the answers of an earlier attempt as far as they
// are usable, else with a new question.
func (c *inquiry) ask(ctx context.Context) (Recommendation, error) {
	if saved := decodeCheckpoint(c.req.Checkpoint, c.src); saved != nil {
		answers := len(saved.Asked)
		r, err := c.conclude(ctx, saved)
		if !errors.As(err, new(unusable)) {
			c.usage.CachedCalls += answers
			return r, err
		}
	}
	fresh := &checkpoint{Version: checkpointVersion, Fields: c.src.digest()}
	if err := c.put(ctx, fresh, c.question()); err != nil {
		return Recommendation{}, err
	}
	r, err := c.conclude(ctx, fresh)
	if whole := (unusable{}); errors.As(err, &whole) {
		err = whole.error
	}
	return r, err
}

// put asks one question and saves the answer before anybody looks at it.
func (c *inquiry) put(ctx context.Context, saved *checkpoint, q Question) error {
	c.req.Progress(StageAsk, len(saved.Asked), len(saved.Asked)+1)
	answer, err := c.model.Ask(ctx, q)
	c.usage = c.usage.Add(answer.Usage) // a failed call may have cost something, too
	if err != nil {
		return err
	}
	saved.Asked = append(saved.Asked, exchange{Question: q, Answer: answer.Raw})
	raw, err := saved.encode()
	if err != nil {
		return err
	}
	if err := c.req.Save(ctx, raw, answer.Usage); err != nil {
		return fmt.Errorf("save the answer of the model: %w", err)
	}
	return nil
}

// conclude reads the first answer, has what fails repaired once, and makes the
// recommendation. An unusable error is about the first answer as a whole.
func (c *inquiry) conclude(ctx context.Context, saved *checkpoint) (Recommendation, error) {
	asked := saved.Asked[0]
	proposal, err := c.model.Read(asked.Question, asked.Answer)
	if err != nil {
		return Recommendation{}, unusable{err}
	}
	p, err := c.interpret(asked.Question, proposal)
	if err != nil {
		return Recommendation{}, unusable{err}
	}
	if err := p.check(ctx, p.items(proposal.Mappings)); err != nil {
		return Recommendation{}, err
	}
	if failures := p.repairable(proposal.Rejected); len(failures) > 0 {
		if err := c.repair(ctx, saved, p, failures); err != nil {
			return Recommendation{}, err
		}
	}
	if err := c.complete(ctx, p); err != nil {
		return Recommendation{}, err
	}
	r := p.finish(schema.EngineLLM, c.model.Name())
	r.SourceName = sourceName(c.src.schema, plain(proposal.SourceName, maxName), r.EntityName)
	r.Reasoning = c.src.withoutValues(plain(proposal.Reasoning, maxReasoning), "")
	if r.Reasoning == "" {
		r.Reasoning = fmt.Sprintf("The model mapped %d of %d fields.", len(r.Mappings), len(c.src.fields))
	}
	return r, nil
}

// repair asks once more about what failed. A model that answers nothing usable has
// had its chance: the first answer stands without those items. One that can not be
// reached is the caller's to try again; the first answer is saved.
func (c *inquiry) repair(ctx context.Context, saved *checkpoint, p *proposed, failures []Failure) error {
	if len(saved.Asked) == 1 {
		q := saved.Asked[0].Question
		pinned := p.proposal
		pinned.Rejected = nil
		q.Repair = &Repair{Proposal: pinned, Failures: failures}
		if err := c.put(ctx, saved, q); err != nil {
			if !answeredBadly(err) {
				return err
			}
			p.doubt(ReviewRepairFailed)
			return nil
		}
	}
	again := saved.Asked[1]
	mended, err := c.model.Read(again.Question, again.Answer)
	if err != nil {
		p.doubt(ReviewRepairFailed)
		return nil //nolint:nilerr // the first answer stands without what it could not mend
	}
	return p.mend(ctx, mended.Mappings)
}

// answeredBadly tells a model that has no good answer from one that is away.
func answeredBadly(err error) bool {
	e := ModelErrorOf(err)
	return e != nil && slices.Contains([]ModelErrorKind{ModelBadAnswer, ModelRefused, ModelTooLarge}, e.Kind)
}
