package analysis

import (
	"context"
	"slices"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

// repeat maps the fields of each group as the one that stands for them: q_002 to
// question_2, when q_001 goes to question_1. Each is verified by itself. Where the
// target does not tell the fields of a group apart, or one does not pass, the matcher
// maps it.
func (s *staged) repeat(ctx context.Context) error {
	var items []item
	for _, v := range slices.Clone(s.draft.passed) {
		if len(v.sources) == 0 {
			continue
		}
		g := s.groups[v.sources[0]]
		if g == nil || s.asked[v.sources[0]] == nil {
			continue
		}
		for member := 1; member < len(g.members); member++ {
			if it, ok := s.repeated(v, g, member); ok {
				items = append(items, it)
			}
		}
	}
	if err := s.draft.check(ctx, items); err != nil {
		return err
	}
	s.leaveAlone()
	return nil
}

// repeated is the mapping of a member. A formula is not repeated: it names fields.
func (s *staged) repeated(v *verified, g *group, member int) (item, bool) {
	if v.mapping.Op == schema.OpFormula || v.mapping.Op == schema.OpConstant {
		return item{}, false
	}
	it := v.item
	it.why = plain("as "+v.mapping.Sources[0]+"; "+it.why, maxWhy)
	it.sources = []int{g.members[member]}
	for _, source := range v.sources[1:] {
		other := s.groups[source]
		if other == nil || len(other.members) != len(g.members) || !slices.Equal(other.varying[member], g.varying[member]) {
			return item{}, false // what else is combined must repeat alike
		}
		it.sources = append(it.sources, other.members[member])
	}
	name, ok := g.counterpart(v.mapping.Target, member)
	if !ok {
		return item{}, false
	}
	if _, exists := s.draft.dst.position[name]; !exists {
		if !s.isNew() {
			return item{}, false
		}
		like := s.draft.dst.fields[v.target]
		like.Name = clip(name, maxCanonical)
		s.draft.dst.add(like)
		name = s.draft.dst.fields[len(s.draft.dst.fields)-1].Name
		it.derived = true
	}
	it.target = name
	return it, true
}

// leaveAlone extends to a group what the model said about the one that stands for
// it: when it left that one alone, the others stay unmapped, too.
func (s *staged) leaveAlone() {
	used, _ := s.draft.used()
	failed := s.draft.failedSources()
	for first, g := range s.groups {
		p := s.asked[first]
		if p == nil || used[first] || failed[first] {
			continue
		}
		for _, member := range g.members[1:] {
			s.asked[member] = p
		}
	}
}

// adopt takes over the fields and mappings that a part proposes for a new entity. A
// name that another part has used already is replaced by that of the source.
func (d *draft) adopt(p *proposed) {
	moved := make([]int, len(p.dst.fields))
	for i, f := range p.dst.fields {
		if _, taken := d.dst.position[f.Name]; taken {
			if s := onlySource(p.passed, i); s >= 0 {
				f.Name = snake(match.Spelled(d.src.fields[s].Name))
			}
		}
		moved[i] = d.dst.add(f)
	}
	for _, v := range p.passed {
		v.target = moved[v.target]
		v.mapping.Target = d.dst.fields[v.target].Name
		v.item.target = v.mapping.Target
		d.passed = append(d.passed, v)
	}
}

// onlySource is the one source of the mapping that fills a target, -1 when there is
// none or more than one.
func onlySource(passed []*verified, target int) int {
	for _, v := range passed {
		if v.target == target && len(v.sources) == 1 {
			return v.sources[0]
		}
	}
	return -1
}
