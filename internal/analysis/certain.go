package analysis

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

const (
	// certainFields is how many fields a schema needs before equal names prove
	// anything: an id and a name are in every table.
	certainFields = 3
	// certainScore and certainMargin make a pair sure without an equal name, when a
	// wide schema is divided: whoever holds it for less is asked.
	certainScore  = 0.9
	certainMargin = 0.2
)

// certain decides without a model where there is nothing to decide. The rule is
// strict, since nobody looks at the result: one entity is clearly ahead, every field
// of the schema is called as one of its fields is, or was mapped there before, with a
// fitting type and nothing to convert, every required field is filled, and no
// mapping needs a review. The next delivery of a known source is such a case; one
// unknown header, and the model is asked.
func (c *inquiry) certain(ctx context.Context) (r Recommendation, certain bool, err error) {
	best := c.top()
	if best < 0 || len(c.src.fields) < certainFields || len(c.src.skipped) > 0 ||
		c.bestScore() < c.cfg.CreateBelow+clearLead || c.lead(best) < clearLead {
		return r, false, nil
	}
	d := c.draft(c.existing(best))
	items := d.certain()
	if len(items) < len(c.src.fields) || slices.Contains(d.dst.namesakes(c.src), -1) {
		return r, false, nil
	}
	if err := d.check(ctx, items); err != nil {
		return r, false, err
	}
	r = d.finish(schema.EngineOffline, "")
	if len(r.Unmapped) > 0 || r.NeedsReview() || !allDirect(r.Mappings) {
		return r, false, nil
	}
	r.SourceName = sourceName(c.src.schema, "", r.EntityName)
	r.Reasoning = fmt.Sprintf("No model was asked: all %d fields are called as fields of the entity %s are, or were mapped to them before, and no other entity comes near.",
		len(r.Mappings), plain(r.EntityName, 80))
	return r, true, nil
}

func allDirect(mappings []schema.Mapping) bool {
	for _, m := range mappings {
		if m.Op != schema.OpDirect {
			return false
		}
	}
	return true
}

// certain are the pairs that leave no doubt: the same name or a learned one, or, for
// the matcher, nearly so and far ahead of the next, with types that fit.
func (d *draft) certain() []item {
	var items []item
	taken := make(map[int]bool)
	take := func(s, t int) {
		if t < 0 || taken[t] || match.Fit(d.src.profiles[s].Family, d.dst.families[t]) < 1 ||
			!fits(d.src.fields[s], d.dst.fields[t], schema.OpDirect) {
			return
		}
		taken[t] = true
		items = append(items, item{sources: []int{s}, target: d.dst.fields[t].Name, op: schema.OpDirect, engine: schema.EngineOffline})
	}
	namesakes := d.dst.namesakes(d.src)
	for s, t := range namesakes {
		take(s, t)
	}
	for s, t := range d.dst.picks {
		if t < 0 || namesakes[s] >= 0 {
			continue
		}
		if score, margin := d.dst.evidence(s, t); score >= certainScore && margin >= certainMargin {
			take(s, t)
		}
	}
	return items
}

// namesakes are, by source field, the target that has its name, or had it mapped to
// it; -1 where there is none, or where more than one source or target is called so.
func (t *target) namesakes(src *source) []int {
	called := t.called()
	found, wanted := make([]int, len(src.fields)), make(map[int]int)
	for s := range src.fields {
		position, known := called[src.spelled[s]]
		if !known {
			position, known = called[inWords(src.fields[s].Name)]
		}
		if !known {
			position = -1
		}
		found[s] = position
		wanted[position]++
	}
	for s, position := range found {
		if wanted[position] > 1 {
			found[s] = -1
		}
	}
	return found
}

// called are the targets by their names, in words, and by the names that were mapped
// to them: -1 where several are called so. A field's own name counts more than what
// was mapped to another.
func (t *target) called() map[string]int {
	own, learned := make(map[string]int), make(map[string]int)
	enter := func(names map[string]int, name string, position int) {
		words := inWords(name)
		if other, twice := names[words]; twice && other != position {
			position = -1
		}
		names[words] = position
	}
	for i, f := range t.fields {
		enter(own, f.Name, i)
		for _, alias := range f.Aliases {
			enter(learned, alias, i)
		}
	}
	maps.Copy(learned, own)
	delete(learned, "") // no letter and no digit
	return learned
}
