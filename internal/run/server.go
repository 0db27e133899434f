package run

import (
	"context"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// ackTimeout is what asynq gets at shutdown for the acknowledgements of handlers
// that have returned. Tasks of handlers that hang are pushed back when it is over.
const ackTimeout = 5 * time.Second

// newServer returns an asynq server that pulls from one queue. Two queues in one
// server would share its slots, and a long backfill would hold them all.
func newServer(
	base context.Context, client redis.UniversalClient, queue string, slots int, health func(error), cfg ServiceConfig,
) *asynq.Server {
	return asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency: slots,
		Queues:      map[string]int{queue: 1},
		// It is never cancelled: asynq would count an attempt for every running task.
		BaseContext:              func() context.Context { return base },
		TaskCheckInterval:        cfg.PollInterval,
		DelayedTaskCheckInterval: cfg.DelayedInterval,
		RetryDelayFunc:           RetryDelay,
		IsFailure:                IsFailure,
		ShutdownTimeout:          ackTimeout,
		HealthCheckFunc:          health,
		HealthCheckInterval:      cfg.HealthInterval,
		Logger:                   newAsynqLog(cfg.Logger, queue),
		// Debug says "all queues are empty" at every poll.
		LogLevel: asynq.InfoLevel,
	})
}
