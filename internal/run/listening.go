package run

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// listening is the client of an asynq server. asynq closes its subscription when it
// stops, and go-redis lets Close wait for a reconnection in progress: with a client that
// repeats ten times that is half a minute after every outage, far longer than a stop may
// take. So the subscription has a client that asks once; go-redis reconnects it anyway.
type listening struct {
	redis.UniversalClient

	ear redis.UniversalClient
}

// Subscribe hides that of the client which repeats.
func (l listening) Subscribe(ctx context.Context, channels ...string) *redis.PubSub {
	return l.ear.Subscribe(ctx, channels...)
}
