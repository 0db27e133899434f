package analysis

import (
	"slices"
	"strings"

	"github.com/schemacast/schemacast/internal/analysis/match"
)

// repairShare of the questions of an analysis is kept for repairs: one in so many.
const repairShare = 4

// divide makes the parts of the fields that a model is to map: groups are asked about
// by their first field, neighbours stay together, and what is beyond the limit of
// questions is left to the matcher, the least telling fields first.
func (s *staged) divide(open []int) {
	asked := open
	if len(open) > askedFields {
		asked = s.rollUp(open)
	}
	limit := s.partLimit() * (askedFields - contextFields)
	if len(asked) > askedFields && len(asked) > limit {
		s.beyond = len(asked) - limit
		asked = s.mostTelling(asked, limit)
	}
	s.parts = s.resumed(asked)
}

// partLimit is how many parts there may be: all questions but the one about the
// entity and those kept for repairs.
func (s *staged) partLimit() int {
	return max(1, s.cfg.MaxQuestions-1-s.cfg.MaxQuestions/repairShare)
}

// rollUp leaves the first field of each group, and those of no group.
func (s *staged) rollUp(open []int) []int {
	hidden := make(map[int]bool)
	for _, g := range groupsOf(s.src, open) {
		s.groups[g.members[0]] = g
		for _, member := range g.members[1:] {
			hidden[member] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(open), func(field int) bool { return hidden[field] })
}

func (s *staged) mostTelling(fields []int, n int) []int {
	profiles := make([]match.Profile, len(fields))
	for i, field := range fields {
		profiles[i] = s.src.profiles[field]
	}
	kept := make([]int, 0, n)
	for _, i := range s.entities.index.Telling(profiles, n) {
		kept = append(kept, fields[i])
	}
	return kept
}

// resumed are the parts of the fields. Where an earlier attempt divided them
// otherwise, as another version or with other entities, its answers keep the fields
// that they are about, and the rest is divided among new parts.
func (s *staged) resumed(fields []int) []*part {
	planned := s.chunks(fields)
	s.parts = planned // their number is part of a question
	old := s.answeredOtherwise(planned)
	if len(old) == 0 {
		return planned
	}
	have := make(map[int]bool)
	for _, p := range old {
		for _, field := range p.own {
			have[field] = true
		}
	}
	open := slices.DeleteFunc(slices.Clone(fields), func(field int) bool { return have[field] })
	return append(old, s.chunks(open)...)
}

// answeredOtherwise are parts that were answered and are none of the planned ones.
// When there is one, all answered ones are kept as they are.
func (s *staged) answeredOtherwise(planned []*part) []*part {
	var old []*part
	other := false
	have := make(map[int]bool)
	for _, e := range s.talk.parts() {
		if !s.sameDecision(e.Question) {
			continue
		}
		p := &part{}
		for _, f := range e.Question.Source {
			position := s.src.position[f.Name]
			if have[position] {
				p.context = append(p.context, position)
				continue
			}
			have[position] = true
			p.own = append(p.own, position)
		}
		old = append(old, p)
		other = other || !slices.ContainsFunc(planned, func(p *part) bool { return p.asks(s.src, e.Question) })
	}
	if !other {
		return nil
	}
	return old
}

// sameDecision says that a question about fields is about the entity that is decided.
func (s *staged) sameDecision(q Question) bool {
	if s.isNew() {
		return q.Ask == AskBoth && len(q.Entities) == 0
	}
	return q.Ask == AskFields && len(q.Entities) == 1 && q.Entities[0].ID == s.draft.dst.id
}

func (p *part) asks(src *source, q Question) bool {
	fields := append(slices.Clone(p.context), p.own...)
	return slices.EqualFunc(fields, q.Source, func(field int, f SourceField) bool { return src.fields[field].Name == f.Name })
}

// chunks cuts fields into parts of what fits into one question. Neighbours, which
// explain each other, are fields with the same first word, in their own order; where
// they are cut, the last ones are shown once more in front of the next part.
func (s *staged) chunks(fields []int) []*part {
	if len(fields) == 0 {
		return nil
	}
	if len(fields) <= askedFields {
		return []*part{{own: fields}}
	}
	var parts []*part
	current := &part{}
	flush := func() {
		if len(current.own) > 0 {
			parts = append(parts, current)
		}
		current = &part{}
	}
	const room = askedFields - contextFields
	roomy := 2*len(fields) <= s.partLimit()*room
	for _, bucket := range neighbours(s.src, fields) {
		if roomy && len(current.own)+len(bucket) > room && len(bucket) <= room && 2*len(current.own) > room {
			flush() // it fits as a whole into the next one, and there are enough
		}
		for i, field := range bucket {
			if len(current.own) == room {
				flush()
				current.context = slices.Clone(bucket[max(0, i-contextFields):i])
			}
			current.own = append(current.own, field)
		}
	}
	flush()
	return parts
}

// neighbours are the fields by their first word, in the order in which these come.
func neighbours(src *source, fields []int) [][]int {
	at := make(map[string]int)
	var buckets [][]int
	for _, field := range fields {
		first, _, nested := strings.Cut(src.fields[field].Name, ".")
		if words := match.Spelled(first); !nested && len(words) > 0 {
			first = words[0]
		}
		i, known := at[first]
		if !known {
			i = len(buckets)
			at[first] = i
			buckets = append(buckets, nil)
		}
		buckets[i] = append(buckets[i], field)
	}
	return buckets
}
