package run

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/schemacast/schemacast/internal/task"
)

const (
	pingTimeout = 5 * time.Second
	dialTimeout = 2 * time.Second
)

// NewRedis returns a client that rides out short outages: asynq tries each
// acknowledgement once and its own repetition of them is broken in v0.26, so the
// client has to repeat (10 times, 100 ms doubling to 3 s). After answers that are refusals
// it pauses.
func NewRedis(opts redis.UniversalOptions) redis.UniversalClient {
	opts.MaxRetries = 10
	opts.MinRetryBackoff = 100 * time.Millisecond
	opts.MaxRetryBackoff = 3 * time.Second
	client := newRedis(opts)
	client.AddHook(&damper{})
	return client
}

// newRedis sets what all our clients have in common: one dial a try, since tries
// are counted above it, and no maintenance notifications, which only a vendor's
// cloud has.
func newRedis(opts redis.UniversalOptions) redis.UniversalClient {
	opts.DialerRetries = 1
	if opts.DialTimeout == 0 {
		opts.DialTimeout = dialTimeout
	}
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewUniversalClient(&opts)
}

// newProbe returns a client that asks once, without repetition, so that a wrong
// address is told at once and with its own reason.
func newProbe(opts redis.UniversalOptions) redis.UniversalClient {
	opts.MaxRetries = -1
	opts.PoolSize = 2
	return newRedis(opts)
}

// ping asks whether Redis answers. Its error is a *task.RedisError.
func ping(ctx context.Context, client redis.UniversalClient, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		return &task.RedisError{Address: addr, Err: err}
	}
	return nil
}

// checkRedis looks at what would lose tasks at once; what may lose them later is for
// Watch. The user may lack the right to ask, and embedded servers do not answer: that is
// no reason to stop.
func checkRedis(ctx context.Context, client redis.UniversalClient, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	// An answer that did not come is an empty one.
	return checkVersion(addr, infoField(client.Info(ctx, "server").Val(), "redis_version"))
}

// checkVersion refuses servers on which every archiving of asynq fails half way and
// loses the task: its script needs ZRANGE BYSCORE of Redis 6.2.
func checkVersion(addr, version string) error {
	var major, minor int
	n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor)
	if n < 2 || major > 6 || major == 6 && minor >= 2 {
		return nil
	}
	return fmt.Errorf("redis at %s has version %s, on which archiving loses tasks; use Redis 6.2 or newer", addr, version)
}

func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
