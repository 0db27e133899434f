package task

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// sight is what a look tells about one task.
type sight struct {
	id     string
	state  string
	length int64
	leased bool
	since  string // pending_since
	odd    bool   // it is no hash
}

// see reads what there is about some tasks.
func (r *round) see(ctx context.Context, ids []string) ([]sight, error) {
	pipe := r.rdb.Pipeline()
	fields := make([]*redis.SliceCmd, len(ids))
	lengths := make([]*redis.IntCmd, len(ids))
	leases := make([]*redis.FloatCmd, len(ids))
	for n, id := range ids {
		key := taskKeys(r.queue) + id
		fields[n] = pipe.HMGet(ctx, key, "state", "pending_since")
		lengths[n] = pipe.HStrLen(ctx, key, "msg")
		leases[n] = pipe.ZScore(ctx, prefix(r.queue)+"lease", id)
	}
	if err := execute(ctx, pipe); err != nil {
		return nil, err
	}
	out := make([]sight, len(ids))
	for n, id := range ids {
		out[n] = sight{id: id, length: lengths[n].Val(), leased: leases[n].Err() == nil, odd: lengths[n].Err() != nil}
		if values := fields[n].Val(); len(values) == 2 {
			out[n].state, _ = values[0].(string)
			out[n].since, _ = values[1].(string)
		}
	}
	return out, nil
}

// look repairs what is suspicious among the ids that a list names.
func (r *round) look(ctx context.Context, place string, ids []string) error {
	for page := range slices.Chunk(ids, lookupBatch) {
		sights, err := r.see(ctx, page)
		if err != nil {
			return err
		}
		bad, err := r.unreadable(ctx, sights)
		if err != nil {
			return err
		}
		for _, s := range sights {
			if reason, found := bad[s.id]; found {
				err = r.mend(ctx, s.id, place, reason)
			} else if r.suspicious(s, place) {
				err = r.mend(ctx, s.id, place, badMessage{})
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *round) suspicious(s sight, place string) bool {
	switch {
	case s.odd || s.length == 0 || s.length > longestMessage:
		return true
	case place == "active":
		return s.state != "active" || !s.leased
	case place == "lease":
		return s.state != "active" || !r.active[s.id]
	default:
		return s.state != place
	}
}

// badMessage is a message that nobody can work on, and why.
type badMessage struct{ message, reason string }

// unreadable returns the messages that can not be used, by their ids.
func (r *round) unreadable(ctx context.Context, sights []sight) (map[string]badMessage, error) {
	pipe := r.rdb.Pipeline()
	messages := map[string]*redis.StringCmd{}
	for _, s := range sights {
		if !s.odd && s.length > 0 && s.length <= longestMessage {
			messages[s.id] = pipe.HGet(ctx, taskKeys(r.queue)+s.id, "msg")
		}
	}
	if len(messages) == 0 {
		return nil, nil
	}
	if err := execute(ctx, pipe); err != nil {
		return nil, err
	}
	bad := map[string]badMessage{}
	for id, cmd := range messages {
		if cmd.Err() != nil {
			continue // it has ended since the look
		}
		if err := check([]byte(cmd.Val()), r.queue, id); err != nil {
			bad[id] = badMessage{message: cmd.Val(), reason: err.Error()}
		}
	}
	return bad, nil
}

// strays looks at tasks that a walk over all keys found, whatever lists name them.
func (r *round) strays(ctx context.Context, ids []string) error {
	sights, err := r.see(ctx, ids)
	if err != nil {
		return err
	}
	oldest, walks, err := r.endOfQueue(ctx)
	if err != nil {
		return err
	}
	homes, err := r.atHome(ctx, sights)
	if err != nil {
		return err
	}
	for _, s := range sights {
		suspect := false
		switch {
		case s.odd || s.length == 0 || s.length > longestMessage:
			suspect = true
		case s.state == "active":
			suspect = !s.leased || !r.active[s.id]
		case s.state == "pending":
			// Whoever waits longer than the one that is next is not in the list.
			if since, _ := strconv.ParseInt(s.since, 10, 64); since < oldest && walks > 0 {
				walks--
				suspect = true
			}
		default:
			suspect = !homes[s.id]
		}
		if suspect {
			if err := r.mend(ctx, s.id, "", badMessage{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// atHome says which tasks are in the set that their state names.
func (r *round) atHome(ctx context.Context, sights []sight) (map[string]bool, error) {
	pipe := r.rdb.Pipeline()
	scores := map[string]*redis.FloatCmd{}
	for _, s := range sights {
		if slices.Contains(waitingSets, s.state) {
			scores[s.id] = pipe.ZScore(ctx, prefix(r.queue)+s.state, s.id)
		}
	}
	homes := map[string]bool{}
	if len(scores) == 0 {
		return homes, nil
	}
	if err := execute(ctx, pipe); err != nil {
		return nil, err
	}
	for id, cmd := range scores {
		homes[id] = cmd.Err() == nil
	}
	return homes, nil
}

// endOfQueue returns since when, in nanoseconds, the task waits that is taken next,
// less what the clocks of producers may differ, and how many tasks may be searched in
// the list, each of which walks over all of it.
func (r *round) endOfQueue(ctx context.Context) (oldest int64, walks int, err error) {
	const entriesWalked, margin = 1_000_000, int64(time.Minute)
	length, err := r.rdb.LLen(ctx, prefix(r.queue)+"pending").Result()
	if err != nil {
		return 0, 0, err
	}
	walks = int(max(1, min(1000, entriesWalked/max(length, 1))))
	oldest = r.now().UnixNano()
	if length == 0 {
		return oldest, walks, nil
	}
	next, err := r.rdb.LIndex(ctx, prefix(r.queue)+"pending", -1).Result()
	if err != nil {
		if errors.Is(err, redis.Nil) {
			err = nil // taken meanwhile
		}
		return oldest, walks, err
	}
	// One that asynq pushed back has no time; then all are searched, within bounds.
	if since, err := r.rdb.HGet(ctx, taskKeys(r.queue)+next, "pending_since").Int64(); err == nil {
		oldest = since - margin
	}
	return oldest, walks, nil
}
