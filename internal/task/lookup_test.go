package task

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/alicebob/miniredis/v2"
)

func newInspector(t testing.TB, b bed) *Inspector {
	t.Helper()
	i, err := NewInspector(b.rdb)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// dead leaves a task as a worker does that is killed: active, with a lease that ended.
func dead(t *testing.T, b bed, id string) {
	t.Helper()
	client()(t, b, id)
	k := keys(QueueInteractive, id)
	must(t, b.rdb.LRem(t.Context(), k[1], 0, id).Err())
	must(t, b.rdb.LPush(t.Context(), k[2], id).Err())
	must(t, b.rdb.HSet(t.Context(), k[0], "state", "active").Err())
	must(t, b.rdb.ZAdd(t.Context(), k[3], redis.Z{Score: float64(time.Now().Add(-time.Hour).Unix()), Member: id}).Err())
}

func TestLookup(t *testing.T) {
	t.Parallel()
	putAway := func(t *testing.T, b bed, id string) {
		t.Helper()
		handled(errors.New("no such tenant"))(t, b, id)
		archiveTask(t, b, id)
	}
	alive := Standing{Alive: true, Waits: true}
	for _, tc := range []struct {
		name    string
		id      string
		fence   int64
		setup   func(t *testing.T, b bed, id string)
		want    Standing
		blocked bool
		away    bool
	}{
		{"no task", ID(7), 3, func(*testing.T, bed, string) {}, Standing{}, false, false},
		{"pending", ID(7), 0, client(), alive, false, false},
		{"scheduled", ID(7), 0, client(asynq.ProcessIn(time.Hour)), alive, false, false},
		{"retry", ID(7), 0, handled(errors.New("later")), alive, false, false},
		{"dead worker", ID(7), 0, dead, Standing{}, true, false},
		{"dead worker, sweeper's task", SweepID(7, 1), 1, dead, Standing{}, false, false},
		{"archived", ID(7), 0, putAway, Standing{LastError: "no such tenant"}, false, true},
		{"completed", ID(7), 0, handled(nil, asynq.Retention(time.Hour)), Standing{}, false, false},
		{"remains of a task", ID(7), 0, halfBroken("active"), Standing{}, false, false},
		{"sweeper's task of this fence", SweepID(7, 3), 3, client(), alive, false, false},
		{"sweeper's task of an earlier fence", SweepID(7, 3), 18, client(), alive, false, false},
		{"sweeper's task of long ago", SweepID(7, 3), 19, client(), Standing{}, false, false},
		{"no hash at all", ID(7), 0, func(t *testing.T, b bed, id string) {
			t.Helper()
			must(t, b.rdb.Set(t.Context(), keys(QueueInteractive, id)[0], "x", 0).Err())
		}, Standing{}, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onEachRedis(t, func(b bed) {
				t := b.t
				tc.setup(t, b, tc.id)
				got, err := newInspector(t, b).Lookup(t.Context(), []Subject{{SchemaID: 8}, {SchemaID: 7, Fence: tc.fence}})
				if err != nil {
					t.Fatal(err)
				}
				want := []Standing{{}, tc.want}
				if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Standing{}), cmpopts.IgnoreFields(Standing{}, "PutAway")); diff != "" {
					t.Errorf("standing (-want +got):\n%s", diff)
				}
				if got[1].Blocked(QueueInteractive) != tc.blocked || got[1].Blocked(QueueBackfill) {
					t.Errorf("blocked %t, want %t", got[1].Blocked(QueueInteractive), tc.blocked)
				}
				if away := time.Since(got[1].PutAway) < time.Hour; away != tc.away {
					t.Errorf("put away at %s", got[1].PutAway)
				}
			})
		})
	}
}

// An active task is its worker's as long as the lease is good.
func TestLookupOfRunningTask(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		client()(t, b, ID(7))
		started, finish := make(chan struct{}), make(chan struct{})
		stop := serve(t, b, func(context.Context, *asynq.Task) error {
			close(started)
			<-finish
			return nil
		})
		receive(t, started, "start of the task")
		i := newInspector(t, b)
		for _, tc := range []struct {
			later time.Duration
			want  bool
		}{{0, true}, {time.Minute, false}} {
			i.now = func() time.Time { return time.Now().Add(tc.later) }
			got, err := i.Lookup(t.Context(), []Subject{{SchemaID: 7}})
			if err != nil {
				t.Fatal(err)
			}
			if got[0].Alive != tc.want || got[0].Waits || got[0].Blocked(QueueInteractive) == tc.want {
				t.Errorf("%s later: got %+v, want alive %t, and not waiting", tc.later, got[0], tc.want)
			}
		}
		close(finish)
		stop()
	})
}

func TestLookupManySubjects(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		var subjects []Subject
		var requests []Request
		for id := int64(1); id <= 1500; id++ {
			subjects = append(subjects, Subject{SchemaID: id, Fence: 2})
			if id%2 == 0 {
				requests = append(requests, Request{Payload: Payload{SchemaID: id}})
			}
		}
		if _, err := newProducer(t, b).Enqueue(t.Context(), requests...); err != nil {
			t.Fatal(err)
		}
		got, err := newInspector(t, b).Lookup(t.Context(), subjects)
		if err != nil {
			t.Fatal(err)
		}
		for n, s := range got {
			if want := subjects[n].SchemaID%2 == 0; s.Alive != want {
				t.Fatalf("schema %d: alive %t, want %t", subjects[n].SchemaID, s.Alive, want)
			}
		}
		if n, err := newInspector(t, b).Waiting(t.Context(), QueueInteractive); n != 750 || err != nil {
			t.Errorf("%d tasks wait (%v), want 750", n, err)
		}
	})
}

func TestInspectorNamesTheServer(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	b := newBed(t, server.Addr())
	server.SetError("LOADING Redis is loading the dataset in memory")
	i := newInspector(t, b)
	var refused *RedisError
	if _, err := i.Lookup(t.Context(), []Subject{{SchemaID: 1}}); !errors.As(err, &refused) || refused.Address != server.Addr() {
		t.Errorf("Lookup = %v, want a *RedisError of %s", err, server.Addr())
	}
	if err := i.Register(t.Context()); !errors.As(err, &refused) {
		t.Errorf("Register = %v, want a *RedisError", err)
	}
	if err := Nudge(t.Context(), b.rdb, 1, 0); !errors.As(err, &refused) {
		t.Errorf("Nudge = %v, want a *RedisError", err)
	}
}

// Asynqmon sees a queue again that a flush has hidden, and no queue that is not there.
func TestRegister(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		client()(t, b, ID(7))
		must(t, b.rdb.Del(t.Context(), keyQueues).Err())
		if err := newInspector(t, b).Register(t.Context()); err != nil {
			t.Fatal(err)
		}
		queues, err := asynq.NewInspectorFromRedisClient(b.rdb).Queues()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{QueueInteractive}, queues); diff != "" {
			t.Errorf("queues (-want +got):\n%s", diff)
		}
	})
}

func TestNudgeReachesEveryTaskOfTheSchema(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		requests := []Request{{Payload: Payload{SchemaID: 7}}, {Payload: Payload{SchemaID: 7}, TaskID: SweepID(7, 2)}, {Payload: Payload{SchemaID: 8}}}
		if _, err := newProducer(t, b).Enqueue(t.Context(), requests...); err != nil {
			t.Fatal(err)
		}
		began, ended := make(chan string, 3), make(chan string, 3)
		finish := make(chan struct{})
		stop := serve(t, b, func(ctx context.Context, _ *asynq.Task) error {
			id, _ := asynq.GetTaskID(ctx)
			began <- id
			select {
			case <-ctx.Done():
				ended <- id
			case <-finish:
			}
			return nil
		})
		for range requests {
			receive(t, began, "start of a task")
		}
		// The worker may still be subscribing, so the nudge is repeated.
		var got []string
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		limit := time.After(20 * time.Second)
		for len(got) < 2 {
			must(t, Nudge(t.Context(), b.rdb, 7, 2))
			select {
			case id := <-ended:
				got = append(got, id)
			case <-ticker.C:
			case <-limit:
				t.Fatalf("only %v heard of it", got)
			}
		}
		close(finish)
		stop()
		slices.Sort(got)
		if diff := cmp.Diff([]string{ID(7), SweepID(7, 2)}, got); diff != "" {
			t.Errorf("tasks that were nudged (-want +got):\n%s", diff)
		}
	})
}
