package run

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/task"
)

func TestInspectRedis(t *testing.T) {
	t.Parallel()
	addr := configured(t, map[string]string{"appendonly": "yes", "maxmemory": "104857600", "maxmemory-policy": "allkeys-lru"})
	got, err := InspectRedis(t.Context(), redis.UniversalOptions{Addrs: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Version == "" || got.ClockAhead.Abs() > time.Second {
		t.Errorf("version %q, clock ahead %s; want a version, and a clock as ours", got.Version, got.ClockAhead)
	}
	got.Version, got.ClockAhead = "", 0
	if diff := cmp.Diff(RedisState{Policy: "allkeys-lru", MaxMemory: "104857600", AppendOnly: "1", ClockKnown: true}, got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

// A server in the process has a clock that can be set, and knows nothing else.
func TestInspectRedisThatSaysLittle(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	server.SetTime(time.Now().Add(time.Hour))
	got, err := InspectRedis(t.Context(), redis.UniversalOptions{Addrs: []string{server.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	if ahead := got.ClockAhead.Round(time.Minute); ahead != time.Hour {
		t.Errorf("clock ahead %s, want 1h", ahead)
	}
	got.ClockAhead = 0
	if diff := cmp.Diff(RedisState{ClockKnown: true}, got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

func TestInspectRedisThatIsNotThere(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := InspectRedis(ctx, redis.UniversalOptions{Addrs: []string{"127.0.0.1:1"}})
	var refused *task.RedisError
	if !errors.As(err, &refused) || ctx.Err() != nil {
		t.Errorf("InspectRedis = %v, want a *task.RedisError at once", err)
	}
}
