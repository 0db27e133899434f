package analysis

import (
	"context"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

// settle leaves every target one owner, so that the sum of the confidences is the
// highest possible: a mapping that has alternatives may get one of them. It comes
// after verification, since a target must not be lost to a mapping that turns out
// not to work. Of equals the earlier one wins.
func (d *draft) settle() {
	if !d.contested() {
		return
	}
	lists := make([][]match.Candidate, len(d.passed))
	for i, v := range d.passed {
		for _, option := range append([]*verified{v}, v.alternatives...) {
			score := option.mapping.Confidence - float64(i)*1e-9
			lists[i] = append(lists[i], match.Candidate{Target: option.target, Score: score})
		}
	}
	kept := d.passed[:0:0]
	for i, choice := range match.Assign(lists, 0) {
		v := d.passed[i]
		switch choice {
		case match.Unassigned:
			d.defects = append(d.defects, &defect{
				item:   item{sources: v.sources, target: v.mapping.Target},
				code:   CodeTargetTaken,
				detail: "a surer mapping fills this field",
			})
		case 0:
			kept = append(kept, v)
		default:
			kept = append(kept, v.alternatives[choice-1])
		}
	}
	d.passed = kept
}

// contested says that a target has more than one owner.
func (d *draft) contested() bool {
	owned := make(map[int]bool, len(d.passed))
	for _, v := range d.passed {
		if owned[v.target] {
			return true
		}
		owned[v.target] = true
	}
	return false
}

// maxAlternatives is how many other targets are verified for a mapping that may lose
// its own.
const maxAlternatives = 3

// alternatives gives mappings that contest a target the matcher's next candidates
// for their source, as far as these pass.
func (d *draft) alternatives(ctx context.Context) error {
	owners := make(map[int]int)
	for _, v := range d.passed {
		owners[v.target]++
	}
	for _, v := range d.passed {
		if owners[v.target] < 2 || len(v.sources) != 1 || v.sources[0] >= len(d.dst.candidates) {
			continue
		}
		for _, c := range d.dst.candidates[v.sources[0]] {
			if c.Target == v.target || c.Score < offlineFloor || owners[c.Target] == 1 || len(v.alternatives) == maxAlternatives {
				continue
			}
			other, _, err := verify(ctx, d.src, d.dst, item{
				sources: v.sources, target: d.dst.fields[c.Target].Name, op: schema.OpDirect, engine: schema.EngineOffline,
			})
			if err != nil {
				return err
			}
			if other != nil {
				v.alternatives = append(v.alternatives, other)
			}
		}
	}
	return nil
}
