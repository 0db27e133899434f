package task

import (
	"context"
	"fmt"
)

// The outcomes of repair.lua.
const (
	repairedNothing = iota
	repairedQuarantined
	repairedGhost
	repairedRemains
	repairedRequeued
	repairedLeased
	repairedLeftover
	repairedMisplaced
)

// mend runs the script and counts what it did.
func (r *round) mend(ctx context.Context, id, place string, bad badMessage) error {
	if r.left <= 0 {
		return nil
	}
	quarantine := "schemacast:quarantine:{" + r.queue + "}"
	now := r.now()
	outcome, err := r.repair.Run(ctx, r.rdb, append(keys(r.queue, id), quarantine, quarantine+":t:"+id),
		id, place, now.Unix(), now.UnixNano(), bad.message, bad.reason, longestMessage, r.cfg.Quarantine, quarantine+":t:").Int()
	if err != nil {
		return err
	}
	if outcome != repairedNothing {
		r.left--
	}
	switch outcome {
	case repairedQuarantined:
		r.found.Quarantined++
		if len(r.found.Bad) < maxBad {
			r.found.Bad = append(r.found.Bad, BadTask{Queue: r.queue, ID: excerpt(id), Reason: orWrongForm(bad.reason)})
		}
	case repairedGhost:
		r.found.Ghosts++
	case repairedRemains:
		r.found.Remains++
	case repairedRequeued:
		r.found.Requeued++
	case repairedLeased:
		r.found.Leased++
	case repairedLeftover:
		r.found.Leftovers++
	case repairedMisplaced:
		r.found.Misplaced++
	}
	return nil
}

// orWrongForm names what the script found by itself.
func orWrongForm(reason string) string {
	if reason == "" {
		return fmt.Sprintf("is longer than %d bytes, or is no hash", longestMessage)
	}
	return reason
}
