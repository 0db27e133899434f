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
// are usable, else with new questions.
func (c *inquiry) ask(ctx context.Context) (Recommendation, error) {
	if saved := decodeCheckpoint(c.req.Checkpoint, c.src); saved != nil {
		t := newTranscript(c, saved)
		r, err := c.converse(ctx, t)
		if !errors.As(err, new(unusable)) {
			c.usage = c.usage.Add(t.usage)
			c.usage.CachedCalls += len(saved.Asked)
			return r, err
		}
		c.usage = c.usage.Add(t.usage)
	}
	t := newTranscript(c, nil)
	r, err := c.converse(ctx, t)
	c.usage = c.usage.Add(t.usage)
	if whole := (unusable{}); errors.As(err, &whole) {
		err = whole.error
	}
	return r, err
}

// converse puts the questions of the plan. An unusable error is about the answer
// that decided.
func (c *inquiry) converse(ctx context.Context, t *transcript) (Recommendation, error) {
	if c.plan(t) == planStaged {
		return c.askStaged(ctx, t)
	}
	return c.askWhole(ctx, t)
}

// askWhole asks for the decision and all mappings in one question.
func (c *inquiry) askWhole(ctx context.Context, t *transcript) (Recommendation, error) {
	asked, found := t.find(func(q Question) bool { return q.Ask == AskBoth && q.Repair == nil })
	if !found {
		c.req.Progress(StageAsk, 0, 1)
		t.spend()
		var err error
		if asked, err = t.put(ctx, c.question()); err != nil {
			return Recommendation{}, err
		}
		c.req.Progress(StageAsk, 1, 1)
	}
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
	if err := c.repair(ctx, t, p, proposal.Rejected); err != nil {
		return Recommendation{}, err
	}
	if err := c.complete(ctx, p); err != nil {
		return Recommendation{}, err
	}
	return c.modelsWord(p.finish(schema.EngineLLM, c.model.Name()), proposal), nil
}

// modelsWord puts the model's name for the source and its reasoning into a
// recommendation.
func (c *inquiry) modelsWord(r Recommendation, proposal Proposal) Recommendation {
	r.PromptVersion = promptVersion(c.model)
	r.SourceName = sourceName(c.src.schema, plain(proposal.SourceName, maxName), r.EntityName)
	r.Reasoning = c.src.withoutValues(plain(proposal.Reasoning, maxReasoning), "")
	if r.Reasoning == "" {
		r.Reasoning = fmt.Sprintf("The model mapped %d of %d fields.", len(r.Mappings), len(c.src.fields))
	}
	return r
}

// repair asks once more about what failed, as long as there are questions left. A
// model that answers nothing usable has had its chance: the first answer stands
// without those items. One that can not be reached is the caller's to try again; the
// first answer is saved.
func (c *inquiry) repair(ctx context.Context, t *transcript, p *proposed, rejected []Failure) error {
	c.verifying.Lock()
	failures := p.repairable(rejected)
	for _, bad := range p.defects {
		c.failed[bad.code]++
	}
	c.verifying.Unlock()
	if len(failures) == 0 {
		return nil
	}
	again, found := t.find(func(q Question) bool { return q.Repair != nil && sameSource(q, p.question) })
	if !found {
		if !t.spend() {
			p.doubt(ReviewRepairFailed)
			return nil
		}
		q := p.question
		pinned := p.proposal
		pinned.Rejected = nil
		q.Repair = &Repair{Proposal: pinned, Failures: failures}
		var err error
		if again, err = t.put(ctx, q); err != nil {
			if !answeredBadly(err) {
				return err
			}
			p.doubt(ReviewRepairFailed)
			return nil
		}
	}
	mended, err := c.model.Read(again.Question, again.Answer)
	if err != nil {
		p.doubt(ReviewRepairFailed)
		return nil // the first answer stands without what it could not mend
	}
	c.verifying.Lock()
	defer c.verifying.Unlock()
	before := len(p.defects)
	if err := p.mend(ctx, mended.Mappings); err != nil {
		return err
	}
	if len(p.defects) > before {
		p.doubt(ReviewRepairFailed)
	}
	return nil
}

// answeredBadly tells a model that has no good answer from one that is away.
func answeredBadly(err error) bool {
	e := ModelErrorOf(err)
	return e != nil && slices.Contains([]ModelErrorKind{ModelBadAnswer, ModelRefused, ModelTooLarge}, e.Kind)
}
