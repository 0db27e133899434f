package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/task"
)

// quick makes the steps of Stop short where a test runs into them.
var quick = stopLimits{pull: 5 * time.Second, hurry: 300 * time.Millisecond, shutdown: 10 * time.Second}

// startService runs a service. The test, or its end, stops it.
func startService(t *testing.T, opts redis.UniversalOptions, h *Handler, cfg ServiceConfig) *Service {
	t.Helper()
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	if cfg.DelayedInterval == 0 {
		cfg.DelayedInterval = 50 * time.Millisecond
	}
	service, err := NewService(opts, h, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Stop(context.Background()) })
	return service
}

func stop(t *testing.T, s *Service) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func (s *fakeStore) waitState(t *testing.T, id int64, state string) {
	t.Helper()
	eventually(t, fmt.Sprintf("schema %d is %s", id, state), func() bool { return s.run(id).state == state })
}

func TestServiceCompletesBothQueues(t *testing.T) {
	t.Parallel()
	for _, server := range redisServers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			opts := server.start(t)
			store := newFakeStore(1, 2, 3)
			enqueue(t, opts, task.QueueInteractive, 1, 2)
			enqueue(t, opts, task.QueueBackfill, 3)
			service := startService(t, opts, newTestHandler(t, store, analyzerFunc(good), HandlerConfig{}), ServiceConfig{})
			for id := int64(1); id <= 3; id++ {
				store.waitState(t, id, "completed")
				wantEvents(t, store.run(id), "started", "completed")
			}
			if err := service.Ping(t.Context()); err != nil {
				t.Errorf("ping: %v", err)
			}
			if err := service.Alive(); err != nil {
				t.Errorf("alive: %v", err)
			}
			stop(t, service)
			if !service.Draining() {
				t.Error("a stopped service is not draining")
			}
			if taskInfo(t, opts, task.QueueInteractive, 1) != nil || taskInfo(t, opts, task.QueueBackfill, 3) != nil {
				t.Error("a task is left in Redis")
			}
			if err := service.Start(t.Context()); err == nil {
				t.Error("a stopped service starts again")
			}
		})
	}
}

// A backfill that fills its slots does not hold those of the interactive queue.
func TestBackfillHoldsNoInteractiveSlot(t *testing.T) {
	t.Parallel()
	for _, server := range redisServers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			opts := server.start(t)
			store := newFakeStore(1, 2, 3, 9)
			release := make(chan struct{})
			analyse := func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
				// What nobody waits for leaves room in the limits of the model.
				if backfill := r.Schema.ID != 9; analysis.IsBackfill(ctx) != backfill {
					t.Errorf("schema %d: backfill is %t for the model, want %t", r.Schema.ID, !backfill, backfill)
				}
				if r.Schema.ID != 9 {
					<-release
				}
				return good(ctx, r)
			}
			enqueue(t, opts, task.QueueBackfill, 1, 2, 3)
			h := newTestHandler(t, store, analyzerFunc(analyse), HandlerConfig{})
			service := startService(t, opts, h, ServiceConfig{Slots: 1, BackfillSlots: 2})
			store.wait(t, "claim", 2)
			enqueue(t, opts, task.QueueInteractive, 9)
			store.waitState(t, 9, "completed")
			if claimed := store.run(3).fence; claimed != 0 {
				t.Errorf("the third backfill run was claimed, want the 2 slots of the backfill to hold it back")
			}
			close(release)
			store.waitState(t, 3, "completed")
			stop(t, service)
		})
	}
}

// impatient is a handler whose delays are cut, and nothing else of its errors.
func impatient(h *Handler) asynq.Handler {
	return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		err := h.ProcessTask(ctx, t)
		var l *laterError
		if errors.As(err, &l) {
			l.delay = 0
		}
		return err
	})
}

// startRaw runs one asynq server with our rules around any handler.
func startRaw(t *testing.T, opts redis.UniversalOptions, handler asynq.Handler) {
	t.Helper()
	cfg := ServiceConfig{DelayedInterval: 20 * time.Millisecond}.withDefaults()
	client := NewRedis(opts)
	server := newServer(context.Background(), client, task.QueueInteractive, 4, nil, cfg)
	if err := server.Start(handler); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Shutdown()
		_ = client.Close()
	})
}

func TestAsynqCountsWhatItShould(t *testing.T) {
	t.Parallel()
	down := fails(unavailable)
	limited := fails(&analysis.ModelError{Kind: analysis.ModelRateLimited, RetryAfter: time.Millisecond})
	crash := func(context.Context, analysis.Request) (*analysis.Result, error) { panic("\xff") }
	for _, tc := range []struct {
		name    string
		script  []analyzerFunc
		retried []int // asynq's count, as each analysis sees it
		history []string
		state   string
	}{
		{"retry then success", []analyzerFunc{down, down, good}, []int{0, 1, 2},
			[]string{"llm_unavailable", "llm_unavailable"}, "completed"},
		{"snoozes are free", []analyzerFunc{limited, limited, limited, good}, []int{0, 0, 0, 0},
			[]string{"llm_rate_limited kept", "llm_rate_limited kept", "llm_rate_limited kept"}, "completed"},
		{"six attempts and one fail", []analyzerFunc{down}, []int{0, 1, 2, 3, 4, 5},
			[]string{"llm_unavailable", "llm_unavailable", "llm_unavailable", "llm_unavailable", "llm_unavailable"}, "failed"},
		{"panic", []analyzerFunc{crash, good}, []int{0, 1}, []string{"panic"}, "completed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, server := range redisServers {
				t.Run(server.name, func(t *testing.T) {
					t.Parallel()
					opts := server.start(t)
					store, answer := newFakeStore(1), script(tc.script...)
					var mu sync.Mutex
					var retried []int
					analyse := func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
						n, _ := asynq.GetRetryCount(ctx)
						mu.Lock()
						retried = append(retried, n)
						mu.Unlock()
						return answer(ctx, r)
					}
					enqueue(t, opts, task.QueueInteractive, 1)
					startRaw(t, opts, impatient(newTestHandler(t, store, analyzerFunc(analyse), HandlerConfig{})))
					store.waitState(t, 1, tc.state)
					eventually(t, "the task is gone", func() bool { return taskInfo(t, opts, task.QueueInteractive, 1) == nil })
					mu.Lock()
					defer mu.Unlock()
					if diff := cmp.Diff(tc.retried, retried); diff != "" {
						t.Errorf("retry counts (-want +got):\n%s", diff)
					}
					run := store.run(1)
					if diff := cmp.Diff(tc.history, run.history); diff != "" {
						t.Errorf("history (-want +got):\n%s", diff)
					}
					wantEvents(t, run, "started", tc.state)
				})
			}
		})
	}
}

// What asynq does with a snooze depends on the retries that a task has left. This
// is the reason why producers send 1000.
func TestSnoozeNeedsRetriesLeft(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		maxRetry int
		want     asynq.TaskState
	}{{0, asynq.TaskStateArchived}, {1, asynq.TaskStateRetry}} {
		t.Run(fmt.Sprintf("retry %d", tc.maxRetry), func(t *testing.T) {
			t.Parallel()
			for _, server := range redisServers {
				t.Run(server.name, func(t *testing.T) {
					t.Parallel()
					opts := server.start(t)
					enqueueWith(t, opts, tc.maxRetry, task.QueueInteractive, 1)
					startRaw(t, opts, asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
						return snooze(time.Hour, "later")
					}))
					eventually(t, "the task is "+tc.want.String(), func() bool {
						return taskInfo(t, opts, task.QueueInteractive, 1).State == tc.want
					})
					if info := taskInfo(t, opts, task.QueueInteractive, 1); info.Retried != 0 {
						t.Errorf("retried %d, want 0", info.Retried)
					}
				})
			}
		})
	}
}

func TestUnknownSchemaIsArchivedWithASentence(t *testing.T) {
	t.Parallel()
	for _, server := range redisServers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			opts := server.start(t)
			store := newFakeStore()
			enqueue(t, opts, task.QueueInteractive, 404)
			startRaw(t, opts, impatient(newTestHandler(t, store, analyzerFunc(good), HandlerConfig{})))
			eventually(t, "the task is archived", func() bool {
				return taskInfo(t, opts, task.QueueInteractive, 404).State == asynq.TaskStateArchived
			})
			info := taskInfo(t, opts, task.QueueInteractive, 404)
			if want := "rejected: schema 404 does not exist; enqueue"; !strings.HasPrefix(info.LastErr, want) || info.Retried != unknownSchemaTries {
				t.Errorf("archived after %d retries with %q, want %d and %q", info.Retried, info.LastErr, unknownSchemaTries, want)
			}
		})
	}
}

// A nudge through asynq makes a cancel immediate; the database says who asked.
func TestCancelNudge(t *testing.T) {
	t.Parallel()
	for _, server := range redisServers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			opts := server.start(t)
			store := newFakeStore(1)
			started := make(chan struct{})
			analyse := func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
				close(started)
				return hang(ctx, r)
			}
			enqueue(t, opts, task.QueueInteractive, 1)
			startService(t, opts, newTestHandler(t, store, analyzerFunc(analyse), HandlerConfig{Heartbeat: time.Hour}), ServiceConfig{})
			<-started
			store.edit(1, func(r *fakeRun) { r.cancelled = "ann" })
			inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: opts.Addrs[0]})
			defer inspector.Close() //nolint:errcheck // the effect is what counts
			// The worker may still be subscribing: a nudge can be lost, so it is repeated.
			eventually(t, "the run is cancelled", func() bool {
				if err := inspector.CancelProcessing(task.ID(1)); err != nil {
					t.Fatal(err)
				}
				return store.run(1).state == "failed"
			})
			if got := store.run(1).failure.Text; got != "cancelled by ann" {
				t.Errorf("failure %q", got)
			}
		})
	}
}

func TestManyRunsOnTwoWorkers(t *testing.T) {
	t.Parallel()
	for _, server := range redisServers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			opts := server.start(t)
			const n = 200
			var ids []int64
			for id := int64(1); id <= n; id++ {
				ids = append(ids, id)
			}
			store := newFakeStore(ids...)
			var tries atomic.Int64
			analyse := func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
				if tries.Add(1)%7 == 0 {
					return nil, unavailable
				}
				return good(ctx, r)
			}
			enqueue(t, opts, task.QueueInteractive, ids...)
			for range 2 {
				h := newTestHandler(t, store, analyzerFunc(analyse), HandlerConfig{Logger: slog.New(slog.DiscardHandler)})
				startRaw(t, opts, impatient(h))
			}
			for _, id := range ids {
				store.waitState(t, id, "completed")
				wantEvents(t, store.run(id), "started", "completed")
			}
		})
	}
}
