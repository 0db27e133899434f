package run

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

// requests is the backlog of a fakeStore: its open runs that nobody owns.
type requests struct {
	*fakeBacklog
	store *fakeStore
}

func (r requests) Orphans(_ context.Context, after *Orphan, _ time.Duration, limit int) ([]Orphan, error) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	var out []Orphan
	for id := int64(1); id <= int64(len(r.store.runs)) && len(out) < limit; id++ {
		run := r.store.runs[id]
		open := run.state == "pending" || run.state == "running" && (run.owner == "" || run.stale)
		if open && (after == nil || id > after.SchemaID) {
			out = append(out, Orphan{SchemaID: id, TenantID: run.schema.TenantID, RunID: "run", Fence: run.fence})
		}
	}
	return out, nil
}

func (r requests) Requested(_ context.Context, schemaIDs []int64) ([]Orphan, error) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	var out []Orphan
	for _, id := range schemaIDs {
		if run := r.store.runs[id]; run != nil && run.state == "pending" {
			out = append(out, Orphan{SchemaID: id, TenantID: run.schema.TenantID, RunID: "run", Fence: run.fence})
		}
	}
	return out, nil
}

// recovering is a worker with its sweeper and queue doctor on a real Redis.
type recovering struct {
	opts    redis.UniversalOptions
	client  *redis.Client
	store   *fakeStore
	service *Service
	doctor  *Doctor
}

func startRecovering(t *testing.T, n int64, analyse analyzerFunc) recovering {
	t.Helper()
	opts := redis.UniversalOptions{Addrs: []string{testenv.Redis(t)}}
	var ids []int64
	for id := int64(1); id <= n; id++ {
		ids = append(ids, id)
	}
	store := newFakeStore(ids...)
	enqueue(t, opts, task.QueueInteractive, ids...)
	client := redis.NewClient(&redis.Options{Addr: opts.Addrs[0]})
	t.Cleanup(func() { _ = client.Close() })
	backlog := requests{newFakeBacklog(), store}
	doctor := newDoctor(t, backlog, opts, DoctorConfig{Interval: 50 * time.Millisecond})
	if err := doctor.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	service := startService(t, opts, newTestHandler(t, store, analyse, HandlerConfig{}), ServiceConfig{Slots: 8})
	sweeper := newSweeper(t, backlog, opts, SweeperConfig{Interval: 50 * time.Millisecond})
	if err := sweeper.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sweeper.Stop(context.Background()) })
	return recovering{opts: opts, client: client, store: store, service: service, doctor: doctor}
}

func (r recovering) waitAll(t *testing.T) {
	t.Helper()
	r.store.mu.Lock()
	n := int64(len(r.store.runs))
	r.store.mu.Unlock()
	for id := int64(1); id <= n; id++ {
		r.store.waitState(t, id, "completed")
		wantEvents(t, r.store.run(id), "started", "completed")
	}
}

// FLUSHALL under 500 queued runs loses none of them, and ends none twice.
func TestFlushLosesNothing(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	began := make(chan struct{}, 1000)
	r := startRecovering(t, 500, func(ctx context.Context, request analysis.Request) (*analysis.Result, error) {
		began <- struct{}{}
		<-release
		return good(ctx, request)
	})
	for range 8 {
		<-began
	}
	if err := r.client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	close(release)
	r.waitAll(t)
	eventually(t, "asynqmon sees the queue", func() bool {
		_, err := asynq.NewInspectorFromRedisClient(r.client).GetQueueInfo(task.QueueInteractive)
		return err == nil
	})
	stop(t, r.service)
}

// What breaks in Redis by one hand or another breaks nothing else.
func TestDamagedRedisLosesNothing(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	began := make(chan struct{}, 1000)
	r := startRecovering(t, 60, func(ctx context.Context, request analysis.Request) (*analysis.Result, error) {
		began <- struct{}{}
		<-release
		return good(ctx, request)
	})
	for range 8 {
		<-began
	}
	key := "asynq:{schemas}:"
	pipe := r.client.Pipeline()
	pipe.Del(t.Context(), key+"lease")
	pipe.Del(t.Context(), key+"t:"+task.ID(40))
	pipe.HSet(t.Context(), key+"t:"+task.ID(41), "msg", "\xff")
	pipe.LRem(t.Context(), key+"pending", 0, task.ID(42)) // it is in no list
	pipe.HDel(t.Context(), key+"t:"+task.ID(43), "msg")
	pipe.Del(t.Context(), key+"t:"+task.ID(44))
	pipe.Set(t.Context(), key+"t:"+task.ID(44), "not a task", 0)
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	inspector := asynq.NewInspectorFromRedisClient(r.client)
	if err := inspector.DeleteTask(task.QueueInteractive, task.ID(45)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the doctor has been here", func() bool {
		total := r.doctor.Status().Total
		return total.Quarantined == 2 && total.Leased == 8
	})
	// What lost its task or its message may be the sweeper's find as well.
	if total := r.doctor.Status().Total; total.Ghosts+total.Remains > 2 {
		t.Errorf("the doctor found %+v, want two without a task or a message at most", total)
	}
	close(release)
	r.waitAll(t)
	eventually(t, "the queue is empty and its page works", func() bool {
		info, err := inspector.GetQueueInfo(task.QueueInteractive)
		return err == nil && info.Size == 0
	})
	stop(t, r.service)
}
