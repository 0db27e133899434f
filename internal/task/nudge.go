package task

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Nudge tells the worker of a schema's running task, whichever it is, that something
// about it has changed: asynq ends the task's context, and the worker looks into the
// database at once, where a wish to cancel has to be by then. fence is that of the open
// run, 0 when it is not known. A nudge can be lost; the worker's heartbeat finds out as
// well. The error is a *RedisError.
func Nudge(ctx context.Context, rdb redis.UniversalClient, schemaID, fence int64) error {
	pipe := rdb.Pipeline()
	for _, id := range IDs(schemaID, fence) {
		pipe.Publish(ctx, "asynq:cancel", id)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("nudge schema %d: %w", schemaID, &RedisError{Address: address(rdb), Err: err})
	}
	return nil
}
