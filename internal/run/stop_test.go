package run

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

// signalling is an analysis that says when it began.
func signalling(began chan<- struct{}, then analyzerFunc) analyzerFunc {
	return func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
		began <- struct{}{}
		return then(ctx, r)
	}
}

// after ignores its context until it may proceed.
func after(proceed <-chan struct{}) analyzerFunc {
	return func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
		<-proceed
		if errors.Is(context.Cause(ctx), ErrDraining) {
			return nil, ctx.Err()
		}
		return good(ctx, r)
	}
}

func TestStopWaitsForRunningWork(t *testing.T) {
	t.Parallel()
	for _, server := range redisServers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			opts := server.start(t)
			store := newFakeStore(1, 2)
			began, proceed := make(chan struct{}, 1), make(chan struct{})
			analyse := signalling(began, after(proceed))
			enqueue(t, opts, task.QueueInteractive, 1)
			service := startService(t, opts, newTestHandler(t, store, analyse, HandlerConfig{}), ServiceConfig{})
			<-began
			stopped := make(chan error, 1)
			go func() { stopped <- service.Stop(context.Background()) }()
			eventually(t, "readiness is off", service.Draining)
			eventually(t, "pulling has ended", func() bool { return serverStatus(t, opts) == "stopped" })
			enqueue(t, opts, task.QueueInteractive, 2)
			close(proceed)
			if err := <-stopped; err != nil {
				t.Error(err)
			}
			wantEvents(t, store.run(1), "started", "completed")
			wantEvents(t, store.run(2))
			if taskInfo(t, opts, task.QueueInteractive, 1) != nil {
				t.Error("the finished task was not acknowledged")
			}
			if got := taskInfo(t, opts, task.QueueInteractive, 2).State; got != asynq.TaskStatePending {
				t.Errorf("the task that came meanwhile is %s, want pending", got)
			}
		})
	}
}

// serverStatus is what the interactive server says of itself; it writes it every
// few seconds.
func serverStatus(t *testing.T, opts redis.UniversalOptions) string {
	t.Helper()
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: opts.Addrs[0]})
	defer inspector.Close() //nolint:errcheck // nothing was written
	servers, err := inspector.Servers()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range servers {
		if _, ok := s.Queues[task.QueueInteractive]; ok {
			return s.Status
		}
	}
	return ""
}

func TestStopReleasesWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		cfg  ServiceConfig
		ctx  func() context.Context
	}{
		{"after the drain timeout", ServiceConfig{DrainTimeout: 50 * time.Millisecond}, context.Background},
		{"at once when the context has ended", ServiceConfig{}, func() context.Context {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return ctx
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, server := range redisServers {
				t.Run(server.name, func(t *testing.T) {
					t.Parallel()
					opts := server.start(t)
					store := newFakeStore(1)
					began := make(chan struct{}, 1)
					// The forwarder must not take the task back before we have looked.
					cfg := tc.cfg
					cfg.DelayedInterval = time.Hour
					enqueue(t, opts, task.QueueInteractive, 1)
					service := startService(t, opts, newTestHandler(t, store, signalling(began, hang), HandlerConfig{}), cfg)
					<-began
					if err := service.Stop(tc.ctx()); err != nil {
						t.Error(err)
					}
					info := taskInfo(t, opts, task.QueueInteractive, 1)
					if info == nil || info.Retried != 0 || info.State != asynq.TaskStateRetry && info.State != asynq.TaskStatePending {
						t.Fatalf("task %+v, want it waiting with no retry used", info)
					}
					run := store.run(1)
					if run.owner != "" || run.attempts != 0 {
						t.Errorf("owner %q and %d attempts, want the claim released and none used", run.owner, run.attempts)
					}
					next := startService(t, opts, newTestHandler(t, store, analyzerFunc(good), HandlerConfig{}), ServiceConfig{})
					store.waitState(t, 1, "completed")
					stop(t, next)
					wantEvents(t, store.run(1), "started", "completed")
					if got := store.run(1).attempts; got != 1 {
						t.Errorf("%d attempts, want 1", got)
					}
				})
			}
		})
	}
}

// An analysis that ignores everything can not hold up the stop, and what it does
// later changes nothing.
func TestStopGivesUpHungWork(t *testing.T) {
	t.Parallel()
	for _, server := range redisServers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			opts := server.start(t)
			store := newFakeStore(1)
			began, proceed := make(chan struct{}, 1), make(chan struct{})
			enqueue(t, opts, task.QueueInteractive, 1)
			h := newTestHandler(t, store, signalling(began, after(proceed)), HandlerConfig{})
			service := startService(t, opts, h, ServiceConfig{DrainTimeout: -1})
			service.limits = quick
			<-began
			err := service.Stop(context.Background())
			if err == nil || !strings.Contains(err.Error(), "told to: 1") {
				t.Errorf("got %v, want an error that counts what hangs", err)
			}
			info := taskInfo(t, opts, task.QueueInteractive, 1)
			if info == nil || info.State != asynq.TaskStatePending || info.Retried != 0 {
				t.Errorf("task %+v, want asynq to have pushed it back", info)
			}
			store.edit(1, func(r *fakeRun) { r.stale = true })
			next := startService(t, opts, newTestHandler(t, store, analyzerFunc(good), HandlerConfig{}), ServiceConfig{})
			store.waitState(t, 1, "completed")
			stop(t, next)
			close(proceed)
			_, idle := h.drain.count()
			<-idle
			wantEvents(t, store.run(1), "started", "completed")
		})
	}
}

// With Redis dead the run still ends in the database, and Stop still returns.
func TestStopWithoutRedis(t *testing.T) {
	t.Parallel()
	store := newFakeStore(1)
	began, proceed := make(chan struct{}, 1), make(chan struct{})
	server := testenv.StartRedis(t)
	opts := redis.UniversalOptions{Addrs: []string{server.Addr}}
	enqueue(t, opts, task.QueueInteractive, 1)
	h := newTestHandler(t, store, signalling(began, after(proceed)), HandlerConfig{})
	service := startService(t, opts, h, ServiceConfig{HealthInterval: 20 * time.Millisecond})
	service.limits = stopLimits{pull: 200 * time.Millisecond, hurry: 5 * time.Second, shutdown: 500 * time.Millisecond}
	<-began
	server.Stop()
	if err := service.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("ping says %v", err)
	}
	close(proceed)
	store.waitState(t, 1, "completed")
	err := service.Stop(context.Background())
	if err == nil || !strings.Contains(err.Error(), "redis does not answer") {
		t.Errorf("got %v, want an error that says why the stop is incomplete", err)
	}
	if err := service.Alive(); err != nil {
		t.Errorf("a dead redis is no reason to restart: %v", err)
	}
	// asynq ends when a Redis is back; without one it would outlive the test.
	server.Start()
	eventually(t, "asynq has ended and the clients are closed", func() bool {
		return errors.Is(service.probe.Ping(context.Background()).Err(), redis.ErrClosed)
	})
}

func TestAliveCountsHungSlots(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t, newFakeStore(), analyzerFunc(good), HandlerConfig{})
	service, err := NewService(redis.UniversalOptions{Addrs: []string{"127.0.0.1:1"}}, h, ServiceConfig{Slots: 2, BackfillSlots: -1})
	if err != nil {
		t.Fatal(err)
	}
	h.hung.Store(1)
	if err := service.Alive(); err != nil {
		t.Errorf("one of two slots hangs: %v", err)
	}
	h.hung.Store(2)
	if err := service.Alive(); err == nil || !strings.Contains(err.Error(), "all 2 slots hang") {
		t.Errorf("both slots hang: %v", err)
	}
	stop(t, service)
	stop(t, service)
}
