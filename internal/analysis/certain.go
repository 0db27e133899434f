package analysis

import (
	"context"
	"fmt"

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
	if len(items) < len(c.src.fields) || !d.allNamed(items) {
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

// certain are the matcher's pairs that leave no doubt: the same name or a learned
// one, or nearly so and far ahead of the next, with types that fit.
func (d *draft) certain() []item {
	var items []item
	for s, t := range d.dst.picks {
		if t < 0 || match.Fit(d.src.profiles[s].Family, d.dst.families[t]) < 1 || !fits(d.src.fields[s], d.dst.fields[t], schema.OpDirect) {
			continue
		}
		score, margin := d.dst.evidence(s, t)
		if d.dst.named(d.src, s, t) || score >= certainScore && margin >= certainMargin {
			items = append(items, item{sources: []int{s}, target: d.dst.fields[t].Name, op: schema.OpDirect, engine: schema.EngineOffline})
		}
	}
	return items
}

func (d *draft) allNamed(items []item) bool {
	for _, it := range items {
		if !d.dst.named(d.src, it.sources[0], d.dst.position[it.target]) {
			return false
		}
	}
	return true
}
