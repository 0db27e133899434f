package analysis

import (
	"context"

	"github.com/schemacast/schemacast/internal/schema"
)

// staged is an analysis that decides the entity first and maps inside it: with one
// question about the fields, or with several when the schema is wide.
type staged struct {
	*inquiry
	talk     *transcript
	decision Proposal
	// draft is the whole recommendation; every part has one of its own beside it.
	draft *draft
	parts []*part
	// groups are the fields of one form, by the one that stands for them.
	groups map[int]*group
	// asked are the fields that a part has answered, beyond those that no question
	// had room for.
	asked  map[int]*part
	beyond int
}

// askStaged asks for the entity, and then for the fields in parts. What an earlier
// attempt was answered is not asked again.
func (c *inquiry) askStaged(ctx context.Context, t *transcript) (Recommendation, error) {
	s := &staged{inquiry: c, talk: t, groups: make(map[int]*group), asked: make(map[int]*part)}
	if err := s.decideEntity(ctx); err != nil {
		return Recommendation{}, err
	}
	open, err := s.certainOnes(ctx)
	if err != nil {
		return Recommendation{}, err
	}
	s.divide(open)
	if err := s.answer(ctx); err != nil {
		return Recommendation{}, err
	}
	s.merge()
	for _, step := range []func(context.Context) error{s.repeat, s.assign, s.rest} {
		if err := step(ctx); err != nil {
			return Recommendation{}, err
		}
	}
	r := s.modelsWord(s.draft.finish(schema.EngineLLM, c.model.Name()), s.decision)
	return r, nil
}

// decideEntity asks which entity it is, with the fields that tell most, and makes the
// draft for it. An unusable error is about the answer.
func (s *staged) decideEntity(ctx context.Context) error {
	asked, found := s.talk.find(func(q Question) bool { return q.Ask == AskEntity })
	if !found {
		s.req.Progress(StageAsk, 0, 2)
		s.talk.spend()
		var err error
		if asked, err = s.talk.put(ctx, s.entityQuestion()); err != nil {
			return err
		}
	}
	proposal, err := s.model.Read(asked.Question, asked.Answer)
	if err != nil {
		return unusable{err}
	}
	s.decision = proposal
	switch proposal.Action {
	case ActionMapToExisting:
		position, err := s.chosen(asked.Question, proposal)
		if err != nil {
			return unusable{err}
		}
		s.draft = s.inquiry.draft(s.existing(position))
	case ActionCreateNew:
		dst, _ := proposedTarget(proposal.NewEntity, s.src, s.entities.taken)
		dst.drop() // a sketch does not show what fields there are
		s.draft = s.inquiry.draft(s.judged(dst, -1))
	default:
		return unusable{badAnswer("the answer decides neither for an entity of the question nor for a new one")}
	}
	return nil
}

// certainOnes maps what needs no model, and returns the fields that do. A new entity
// has none of the first.
func (s *staged) certainOnes(ctx context.Context) (open []int, err error) {
	d := s.part()
	if s.isNew() || len(s.src.fields) <= askedFields {
		return s.without(nil), nil
	}
	if err := d.check(ctx, d.certain()); err != nil {
		return nil, err
	}
	s.draft.passed = d.passed // what failed is asked
	used, _ := d.used()
	return s.without(used), nil
}

func (s *staged) isNew() bool { return s.draft.dst.action == ActionCreateNew }

// part is a draft of the same target that keeps its own mappings and is silent about
// its progress, since several go on at the same time.
func (s *staged) part() *draft {
	return &draft{src: s.src, dst: s.draft.dst, progress: func(string, int, int) {}}
}

func (s *staged) without(used map[int]bool) []int {
	var open []int
	for field := range s.src.fields {
		if !used[field] {
			open = append(open, field)
		}
	}
	return open
}

// merge puts the parts together, in their own order.
func (s *staged) merge() {
	for _, p := range s.parts {
		if p.proposed == nil {
			continue
		}
		for _, field := range p.own {
			s.asked[field] = p
		}
		for _, code := range p.review {
			s.draft.doubt(code)
		}
		s.draft.defects = append(s.draft.defects, p.defects...)
		if s.isNew() {
			s.draft.adopt(p.proposed)
			continue
		}
		s.draft.passed = append(s.draft.passed, p.passed...)
	}
	if s.isNew() {
		s.draft.dst.profile(s.src)
	}
}

// assign leaves each target one owner, over all parts and what was certain. Since a
// part does not see what another one proposes, who loses a target gets the best one
// that is left to it.
func (s *staged) assign(ctx context.Context) error {
	if len(s.parts) > 1 {
		if err := s.draft.alternatives(ctx); err != nil {
			return err
		}
	}
	s.draft.settle()
	return nil
}

// rest maps offline what no question had room for, what failed, and what the parts
// could not see.
func (s *staged) rest(ctx context.Context) error {
	failed := s.draft.failedSources()
	if s.beyond > 0 {
		s.draft.doubt(ReviewBeyondLimit)
	}
	for _, p := range s.parts {
		if p.proposed == nil {
			s.draft.doubt(ReviewPartUnanswered)
		}
	}
	if s.isNew() {
		return s.restOfNew(ctx)
	}
	shown := make(map[*part]map[string]bool)
	for _, p := range s.parts {
		if p.proposed != nil {
			shown[p] = p.shown()
		}
	}
	return s.draft.fill(ctx, func(field, target int) bool {
		p := s.asked[field]
		if p == nil || !shown[p][s.draft.dst.fields[target].Name] {
			return true
		}
		score, _ := s.draft.dst.evidence(field, target)
		return failed[field] && score >= replacementFloor
	})
}

func (s *staged) restOfNew(ctx context.Context) error {
	used, _ := s.draft.used()
	var free []int
	for field := range s.src.fields {
		if !used[field] && (s.asked[field] == nil || len(s.draft.dst.fields) == 0) {
			free = append(free, field)
		}
	}
	if err := s.draft.derive(ctx, free); err != nil {
		return err
	}
	if s.looksLikeExisting(s.draft.dst) {
		s.draft.doubt(ReviewNearDuplicate)
	}
	return nil
}
