package analysis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/schemacast/schemacast/internal/analysis/match"
)

const (
	// groupAt is how many fields of one form make a group: two may be a coincidence.
	groupAt = 3
	// leavesAt is how many fields each of several objects must have in common before
	// the objects count as repeated: home.city, work.city and birth.city mean three
	// things, sensors.a.{on,level} and its sisters one.
	leavesAt = 2
)

// group is the fields of one form: q_001, q_002, ... or sensors.a.level,
// sensors.b.level, ... A model is asked about the first one, and what it answers is
// repeated for the others (LLMatch calls it rollup and drilldown).
type group struct {
	members []int // positions in source.fields; the first one stands for all
	// varying holds, by member, the parts of the name in which the members differ, as
	// they are written. All have the same number.
	varying [][]string
}

// opaque are words of names that say nothing about what a column holds: what
// col_1 and col_2 have in common is not their meaning.
var opaque = wordSet(`col column field attribute attr var variable value val data unnamed x f c v`)

// groupsOf finds the groups among fields, in the order of their first members.
func groupsOf(src *source, fields []int) []*group {
	groups := numbered(src, fields)
	member := make(map[int]bool)
	for _, g := range groups {
		for _, s := range g.members {
			member[s] = true
		}
	}
	var rest []int
	for _, s := range fields {
		if !member[s] {
			rest = append(rest, s)
		}
	}
	groups = append(groups, siblings(src, rest)...)
	slices.SortStableFunc(groups, func(a, b *group) int { return cmp.Compare(a.members[0], b.members[0]) })
	return groups
}

// numbered are fields whose names differ in numbers only.
func numbered(src *source, fields []int) []*group {
	byForm := make(map[string]*group)
	var order []string
	for _, s := range fields {
		form, numbers := numberForm(src.fields[s].Name)
		if len(numbers) == 0 {
			continue
		}
		form += "\x00" + src.kind(s)
		g := byForm[form]
		if g == nil {
			g = &group{}
			byForm[form] = g
			order = append(order, form)
		}
		g.members = append(g.members, s)
		g.varying = append(g.varying, numbers)
	}
	var groups []*group
	for _, form := range order {
		if g := byForm[form]; len(g.members) >= groupAt {
			g.dropConstant()
			groups = append(groups, g)
		}
	}
	return groups
}

// numberForm is a name with # for each number in it, and the numbers. A name of
// opaque words has no form.
func numberForm(name string) (form string, numbers []string) {
	telling := false
	for _, word := range match.Words(name) {
		telling = telling || !digits(word) && !opaque[word]
	}
	if !telling {
		return "", nil
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		end := i
		for end < len(name) && name[end] >= '0' && name[end] <= '9' {
			end++
		}
		if end == i {
			b.WriteByte(name[i])
			i++
			continue
		}
		b.WriteByte('#')
		numbers = append(numbers, name[i:end])
		i = end
	}
	return b.String(), numbers
}

// dropConstant forgets the numbers that all members share, as the 5 of md5_1, md5_2.
func (g *group) dropConstant() {
	for at := len(g.varying[0]) - 1; at >= 0; at-- {
		same := !slices.ContainsFunc(g.varying, func(v []string) bool { return v[at] != g.varying[0][at] })
		if !same {
			continue
		}
		for i, v := range g.varying {
			g.varying[i] = slices.Delete(slices.Clone(v), at, at+1)
		}
	}
}

// kind is what fields of one group have in common beside the name: how their values
// look. Columns that are only numbered differ here.
func (s *source) kind(position int) string {
	p := s.profiles[position]
	return fmt.Sprintf("%d\x00%s\x00%s", p.Family, p.Semantic, runsCollapsed(p.Shape))
}

// runsCollapsed makes one letter or digit of each run: "aaaa 99" and "aa 9" are the
// same kind of value.
func runsCollapsed(shape string) string {
	var b strings.Builder
	last := rune(-1)
	for _, r := range shape {
		if r != last {
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}

// representative is the question's view of a group: its first field, and how many
// more there are.
func (g *group) representative(f SourceField) SourceField {
	note := fmt.Sprintf("the first of %d fields of this form", len(g.members))
	f.Description = strings.TrimPrefix(f.Description+"; "+note, "; ")
	return f
}
