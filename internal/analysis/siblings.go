package analysis

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// siblings are the fields of objects that repeat under one parent with the same
// fields inside.
func siblings(src *source, fields []int) []*group {
	family := make(map[string]map[string]*sibling) // by parent, then by name
	var parents []string
	for _, s := range fields {
		for _, at := range dots(src.fields[s].Name) {
			parent, name, leaf := splitPath(src.fields[s].Name, at)
			if family[parent] == nil {
				family[parent] = make(map[string]*sibling)
				parents = append(parents, parent)
			}
			one := family[parent][name]
			if one == nil {
				one = &sibling{name: name}
				family[parent][name] = one
			}
			one.leaves = append(one.leaves, leaf+"\x00"+strconv.Itoa(int(src.profiles[s].Family)))
			one.fields = append(one.fields, s)
		}
	}
	taken := make(map[int]bool)
	var groups []*group
	for _, parent := range parents { // outer ones were met before inner ones
		groups = append(groups, alike(family[parent], taken)...)
	}
	return groups
}

// sibling is one of the objects under a parent.
type sibling struct {
	name   string
	leaves []string // their names inside, with the family of the type
	fields []int
}

func (s *sibling) sort() string {
	order := make([]int, len(s.leaves))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.leaves[a], s.leaves[b]) })
	leaves, fields := make([]string, len(order)), make([]int, len(order))
	for i, o := range order {
		leaves[i], fields[i] = s.leaves[o], s.fields[o]
	}
	s.leaves, s.fields = leaves, fields
	return strings.Join(leaves, "\x01")
}

// alike makes groups, one a leaf, of the objects that have the same leaves.
func alike(objects map[string]*sibling, taken map[int]bool) []*group {
	same := make(map[string][]*sibling)
	for _, one := range objects {
		if len(one.leaves) >= leavesAt && !slices.ContainsFunc(one.fields, func(s int) bool { return taken[s] }) {
			key := one.sort()
			same[key] = append(same[key], one)
		}
	}
	var groups []*group
	for _, list := range same {
		if len(list) < groupAt {
			continue
		}
		slices.SortFunc(list, func(a, b *sibling) int { return cmp.Compare(slices.Min(a.fields), slices.Min(b.fields)) })
		for leaf := range list[0].leaves {
			g := &group{}
			for _, one := range list {
				g.members = append(g.members, one.fields[leaf])
				g.varying = append(g.varying, []string{one.name})
				taken[one.fields[leaf]] = true
			}
			groups = append(groups, g)
		}
	}
	return groups
}

// dots are the positions of the dots of a path that have an object before them.
func dots(name string) []int {
	var at []int
	for i := 1; i < len(name)-1; i++ {
		if name[i] == '.' {
			at = append(at, i)
		}
	}
	return at
}

// splitPath cuts a path at the dot behind one of its objects: a.b.c at the second dot
// is a, b and c.
func splitPath(path string, at int) (parent, name, leaf string) {
	head := path[:at]
	if dot := strings.LastIndexByte(head, '.'); dot >= 0 {
		return head[:dot], head[dot+1:], path[at+1:]
	}
	return "", head, path[at+1:]
}
