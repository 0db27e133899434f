package run

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

// answer is an error as Redis gives it.
type answer string

func (a answer) Error() string { return string(a) }
func (answer) RedisError()     {}

func TestRefusalsAreDamped(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		err  error
		want time.Duration // that five calls in a row take
	}{
		{"no error", nil, 0},
		{"nothing there", redis.Nil, 0},
		{"a script that is not known", answer("NOSCRIPT No matching script"), 0},
		{"a script's own answer", answer("NOT FOUND"), 0},
		{"connection refused", errors.New("dial tcp: refused"), 0},
		{"out of memory", answer("OOM command not allowed when used memory > 'maxmemory'"), 3100 * time.Millisecond},
		{"disk full", answer("MISCONF Redis is configured to save RDB snapshots"), 3100 * time.Millisecond},
		{"a replica", answer("READONLY You can't write against a read only replica"), 3100 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &damper{}
				call := d.ProcessHook(func(context.Context, redis.Cmder) error { return tc.err })
				began := time.Now()
				for range 5 {
					if err := call(t.Context(), redis.NewCmd(t.Context())); !errors.Is(err, tc.err) {
						t.Fatalf("got %v", err)
					}
				}
				if took := time.Since(began); took != tc.want {
					t.Errorf("five calls took %s, want %s", took, tc.want)
				}
				pipeline := d.ProcessPipelineHook(func(context.Context, []redis.Cmder) error { return nil })
				if err := pipeline(t.Context(), nil); err != nil || d.pause != 0 {
					t.Errorf("after a success the pause is %s (%v), want none", d.pause, err)
				}
			})
		})
	}
}

// A Redis that takes nothing, for lack of memory or since it is no master any more,
// makes workers wait, and they go on by themselves.
func TestWorkersRideOutARedisThatTakesNothing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name         string
		refuse, take []any
		stat         string
	}{
		{"out of memory", []any{"CONFIG", "SET", "maxmemory", "1"}, []any{"CONFIG", "SET", "maxmemory", "0"}, "errorstat_OOM"},
		{"a replica", []any{"REPLICAOF", "127.0.0.1", "1"}, []any{"REPLICAOF", "NO", "ONE"}, "errorstat_READONLY"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			opts := redis.UniversalOptions{Addrs: []string{testenv.Redis(t)}}
			store := newFakeStore(1, 2)
			admin := redis.NewClient(&redis.Options{Addr: opts.Addrs[0]})
			t.Cleanup(func() { _ = admin.Close() })
			do := func(args []any) {
				if err := admin.Do(t.Context(), args...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			refused := func() int64 { return infoNumber(t, admin, "errorstats", tc.stat) }
			enqueue(t, opts, task.QueueInteractive, 1)
			h := newTestHandler(t, store, analyzerFunc(good), HandlerConfig{})
			service := startService(t, opts, h, ServiceConfig{PollInterval: time.Millisecond})
			store.waitState(t, 1, "completed")
			do(tc.refuse)
			eventually(t, "some calls are refused", func() bool { return refused() > 3 })
			// A loop without pauses is refused about as often as these are answered.
			const pings = 5000
			before := refused()
			for range pings {
				if err := admin.Ping(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
			}
			if n := refused() - before; n > pings/20 {
				t.Errorf("%d calls were refused during %d pings, want a few", n, pings)
			}
			do(tc.take)
			enqueue(t, opts, task.QueueInteractive, 2)
			store.waitState(t, 2, "completed")
			stop(t, service)
		})
	}
}

// A service does not start on a Redis that takes nothing, and says why.
func TestServiceRefusesARedisThatTakesNothing(t *testing.T) {
	t.Parallel()
	opts := redis.UniversalOptions{Addrs: []string{configured(t, map[string]string{"maxmemory": "1"})}}
	service, err := NewService(opts, newTestHandler(t, newFakeStore(), analyzerFunc(good), HandlerConfig{}), ServiceConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "maxmemory") {
		t.Errorf("start = %v, want an error about memory", err)
	}
}
