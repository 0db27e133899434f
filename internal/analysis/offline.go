package analysis

import (
	"context"
	"fmt"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

// closeCall is the distance to the threshold, or to the second-best entity, within
// which the offline engine's decision is marked as doubtful.
const closeCall = 0.08

// offline decides without a model.
func (c *inquiry) offline(ctx context.Context) (Recommendation, error) {
	if len(c.hits) > 0 && c.hits[0].Score >= c.cfg.CreateBelow {
		r, mapped, err := c.mapOffline(ctx)
		if err != nil || mapped {
			return r, err
		}
	}
	return c.createOffline(ctx)
}

// mapOffline maps onto the best entity. It gives up when not one mapping passes.
func (c *inquiry) mapOffline(ctx context.Context) (Recommendation, bool, error) {
	best := c.hits[0]
	d := c.draft(c.existing(best.Entity))
	if err := d.fill(ctx, func(int, int) bool { return true }); err != nil {
		return Recommendation{}, false, err
	}
	if len(d.passed) == 0 {
		return Recommendation{}, false, nil
	}
	if best.Score-c.cfg.CreateBelow < closeCall {
		d.doubt(ReviewAmbiguousEntity)
	}
	r := d.finish(schema.EngineOffline, "")
	r.SourceName = sourceName(c.src.schema, "", r.EntityName)
	r.Reasoning = fmt.Sprintf("Offline match: %d of %d fields fit the entity %s, which scores %.2f; the next best scores %.2f.",
		len(r.Mappings), len(c.src.fields), plain(r.EntityName, 80), best.Score, best.Score-d.dst.lead)
	return r, true, nil
}

func (c *inquiry) createOffline(ctx context.Context) (Recommendation, error) {
	d := c.draft(c.judged(newTarget(entityName(c.src.schema, c.src.fields), c.entities.taken), -1))
	if d.dst.namesake {
		d.doubt(ReviewNearDuplicate)
	}
	if err := d.deriveAll(ctx); err != nil {
		return Recommendation{}, err
	}
	r := d.finish(schema.EngineOffline, "")
	r.SourceName = sourceName(c.src.schema, "", r.EntityName)
	r.Reasoning = fmt.Sprintf("Offline match: no existing entity reaches the score of %.2f (the best has %.2f), so a new one is made of the %d fields.",
		c.cfg.CreateBelow, c.bestScore(), len(c.src.fields))
	return r, nil
}

// deriveAll makes a field of the new entity from every source field that is free.
// A format that the samples contradict is given up rather than the field.
func (d *draft) deriveAll(ctx context.Context) error {
	used, _ := d.used()
	var free []int
	for s := range d.src.fields {
		if !used[s] {
			free = append(free, s)
		}
	}
	return d.derive(ctx, free)
}

func (d *draft) derive(ctx context.Context, sourceFields []int) error {
	positions := d.dst.derive(d.src, sourceFields)
	items := make([]item, len(sourceFields))
	for i, s := range sourceFields {
		items[i] = item{
			sources: []int{s}, target: d.dst.fields[positions[i]].Name,
			op: schema.OpDirect, engine: schema.EngineOffline, derived: true,
		}
	}
	before := len(d.defects)
	if err := d.check(ctx, items); err != nil {
		return err
	}
	failed := d.defects[before:]
	d.defects = d.defects[:before:before]
	var again []item
	for _, bad := range failed {
		field := &d.dst.fields[d.dst.position[bad.item.target]]
		field.Type, field.Format, field.Required = loosest(*field), "", false
		d.dst.families[d.dst.position[bad.item.target]] = match.FamilyOf(field.Type)
		again = append(again, bad.item)
	}
	return d.check(ctx, again)
}

// loosest is the type of a field that is taken as it comes.
func loosest(f schema.Field) string {
	switch match.FamilyOf(f.Type) {
	case match.FamilyObject, match.FamilyArray:
		return f.Type
	default:
		return "string"
	}
}

// assigned turns the matcher's assignment into items.
func assigned(lists [][]match.Candidate, dst *target) []item {
	var items []item
	for s, choice := range match.Assign(lists, offlineFloor) {
		if choice == match.Unassigned {
			continue
		}
		items = append(items, item{
			sources: []int{s}, target: dst.fields[lists[s][choice].Target].Name,
			op: schema.OpDirect, engine: schema.EngineOffline,
		})
	}
	return items
}
