package analysis

import (
	"context"
	"slices"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

// proposed is a draft that carries out a model's proposal.
type proposed struct {
	*draft
	question Question
	proposal Proposal
	fields   []int             // index into Question.Source -> index into source.fields
	context  int               // so many of them, the first ones, only explain the others
	renamed  map[string]string // fields of a new entity: as proposed -> as cleaned; nil for an existing one
}

// interpret turns the decision of a proposal into a target of today's entities.
// Its errors are *ModelError.
func (c *inquiry) interpret(q Question, proposal Proposal) (*proposed, error) {
	p := &proposed{question: q, proposal: proposal, fields: make([]int, len(q.Source))}
	for i, f := range q.Source {
		p.fields[i] = c.src.position[f.Name]
	}
	switch proposal.Action {
	case ActionMapToExisting:
		position, err := c.chosen(q, proposal)
		if err != nil {
			return nil, err
		}
		p.draft = c.draft(c.existing(position))
	case ActionCreateNew:
		dst, renamed := proposedTarget(proposal.NewEntity, c.src, c.entities.taken)
		p.draft, p.renamed = c.draft(c.judged(dst, -1)), renamed
		dst.profile(c.src)
	default:
		return nil, badAnswer("the answer decides neither for an entity of the question nor for a new one")
	}
	return p, nil
}

func badAnswer(detail string) error { return &ModelError{Kind: ModelBadAnswer, Detail: detail} }

// items translates proposed mappings into the terms of the draft. Those of fields
// that only explain others are left out.
func (p *proposed) items(mappings []Proposed) []item {
	items := make([]item, 0, len(mappings))
	for _, m := range mappings {
		if len(m.Sources) > 0 && !slices.ContainsFunc(m.Sources, func(s int) bool { return s < 0 || s >= p.context }) {
			continue
		}
		it := item{op: m.Op, args: m.Args, band: m.Band, why: m.Why, engine: schema.EngineLLM, target: m.Target}
		if p.renamed != nil {
			it.target = p.renamed[m.Target] // "" when the entity has no such field
		}
		for _, s := range m.Sources {
			field := -1
			if s >= 0 && s < len(p.fields) {
				field = p.fields[s]
			}
			if !slices.Contains(it.sources, field) {
				it.sources = append(it.sources, field)
			}
		}
		if m.Op == schema.OpConstant {
			it.sources = nil
		}
		items = append(items, it)
	}
	return items
}

// repairable are the failures that a second question may mend: those that name a
// field on either side.
func (p *proposed) repairable(rejected []Failure) []Failure {
	var failures []Failure
	for _, bad := range p.defects {
		failures = append(failures, Failure{
			Sources: p.askedAs(bad.item.sources), Target: p.proposedName(bad.item.target),
			Code: bad.code, Detail: bad.detail,
		})
	}
	for _, f := range rejected {
		f.Target, f.Code, f.Detail = plain(f.Target, 64), plain(f.Code, 32), p.src.withoutValues(plain(f.Detail, maxWhy), "")
		f.Sources = slices.DeleteFunc(slices.Clone(f.Sources), func(s int) bool { return s < 0 || s >= len(p.fields) })
		failures = append(failures, f)
		bad := &defect{code: CodeUnknownField, detail: "the model named something that was not in the question"}
		for _, s := range f.Sources {
			bad.item.sources = append(bad.item.sources, p.fields[s])
		}
		p.defects = append(p.defects, bad)
	}
	return slices.DeleteFunc(failures, func(f Failure) bool { return len(f.Sources) == 0 && f.Target == "" })
}

// askedAs is the way back from positions of fields to indices of the question.
func (p *proposed) askedAs(sources []int) []int {
	asked := []int{}
	for _, s := range sources {
		if i := slices.Index(p.fields, s); s >= 0 && i >= 0 {
			asked = append(asked, i)
		}
	}
	return asked
}

func (p *proposed) proposedName(target string) string {
	for was, is := range p.renamed {
		if is == target {
			return was
		}
	}
	return target
}

// mend takes from a second answer what concerns the failures of the first, and
// nothing else: what passed stays as it is.
func (p *proposed) mend(ctx context.Context, mappings []Proposed) error {
	sources, targets := make(map[int]bool), make(map[string]bool)
	for _, bad := range p.defects {
		targets[bad.item.target] = true
		for _, s := range bad.item.sources {
			sources[s] = true
		}
	}
	_, filled := p.used()
	var items []item
	for _, it := range p.items(mappings) {
		position, known := p.dst.position[it.target]
		concerned := targets[it.target] || slices.ContainsFunc(it.sources, func(s int) bool { return sources[s] })
		if known && !filled[position] && concerned {
			items = append(items, it)
		}
	}
	return p.check(ctx, items)
}

// complete maps offline what the question did not show: fields of the entity that
// only stood on a card, and source fields whose mapping could not be repaired. What
// the model saw and left alone stays unmapped.
func (c *inquiry) complete(ctx context.Context, p *proposed) error {
	p.settle()
	if p.dst.action == ActionCreateNew {
		return c.completeNew(ctx, p)
	}
	failed, shown := p.failedSources(), p.shown()
	return p.fill(ctx, func(s, t int) bool {
		if !shown[p.dst.fields[t].Name] {
			return true
		}
		score, _ := p.dst.evidence(s, t)
		return failed[s] && score >= replacementFloor
	})
}

// shown are the fields of the chosen entity that were in the question.
func (p *proposed) shown() map[string]bool {
	shown := make(map[string]bool)
	if p.proposal.Action == ActionMapToExisting {
		for _, f := range p.question.Entities[p.proposal.Entity].Fields {
			shown[f.Name] = true
		}
	}
	return shown
}

// failedSources are fields that somebody mapped and that verification refused. One
// that only lost its target to a surer mapping is none.
func (d *draft) failedSources() map[int]bool {
	failed := make(map[int]bool)
	for _, bad := range d.defects {
		for _, s := range bad.item.sources {
			failed[s] = bad.code != CodeTargetTaken
		}
	}
	return failed
}

// replacementFloor is the matcher's score from which its own mapping takes the place
// of a model's that failed twice.
const replacementFloor = 0.6

// completeNew gives a new entity fields for all source fields when the model
// proposed none. An entity that looks like an existing one is marked.
func (c *inquiry) completeNew(ctx context.Context, p *proposed) error {
	if len(p.renamed) == 0 {
		if err := p.deriveAll(ctx); err != nil {
			return err
		}
	}
	if c.looksLikeExisting(p.dst) {
		p.doubt(ReviewNearDuplicate)
	}
	return nil
}

// nearDuplicate is the score from which two entities are taken for the same.
const nearDuplicate = 0.85

func (c *inquiry) looksLikeExisting(dst *target) bool {
	if dst.namesake {
		return true
	}
	hits := c.entities.index.Retrieve(match.ProfilesOf(dst.fields), 1)
	return len(hits) > 0 && hits[0].Score >= nearDuplicate
}
