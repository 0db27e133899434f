package run

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/task"
)

// Somebody asks again after the commit of a run and before its task is acknowledged: the
// producer finds the task and adds none. No sweep helps here.
func TestAskedAgainBeforeTheAcknowledgement(t *testing.T) {
	t.Parallel()
	for _, server := range redisServers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			opts := server.start(t)
			store := newFakeStore(1)
			enqueue(t, opts, task.QueueInteractive, 1)
			sweeper := newSweeper(t, requests{newFakeBacklog(), store}, opts, SweeperConfig{Interval: time.Hour})
			if err := sweeper.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = sweeper.Stop(context.Background()) })
			var asked atomic.Bool
			h := newTestHandler(t, store, analyzerFunc(good), HandlerConfig{Ended: func(id int64) {
				if !asked.Swap(true) {
					store.edit(id, func(r *fakeRun) { r.state, r.owner = "pending", "" })
					outcomes, err := sweeper.producer.Enqueue(t.Context(), task.Request{Payload: task.Payload{SchemaID: id}})
					if err != nil || outcomes[0] != task.AlreadyQueued {
						t.Errorf("enqueued while the task is there: %v, %v", outcomes, err)
					}
				}
				sweeper.Recheck(id)
			}})
			service := startService(t, opts, h, ServiceConfig{Slots: 1})
			eventually(t, "the second request is served", func() bool {
				return slices.Equal(store.run(1).events, []string{"started", "completed", "started", "completed"})
			})
			stop(t, service)
		})
	}
}

// A task whose acknowledgement does not come through is looked at again, and what waits
// for its turn is left alone.
func TestRecheckWaitsForTheAcknowledgement(t *testing.T) {
	t.Parallel()
	opts := redisServers[0].start(t)
	store := newFakeBacklog(orphans(1, 3, false)...)
	s := newSweeper(t, store, opts, SweeperConfig{})
	deadTask(t, opts, 1)
	client := redis.NewClient(&redis.Options{Addr: opts.Addrs[0]})
	t.Cleanup(func() { _ = client.Close() })
	lease := func(until time.Time) {
		t.Helper()
		if err := client.ZAdd(t.Context(), "asynq:{schemas}:lease", redis.Z{Score: float64(until.Unix()), Member: task.ID(1)}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	lease(time.Now().Add(time.Minute))
	enqueue(t, opts, task.QueueInteractive, 2)
	for id := range int64(5) {
		s.Recheck(id) // 0 and 4 have no run
	}
	round := func(want ...string) {
		t.Helper()
		s.recheck(t.Context())
		if diff := cmp.Diff(want, pendingIDs(t, opts, task.QueueInteractive)); diff != "" {
			t.Errorf("pending (-want +got):\n%s", diff)
		}
	}
	round(task.ID(2)) // they are too young
	round(task.ID(3), task.ID(2))
	lease(time.Now().Add(-time.Minute))
	round(task.ID(3), task.ID(2)) // as young again
	round(task.SweepID(1, 0), task.ID(3), task.ID(2))
	s.recheck(t.Context())
	if left := s.rechecks.next(); len(left) != 0 {
		t.Errorf("%v are still looked at", left)
	}
}

// What can not be looked at is not forgotten at once, and not kept for ever.
func TestRecheckIsBounded(t *testing.T) {
	t.Parallel()
	store := newFakeBacklog()
	store.err = ErrUnavailable
	s := newSweeper(t, store, redisServers[0].start(t), SweeperConfig{})
	for id := range int64(maxRechecks + 10) {
		s.Recheck(id)
	}
	s.recheck(t.Context())
	for range recheckTries {
		if n := len(s.rechecks.due); n != maxRechecks {
			t.Fatalf("%d are looked at, want %d", n, maxRechecks)
		}
		s.recheck(t.Context())
		s.recheck(t.Context())
	}
	if n := len(s.rechecks.due) + len(s.rechecks.fresh); n != 0 {
		t.Errorf("%d are still looked at after %d tries", n, recheckTries)
	}
}
