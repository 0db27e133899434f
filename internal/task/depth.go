package task

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Depth is what is in a queue at a moment.
type Depth struct {
	Queue string
	// Pending are due and not taken up, Active are worked on, Scheduled wait for their time,
	// Retry for their next try, Archived were put away.
	Pending, Active, Scheduled, Retry, Archived int64
	// Oldest is for how long the task that is next has been due, 0 without any.
	Oldest time.Duration
	Paused bool
}

// Depths tells of all queues, in a few plain commands whose cost does not grow with the
// queues. The error is a *RedisError.
func (i *Inspector) Depths(ctx context.Context) ([]Depth, error) {
	out := make([]Depth, 0, len(Queues()))
	for _, queue := range Queues() {
		d, err := i.depth(ctx, queue)
		if err != nil {
			return nil, i.failed(err)
		}
		out = append(out, d)
	}
	return out, nil
}

func (i *Inspector) depth(ctx context.Context, queue string) (Depth, error) {
	name := prefix(queue)
	pipe := i.rdb.Pipeline()
	pending, active := pipe.LLen(ctx, name+"pending"), pipe.LLen(ctx, name+"active")
	scheduled, retry, archived := pipe.ZCard(ctx, name+"scheduled"), pipe.ZCard(ctx, name+"retry"), pipe.ZCard(ctx, name+"archived")
	paused := pipe.Exists(ctx, name+"paused")
	next := pipe.LIndex(ctx, name+"pending", -1) // workers take from the end
	if err := execute(ctx, pipe); err != nil {
		return Depth{}, err
	}
	d := Depth{
		Queue: queue, Pending: pending.Val(), Active: active.Val(), Scheduled: scheduled.Val(), Retry: retry.Val(),
		Archived: archived.Val(), Paused: paused.Val() > 0,
	}
	if next.Val() == "" {
		return d, nil
	}
	since, err := i.rdb.HGet(ctx, taskKeys(queue)+next.Val(), "pending_since").Result()
	switch {
	case errors.Is(err, redis.Nil), redis.HasErrorPrefix(err, "WRONGTYPE"):
		return d, nil // taken meanwhile, or pushed back by asynq, which notes no time
	case err != nil:
		return Depth{}, err
	}
	if nanos, err := strconv.ParseInt(since, 10, 64); err == nil {
		d.Oldest = max(0, i.now().Sub(time.Unix(0, nanos)))
	}
	return d, nil
}
