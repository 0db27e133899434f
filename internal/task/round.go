package task

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// waitingSets are the sorted sets in which tasks wait or rest, by their states.
var waitingSets = []string{"scheduled", "retry", "archived", "completed"}

// round is one look at one queue.
type round struct {
	*Repairer
	queue string
	// active are the ids that were seen in the list of active tasks. They may have ended
	// since then: it is only a ground for suspicion.
	active map[string]bool
	left   int // repairs that this round may still make
	found  *Findings
}

// lists looks at what the queue's lists name.
func (r *round) lists(ctx context.Context) error {
	if err := r.activeAndLeases(ctx); err != nil {
		return err
	}
	pending := prefix(r.queue) + "pending"
	// Workers take from the end of the list.
	next, err := r.rdb.LRange(ctx, pending, -int64(r.cfg.Window), -1).Result()
	if err != nil {
		return err
	}
	if err := r.look(ctx, "pending", next); err != nil {
		return err
	}
	if len(next) == r.cfg.Window {
		if err := r.window(ctx, "pending", r.cfg.Window, r.rdb.LRange); err != nil {
			return err
		}
	}
	for _, set := range waitingSets {
		if err := r.window(ctx, set, r.cfg.Window, r.rdb.ZRange); err != nil {
			return err
		}
	}
	return r.archivedAndPause(ctx)
}

// activeAndLeases looks at both whole, up to a bound: one bad entry there stops the
// recovery of all.
func (r *round) activeAndLeases(ctx context.Context) error {
	r.active = map[string]bool{}
	const pages = 10
	remember := func(ctx context.Context, key string, from, to int64) *redis.StringSliceCmd {
		cmd := r.rdb.LRange(ctx, key, from, to)
		for _, id := range cmd.Val() {
			r.active[id] = true
		}
		return cmd
	}
	if err := r.window(ctx, "active", pages*r.cfg.Window, remember); err != nil {
		return err
	}
	return r.window(ctx, "lease", pages*r.cfg.Window, r.rdb.ZRange)
}

// window looks at a part of a list or set and remembers where the next one begins.
func (r *round) window(ctx context.Context, place string, size int,
	read func(ctx context.Context, key string, from, to int64) *redis.StringSliceCmd,
) error {
	key := prefix(r.queue) + place
	from := r.offsets[key]
	r.offsets[key] = 0
	for done := 0; done < size; {
		page := min(lookupBatch, size-done)
		ids, err := read(ctx, key, from, from+int64(page)-1).Result()
		if err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
		before := r.left
		if err := r.look(ctx, place, ids); err != nil {
			return err
		}
		if len(ids) < page {
			return nil
		}
		// Most repairs take the id out of the list, so that the next ones move up.
		done += page
		from += int64(page - (before - r.left))
	}
	r.offsets[key] = max(from, 0)
	return nil
}

// archivedAndPause keeps the archive short, and sees whether the queue is paused.
func (r *round) archivedAndPause(ctx context.Context) error {
	for range archivedMost / trimBatch {
		n, err := r.trim.Run(ctx, r.rdb, []string{prefix(r.queue) + "archived"}, archivedMost, trimBatch, taskKeys(r.queue)).Int()
		if err != nil {
			return err
		}
		r.found.Trimmed += n
		if n < trimBatch {
			break
		}
	}
	n, err := r.rdb.Exists(ctx, prefix(r.queue)+"paused").Result()
	if n > 0 {
		r.found.Paused = append(r.found.Paused, r.queue)
	}
	return err
}
