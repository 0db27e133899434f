package run

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// RedisState is what a Redis says about itself. What it does not say is empty: a user
// may lack the right to ask, and embedded servers do not know all fields.
type RedisState struct {
	Version string
	// Policy is maxmemory_policy, and MaxMemory the limit in bytes, "0" for none.
	Policy, MaxMemory string
	// AppendOnly is "1" when every write is logged, "0" when a crash loses the last
	// ones.
	AppendOnly string
	// SaveFailed says that the last attempt to write to the disk has failed.
	SaveFailed bool
	// ClockKnown says that there is a ClockAhead, by which its clock is ahead of ours.
	ClockKnown bool
	ClockAhead time.Duration
}

// InspectRedis asks once, without repetition. The error says that Redis does not answer
// (*task.RedisError), or that its version is too old.
func InspectRedis(ctx context.Context, opts redis.UniversalOptions) (RedisState, error) {
	client := newProbe(opts)
	defer func() { _ = client.Close() }() // nothing was written
	addr := strings.Join(opts.Addrs, ",")
	if err := ping(ctx, client, addr); err != nil {
		return RedisState{}, err
	}
	state := inspect(ctx, client, time.Now)
	return state, checkVersion(addr, state.Version)
}

// inspect asks a server that answers. An answer that does not come is an empty one.
func inspect(ctx context.Context, client redis.UniversalClient, clock func() time.Time) RedisState {
	var s RedisState
	s.Version = infoField(client.Info(ctx, "server").Val(), "redis_version")
	memory := client.Info(ctx, "memory").Val()
	s.Policy, s.MaxMemory = infoField(memory, "maxmemory_policy"), infoField(memory, "maxmemory")
	persistence := client.Info(ctx, "persistence").Val()
	s.AppendOnly = infoField(persistence, "aof_enabled")
	s.SaveFailed = infoField(persistence, "rdb_last_bgsave_status") == "err" || infoField(persistence, "aof_last_write_status") == "err"
	sent := clock()
	if now, err := client.Time(ctx).Result(); err == nil {
		s.ClockKnown, s.ClockAhead = true, now.Sub(sent.Add(clock().Sub(sent)/2))
	}
	return s
}
