package task

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// before brings a task into a state, with asynq's own means where they exist.
type before struct {
	name  string
	setup func(t *testing.T, b bed, id string)
	want  Outcome
}

var befores = []before{
	{"absent", func(*testing.T, bed, string) {}, Enqueued},
	{"pending", client(), AlreadyQueued},
	{"scheduled", client(asynq.ProcessIn(time.Hour)), Promoted},
	{"retry", handled(errors.New("try again")), Promoted},
	{"archived by a worker", handled(asynq.SkipRetry), Replaced},
	{"archived by an operator", archived, Replaced},
	{"completed", handled(nil, asynq.Retention(time.Hour)), Replaced},
	{"id in pending without a hash", ghost("pending"), Enqueued},
	{"id in active without a hash", ghost("active"), Enqueued},
	{"id in a set without a hash", ghost("archived"), Enqueued},
	{"hash without msg, as a dequeued ghost leaves it", halfBroken("active"), Repaired},
	{"hash without msg and state, as a late result leaves it", resultOnly, Repaired},
	{"hash with an unknown state", strange, Repaired},
	{"pending, but in no list", lost("pending"), Repaired},
	{"active, but in no list", lost("active"), Repaired},
	{"retry, but in no set", lost("retry"), Promoted},
}

// Whatever was there, afterwards one task waits, runs once, and leaves nothing.
func TestEnqueueOverEveryState(t *testing.T) {
	t.Parallel()
	for _, tt := range befores {
		t.Run(tt.name, func(t *testing.T) {
			onEachRedis(t, func(b bed) {
				t := b.t
				id := ID(7)
				tt.setup(t, b, id)
				got, err := newProducer(t, b).Enqueue(t.Context(), Request{Payload: Payload{SchemaID: 7}})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]Outcome{tt.want}, got); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(waiting, where(t, b, QueueInteractive, id)); diff != "" {
					t.Errorf("place (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(1, runAll(t, b)); diff != "" {
					t.Errorf("runs (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(place{}, where(t, b, QueueInteractive, id)); diff != "" {
					t.Errorf("place after the run (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestEnqueueOverActive(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		p := newProducer(t, b)
		req := Request{Payload: Payload{SchemaID: 7, TenantID: "acme"}}
		if _, err := p.Enqueue(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		started, finish := make(chan struct{}), make(chan struct{})
		stop := serve(t, b, func(context.Context, *asynq.Task) error {
			started <- struct{}{}
			<-finish
			return nil
		})
		receive(t, started, "start of the task")
		got, err := p.Enqueue(t.Context(), req)
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]Outcome{AlreadyQueued}, got); diff != "" {
			t.Errorf("outcome (-want +got):\n%s", diff)
		}
		want := place{State: "active", HasMsg: true, Active: 1, Lease: true}
		if diff := cmp.Diff(want, where(t, b, QueueInteractive, ID(7))); diff != "" {
			t.Errorf("place (-want +got):\n%s", diff)
		}
		// The sweeper's id is free while a dead worker's task blocks the plain one.
		req.TaskID = SweepID(7, 3)
		if got, err = p.Enqueue(t.Context(), req); err != nil || got[0] != Enqueued {
			t.Errorf("with the sweeper's id: got %v, %v", got, err)
		}
		receive(t, started, "start of the sweeper's task")
		close(finish)
		stop()
		if diff := cmp.Diff(place{}, where(t, b, QueueInteractive, ID(7))); diff != "" {
			t.Errorf("place after the run (-want +got):\n%s", diff)
		}
	})
}

// What a task learned on its way, its retries and last error, stays when it is
// promoted; a replaced one starts anew.
func TestPromotedKeepsItsMessage(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		handled(errors.New("try again"))(t, b, ID(7))
		if _, err := newProducer(t, b).Enqueue(t.Context(), Request{Payload: Payload{SchemaID: 7}}); err != nil {
			t.Fatal(err)
		}
		info := taskInfo(t, b, QueueInteractive, ID(7))
		if info.Retried != 1 || info.LastErr != "try again" {
			t.Errorf("got retried %d, last error %q; want 1, %q", info.Retried, info.LastErr, "try again")
		}
		since, err := b.rdb.HGet(t.Context(), keys(QueueInteractive, ID(7))[0], "pending_since").Int64()
		if err != nil || time.Since(time.Unix(0, since)) > time.Minute {
			t.Errorf("pending_since is %d, %v; want now", since, err)
		}
	})
}

// A lock of asynq's Unique belongs to whoever set it.
func TestReplaceLeavesUniqueLocks(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		client(asynq.Unique(time.Hour))(t, b, ID(7))
		archiveTask(t, b, ID(7))
		locks, err := b.rdb.Keys(t.Context(), "*:unique:*").Result()
		if err != nil || len(locks) != 1 {
			t.Fatalf("got locks %v, %v; want one", locks, err)
		}
		if _, err := newProducer(t, b).Enqueue(t.Context(), Request{Payload: Payload{SchemaID: 7}}); err != nil {
			t.Fatal(err)
		}
		if n := b.rdb.Exists(t.Context(), locks...).Val(); n != 1 {
			t.Errorf("the lock %s is gone", locks[0])
		}
		if diff := cmp.Diff(waiting, where(t, b, QueueInteractive, ID(7))); diff != "" {
			t.Errorf("place (-want +got):\n%s", diff)
		}
	})
}

// Behind a long backlog the script must neither walk it nor take a waiting task for
// a lost one.
func TestEnqueueBehindBacklog(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		p := newProducer(t, b)
		reqs := make([]Request, 2000)
		for i := range reqs {
			reqs[i].SchemaID = int64(i + 1)
		}
		for _, want := range []Outcome{Enqueued, AlreadyQueued} {
			got, err := p.Enqueue(t.Context(), reqs...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if got[i] != want {
					t.Fatalf("request %d: got %q, want %q", i, got[i], want)
				}
			}
		}
		if n := b.rdb.LLen(t.Context(), keys(QueueInteractive, "")[1]).Val(); n != 2000 {
			t.Errorf("%d ids are pending, want 2000", n)
		}
	})
}

// runAll runs what waits and returns how many runs there were.
func runAll(t *testing.T, b bed) int {
	t.Helper()
	runs := make(chan string, 100)
	stop := serve(t, b, func(_ context.Context, task *asynq.Task) error {
		runs <- task.Type()
		return nil
	})
	receive(t, runs, "run of the task")
	stop()
	return 1 + len(runs)
}

func client(opts ...asynq.Option) func(*testing.T, bed, string) {
	return func(t *testing.T, b bed, id string) {
		t.Helper()
		opts := append([]asynq.Option{asynq.TaskID(id), asynq.Queue(QueueInteractive)}, opts...)
		task := asynq.NewTask(Type, []byte(`{"schema_id":7,"v":1}`))
		if _, err := asynq.NewClientFromRedisClient(b.rdb).Enqueue(task, opts...); err != nil {
			t.Fatal(err)
		}
	}
}

func handled(result error, opts ...asynq.Option) func(*testing.T, bed, string) {
	return func(t *testing.T, b bed, id string) {
		t.Helper()
		client(opts...)(t, b, id)
		ran := make(chan struct{}, 1)
		stop := serve(t, b, func(context.Context, *asynq.Task) error {
			ran <- struct{}{}
			return result
		})
		receive(t, ran, "run of the task")
		stop()
	}
}

func archived(t *testing.T, b bed, id string) {
	t.Helper()
	client()(t, b, id)
	archiveTask(t, b, id)
}

func archiveTask(t *testing.T, b bed, id string) {
	t.Helper()
	if err := asynq.NewInspectorFromRedisClient(b.rdb).ArchiveTask(QueueInteractive, id); err != nil {
		t.Fatal(err)
	}
}

func ghost(where string) func(*testing.T, bed, string) {
	return func(t *testing.T, b bed, id string) {
		t.Helper()
		k := keys(QueueInteractive, id)
		switch where {
		case "pending":
			must(t, b.rdb.LPush(t.Context(), k[1], id, "other", id).Err())
			must(t, b.rdb.LRem(t.Context(), k[1], 1, "other").Err())
		case "active":
			must(t, b.rdb.LPush(t.Context(), k[2], id).Err())
			must(t, b.rdb.ZAdd(t.Context(), k[3], redis.Z{Score: float64(time.Now().Add(time.Hour).Unix()), Member: id}).Err())
		case "archived":
			for _, set := range k[4:] {
				must(t, b.rdb.ZAdd(t.Context(), set, redis.Z{Score: float64(time.Now().Add(time.Hour).Unix()), Member: id}).Err())
			}
		}
	}
}

func halfBroken(state string) func(*testing.T, bed, string) {
	return func(t *testing.T, b bed, id string) {
		t.Helper()
		ghost("active")(t, b, id)
		must(t, b.rdb.HSet(t.Context(), keys(QueueInteractive, id)[0], "state", state).Err())
	}
}

func resultOnly(t *testing.T, b bed, id string) {
	t.Helper()
	must(t, b.rdb.HSet(t.Context(), keys(QueueInteractive, id)[0], "result", "{}").Err())
}

func strange(t *testing.T, b bed, id string) {
	t.Helper()
	must(t, b.rdb.HSet(t.Context(), keys(QueueInteractive, id)[0], "state", "thinking", "msg", "x").Err())
}

// lost makes a whole task in a state that its lists do not know about.
func lost(state string) func(*testing.T, bed, string) {
	return func(t *testing.T, b bed, id string) {
		t.Helper()
		client()(t, b, id)
		k := keys(QueueInteractive, id)
		must(t, b.rdb.Del(t.Context(), k[1]).Err())
		must(t, b.rdb.HSet(t.Context(), k[0], "state", state).Err())
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func taskInfo(t *testing.T, b bed, queue, id string) *asynq.TaskInfo {
	t.Helper()
	info, err := asynq.NewInspectorFromRedisClient(b.rdb).GetTaskInfo(queue, id)
	if err != nil {
		t.Fatal(err)
	}
	return info
}
