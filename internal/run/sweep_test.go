package run

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

func TestSweepDecides(t *testing.T) {
	t.Parallel()
	rejected := func(t *testing.T, opts redis.UniversalOptions, id int64) {
		t.Helper()
		enqueue(t, opts, task.QueueInteractive, id)
		h := newTestHandler(t, newFakeStore(), analyzerFunc(good), HandlerConfig{})
		h.retried = func(context.Context) int { return unknownSchemaTries }
		client := NewRedis(opts)
		server := newServer(context.Background(), client, task.QueueInteractive, 1, nil, ServiceConfig{}.withDefaults())
		if err := server.Start(h); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the task is archived", func() bool {
			return taskInfo(t, opts, task.QueueInteractive, id).State == asynq.TaskStateArchived
		})
		server.Shutdown()
		_ = client.Close()
	}
	pending := func(t *testing.T, opts redis.UniversalOptions, id int64) {
		t.Helper()
		enqueue(t, opts, task.QueueInteractive, id)
	}
	none := func(*testing.T, redis.UniversalOptions, int64) {}
	plain := []string{task.ID(7)}
	for _, tc := range []struct {
		name      string
		setup     func(*testing.T, redis.UniversalOptions, int64)
		orphan    Orphan
		want      Sweep
		pending   []string
		backfill  []string
		abandoned bool
	}{
		{"no task", none, Orphan{}, Sweep{Looked: 1, Enqueued: 1}, plain, nil, false},
		{"no task of a backfill", none, Orphan{Backfill: true}, Sweep{Looked: 1, Enqueued: 1}, nil, plain, false},
		{"a task waits", pending, Orphan{}, Sweep{Looked: 1}, plain, nil, false},
		{"a task waits elsewhere", pending, Orphan{Backfill: true}, Sweep{Looked: 1}, plain, nil, false},
		{"its worker died", deadTask, Orphan{Fence: 3}, Sweep{Looked: 1, Enqueued: 1}, []string{task.SweepID(7, 3)}, nil, false},
		{"its worker died before the claim", deadTask, Orphan{}, Sweep{Looked: 1, Enqueued: 1}, []string{task.SweepID(7, 0)}, nil, false},
		{"archived before the request", archiveTask, Orphan{Requested: time.Now().Add(time.Hour)}, Sweep{Looked: 1, Enqueued: 1}, plain, nil, false},
		{"archived by an operator", archiveTask, Orphan{}, Sweep{Looked: 1, Abandoned: 1}, nil, nil, true},
		{"archived by the handler", rejected, Orphan{}, Sweep{Looked: 1, Enqueued: 1}, plain, nil, false},
		{"a tenant that no task can name", none, Orphan{TenantID: "\xff"}, Sweep{Looked: 1, Enqueued: 1}, plain, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, server := range redisServers {
				t.Run(server.name, func(t *testing.T) {
					t.Parallel()
					opts := server.start(t)
					tc.setup(t, opts, 7)
					o := tc.orphan
					o.SchemaID = 7
					if o.Requested.IsZero() {
						o.Requested = time.Now().Add(-time.Minute)
					}
					store := newFakeBacklog(o)
					s := newSweeper(t, store, opts, SweeperConfig{})
					if diff := cmp.Diff(tc.want, sweepOnce(t, s)); diff != "" {
						t.Errorf("sweep (-want +got):\n%s", diff)
					}
					_, abandoned := store.abandoned[7]
					if abandoned != tc.abandoned {
						t.Errorf("abandoned %t, want %t", abandoned, tc.abandoned)
					}
					for range 2 { // the next sweep has nothing to add
						got := [][]string{pendingIDs(t, opts, task.QueueInteractive), pendingIDs(t, opts, task.QueueBackfill)}
						want := [][]string{append([]string{}, tc.pending...), append([]string{}, tc.backfill...)}
						if diff := cmp.Diff(want, got); diff != "" {
							t.Errorf("pending (-want +got):\n%s", diff)
						}
						if again := sweepOnce(t, s); again.Enqueued != 0 {
							t.Errorf("the next sweep enqueued %d", again.Enqueued)
						}
					}
				})
			}
		})
	}
}

// After FLUSHALL one sweep brings everything back, in the queue that it was in.
func TestSweepAfterFlush(t *testing.T) {
	t.Parallel()
	opts := redis.UniversalOptions{Addrs: []string{testenv.Redis(t)}}
	const n = 1300
	store := newFakeBacklog(append(orphans(1, n, false), orphans(n+1, n, true)...)...)
	store.forgotten = orphans(2*n+1, 50, false)
	s := newSweeper(t, store, opts, SweeperConfig{})
	first := sweepOnce(t, s)
	client := redis.NewClient(&redis.Options{Addr: opts.Addrs[0]})
	t.Cleanup(func() { _ = client.Close() })
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	want := Sweep{Looked: 2*n + 50, Enqueued: 2*n + 50}
	if diff := cmp.Diff([]Sweep{want, want}, []Sweep{first, sweepOnce(t, s)}); diff != "" {
		t.Errorf("sweeps (-want +got):\n%s", diff)
	}
	if got := []int{len(pendingIDs(t, opts, task.QueueInteractive)), len(pendingIDs(t, opts, task.QueueBackfill))}; got[0] != n+50 || got[1] != n {
		t.Errorf("%d interactive and %d backfill tasks, want %d and %d", got[0], got[1], n+50, n)
	}
	queues, err := asynq.NewInspectorFromRedisClient(client).Queues()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(queues)
	if diff := cmp.Diff(task.Queues(), queues); diff != "" {
		t.Errorf("queues that asynqmon sees (-want +got):\n%s", diff)
	}
}

// A long backfill fills its queue up to the depth only, and holds nothing else up.
func TestSweepKeepsTheDepth(t *testing.T) {
	t.Parallel()
	opts := redis.UniversalOptions{Addrs: []string{testenv.Redis(t)}}
	store := newFakeBacklog(append(orphans(1, 10, false), orphans(100, 10_000, true)...)...)
	s := newSweeper(t, store, opts, SweeperConfig{Depth: 300, Page: 100})
	done := sweepOnce(t, s)
	if done.Enqueued != 310 {
		t.Errorf("enqueued %d, want the 10 interactive and 300 of the backfill", done.Enqueued)
	}
	if got := len(pendingIDs(t, opts, task.QueueBackfill)); got != 300 {
		t.Errorf("%d tasks wait in the backfill queue, want 300", got)
	}
	if store.pages > 5 {
		t.Errorf("%d pages read for a full queue, want no more than fill it", store.pages)
	}
	if again := sweepOnce(t, s); again.Enqueued != 0 || again.Looked > 200 {
		t.Errorf("a second sweep over a full queue: %+v", again)
	}
}

// What has no room is not looked for in Redis, and does not hide what has.
func TestSweepSkipsWhatHasNoRoom(t *testing.T) {
	t.Parallel()
	opts := redis.UniversalOptions{Addrs: []string{testenv.Redis(t)}}
	store := newFakeBacklog(append(orphans(1, 10_000, false), orphans(20_001, 250, true)...)...)
	s := newSweeper(t, store, opts, SweeperConfig{Depth: 300, Page: 100})
	want := Sweep{Looked: 300 + 250, Enqueued: 300 + 250}
	if diff := cmp.Diff(want, sweepOnce(t, s)); diff != "" {
		t.Errorf("sweep (-want +got):\n%s", diff)
	}
	if again := sweepOnce(t, s); again.Enqueued != 0 || again.Looked > 100+250 {
		t.Errorf("a second sweep over a full queue: %+v", again)
	}
}

// A sweep that may not come to the end goes on in the next one.
func TestSweepGoesOnWhereItWasCut(t *testing.T) {
	t.Parallel()
	for _, server := range redisServers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			opts := server.start(t)
			store := newFakeBacklog(orphans(1, 95, false)...)
			s := newSweeper(t, store, opts, SweeperConfig{Page: 10, Pages: 4})
			var got []int
			for range 3 {
				got = append(got, sweepOnce(t, s).Enqueued)
			}
			if diff := cmp.Diff([]int{40, 40, 15}, got); diff != "" {
				t.Errorf("enqueued (-want +got):\n%s", diff)
			}
		})
	}
}
