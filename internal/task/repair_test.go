package task

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/testenv"
)

func newRepairer(t testing.TB, b bed, cfg RepairerConfig) *Repairer {
	t.Helper()
	r, err := NewRepairer(b.rdb, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func examine(t *testing.T, r *Repairer) Findings {
	t.Helper()
	found, err := r.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// steps makes one setup of several.
func steps(all ...func(*testing.T, bed, string)) func(*testing.T, bed, string) {
	return func(t *testing.T, b bed, id string) {
		t.Helper()
		for _, step := range all {
			step(t, b, id)
		}
	}
}

// message replaces the message of a task.
func withMessage(text string) func(*testing.T, bed, string) {
	return func(t *testing.T, b bed, id string) {
		t.Helper()
		must(t, b.rdb.HSet(t.Context(), keys(QueueInteractive, id)[0], "msg", text).Err())
	}
}

// listed adds the id to lists, by their place in keys.
func listed(places ...int) func(*testing.T, bed, string) {
	return func(t *testing.T, b bed, id string) {
		t.Helper()
		k := keys(QueueInteractive, id)
		for _, place := range places {
			if place <= 2 {
				must(t, b.rdb.LPush(t.Context(), k[place], id).Err())
			} else {
				must(t, b.rdb.ZAdd(t.Context(), k[place], redis.Z{Score: float64(time.Now().Unix()), Member: id}).Err())
			}
		}
	}
}

// inState sets the state and takes the id from the pending list.
func inState(state string) func(*testing.T, bed, string) {
	return func(t *testing.T, b bed, id string) {
		t.Helper()
		k := keys(QueueInteractive, id)
		must(t, b.rdb.HSet(t.Context(), k[0], "state", state).Err())
		must(t, b.rdb.LRem(t.Context(), k[1], 0, id).Err())
	}
}

func plainString(t *testing.T, b bed, id string) {
	t.Helper()
	must(t, b.rdb.Set(t.Context(), keys(QueueInteractive, id)[0], "not a task", 0).Err())
}

const pendingList, activeList, leaseSet, scheduledSet, retrySet, archivedSet, completedSet = 1, 2, 3, 4, 5, 6, 7

func TestRepairs(t *testing.T) {
	t.Parallel()
	enqueued := client()
	running := place{State: "active", HasMsg: true, Active: 1, Lease: true}
	for _, tc := range []struct {
		name  string
		setup func(*testing.T, bed, string)
		want  Findings
		place place
	}{
		{"nothing", func(*testing.T, bed, string) {}, Findings{}, place{}},
		{"pending", enqueued, Findings{}, waiting},
		{"scheduled", client(asynq.ProcessIn(time.Hour)), Findings{}, place{State: "scheduled", HasMsg: true, Scheduled: true}},
		{"archived", archived, Findings{}, place{State: "archived", HasMsg: true, Archived: true}},
		{"a dead worker's", dead, Findings{}, running},
		{"undecodable and pending", steps(enqueued, withMessage("\xff")), Findings{Quarantined: 1}, place{}},
		{"undecodable and active", steps(dead, withMessage("\xff")), Findings{Quarantined: 1}, place{}},
		{"undecodable and archived", steps(archived, withMessage("\xff")), Findings{Quarantined: 1}, place{}},
		{"another task's message", steps(enqueued, withMessage(string(message{Type: Type, ID: "x", Queue: QueueInteractive}.encode()))),
			Findings{Quarantined: 1}, place{}},
		{"too long", steps(enqueued, withMessage(strings.Repeat("x", longestMessage+1))), Findings{Quarantined: 1}, place{}},
		{"no hash at all", steps(listed(activeList), plainString), Findings{Quarantined: 1}, place{}},
		{"ghost in pending", ghost("pending"), Findings{Ghosts: 2}, place{}},
		{"ghost in active", ghost("active"), Findings{Ghosts: 1}, place{}},
		{"ghost in the sets", ghost("archived"), Findings{Ghosts: 1}, place{}},
		{"a ghost that was dequeued", halfBroken("active"), Findings{Remains: 1}, place{}},
		{"an empty message", steps(enqueued, withMessage("")), Findings{Remains: 1}, place{}},
		{"a late result", resultOnly, Findings{Remains: 1}, place{}},
		{"active without a lease", steps(enqueued, inState("active"), listed(activeList)), Findings{Leased: 1}, running},
		{"a lease without active", steps(enqueued, inState("active"), listed(leaseSet)), Findings{Requeued: 1}, waiting},
		{"active in no list", lost("active"), Findings{Requeued: 1}, waiting},
		{"pending in no list", lost("pending"), Findings{Requeued: 1}, waiting},
		{"retry in no set", lost("retry"), Findings{Requeued: 1}, waiting},
		{"scheduled in no set", lost("scheduled"), Findings{Requeued: 1}, waiting},
		{"an unknown state", steps(enqueued, inState("thinking")), Findings{Requeued: 1}, waiting},
		{"archived in no set", lost("archived"), Findings{Leftovers: 1}, place{}},
		{"completed in no set", lost("completed"), Findings{Leftovers: 1}, place{}},
		{"pending and active", steps(enqueued, listed(activeList, leaseSet)), Findings{Misplaced: 1}, waiting},
		{"active and pending", steps(dead, listed(pendingList)), Findings{Misplaced: 1}, running},
		{"retry and everywhere", steps(enqueued, inState("retry"), listed(pendingList, activeList, leaseSet, scheduledSet, retrySet, archivedSet, completedSet)),
			Findings{Misplaced: 2}, place{State: "retry", HasMsg: true, Retry: true}},
		{"a group's", steps(enqueued, inState("aggregating")), Findings{}, place{State: "aggregating", HasMsg: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onEachRedis(t, func(b bed) {
				t := b.t
				id := ID(7)
				tc.setup(t, b, id)
				r := newRepairer(t, b, RepairerConfig{})
				if diff := cmp.Diff(tc.want, examine(t, r), cmpopts.IgnoreFields(Findings{}, "Bad")); diff != "" {
					t.Errorf("findings (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tc.place, where(t, b, QueueInteractive, id)); diff != "" {
					t.Errorf("place (-want +got):\n%s", diff)
				}
				if again := examine(t, r); again.Any() {
					t.Errorf("a second round found %+v, want nothing", again)
				}
			})
		})
	}
}

// asynq's own means work again on what was repaired: its recoverer, which one bad
// message stops for all queues, and the page of a queue, which a ghost breaks.
func TestRepairedQueueWorksAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Redis(t)).of(t)
	bad, good := ID(1), ID(2)
	dead(t, b, bad)
	withMessage("{")(t, b, bad)
	dead(t, b, good)
	ghost("pending")(t, b, ID(3))
	inspector := asynq.NewInspectorFromRedisClient(b.rdb)
	if _, err := inspector.GetQueueInfo(QueueInteractive); err == nil {
		t.Error("asynq's Inspector works on a ghost; the premise of this test is gone")
	}
	want := Findings{Quarantined: 1, Ghosts: 2}
	if diff := cmp.Diff(want, examine(t, newRepairer(t, b, RepairerConfig{})), cmpopts.IgnoreFields(Findings{}, "Bad")); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if _, err := inspector.GetQueueInfo(QueueInteractive); err != nil {
		t.Errorf("asynq's Inspector after the repair: %v", err)
	}
	ran := make(chan string, 1)
	srv := asynq.NewServerFromRedisClient(b.rdb, asynq.Config{
		Concurrency: 1, Queues: map[string]int{QueueInteractive: 1}, TaskCheckInterval: 5 * time.Millisecond,
		DelayedTaskCheckInterval: 5 * time.Millisecond, LogLevel: asynq.FatalLevel,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return 0 },
	})
	// The recoverer works at the start.
	must(t, srv.Start(asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
		id, _ := asynq.GetTaskID(ctx)
		ran <- id
		return nil
	})))
	t.Cleanup(srv.Shutdown)
	if got := receive(t, ran, "recovered task"); got != good {
		t.Errorf("recovered %s, want %s", got, good)
	}
}

func TestQuarantineKeepsTheNewestForAnOperator(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		r := newRepairer(t, b, RepairerConfig{Quarantine: 3})
		for n := range 5 {
			r.now = func() time.Time { return time.Unix(int64(1000+n), 0) }
			id := ID(int64(n + 1))
			client()(t, b, id)
			withMessage(fmt.Sprintf("\xff%d", n))(t, b, id)
			got := examine(t, r)
			want := []BadTask{{Queue: QueueInteractive, ID: id, Reason: "is cut or damaged: unexpected EOF"}}
			if diff := cmp.Diff(want[0].ID, got.Bad[0].ID); diff != "" || !strings.HasPrefix(got.Bad[0].Reason, "is cut or damaged") {
				t.Errorf("bad tasks %+v, want %+v", got.Bad, want)
			}
		}
		ids, err := b.rdb.ZRange(t.Context(), "schemacast:quarantine:{schemas}", 0, -1).Result()
		must(t, err)
		if diff := cmp.Diff([]string{ID(3), ID(4), ID(5)}, ids); diff != "" {
			t.Errorf("quarantine (-want +got):\n%s", diff)
		}
		task, err := b.rdb.HGetAll(t.Context(), "schemacast:quarantine:{schemas}:t:"+ID(5)).Result()
		must(t, err)
		if task["msg"] != "\xff4" || !strings.Contains(task["quarantine_reason"], "damaged") {
			t.Errorf("quarantined task %q, want its message and a reason", task)
		}
		kept, err := b.rdb.Keys(t.Context(), "schemacast:quarantine:*:t:*").Result()
		if err != nil || len(kept) != 3 {
			t.Errorf("%d tasks are kept (%v), want 3", len(kept), err)
		}
	})
}

func TestQuarantineCutsWhatIsTooLong(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		client()(t, b, ID(1))
		withMessage(strings.Repeat("x", 10<<20))(t, b, ID(1))
		got := examine(t, newRepairer(t, b, RepairerConfig{}))
		if got.Quarantined != 1 || !strings.Contains(got.Bad[0].Reason, "longer") {
			t.Errorf("findings %+v, want a message that is too long", got)
		}
		n, err := b.rdb.HStrLen(t.Context(), "schemacast:quarantine:{schemas}:t:"+ID(1), "msg").Result()
		if err != nil || n != 1024 {
			t.Errorf("%d bytes are kept (%v), want 1024", n, err)
		}
	})
}

// A repair looks again: what a worker did after the suspicion arose counts.
func TestRepairChangesNothingOnAStaleSuspicion(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		setup func(*testing.T, bed, string)
		place string
		bad   badMessage
		want  place
	}{
		{"ended meanwhile", func(*testing.T, bed, string) {}, "active", badMessage{}, place{}},
		{"taken up meanwhile", dead, "pending", badMessage{}, place{State: "active", HasMsg: true, Active: 1, Lease: true}},
		{"given back meanwhile", client(), "active", badMessage{}, waiting},
		{"replaced meanwhile", client(), "pending", badMessage{"\xff", "is damaged"}, waiting},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onEachRedis(t, func(b bed) {
				t := b.t
				tc.setup(t, b, ID(7))
				var found Findings
				it := &round{Repairer: newRepairer(t, b, RepairerConfig{}), queue: QueueInteractive, left: 1, found: &found}
				must(t, it.mend(t.Context(), ID(7), tc.place, tc.bad))
				if diff := cmp.Diff(Findings{}, found); diff != "" {
					t.Errorf("findings (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tc.want, where(t, b, QueueInteractive, ID(7))); diff != "" {
					t.Errorf("place (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// asynq's archiving fails for ever at about 8,000 old entries.
func TestArchiveStaysShort(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Redis(t)).of(t)
	const n = 9000
	pipe := b.rdb.Pipeline()
	for i := range n {
		id := ID(int64(i + 1))
		k := keys(QueueInteractive, id)
		msg := message{Type: Type, ID: id, Queue: QueueInteractive}.encode()
		pipe.HSet(t.Context(), k[0], "msg", msg, "state", "archived")
		pipe.ZAdd(t.Context(), k[archivedSet], redis.Z{Score: float64(i), Member: id})
	}
	_, err := pipe.Exec(t.Context())
	must(t, err)
	if got := examine(t, newRepairer(t, b, RepairerConfig{})).Trimmed; got != n-archivedMost {
		t.Errorf("%d tasks trimmed, want %d", got, n-archivedMost)
	}
	for id, want := range map[int64]bool{1: false, n - archivedMost: false, n - archivedMost + 1: true, n: true} {
		if got := where(t, b, QueueInteractive, ID(id)).HasMsg; got != want {
			t.Errorf("task %d is there: %t, want %t", id, got, want)
		}
	}
	// A task that ends now can be archived.
	handled(asynq.SkipRetry)(t, b, ID(n+1))
	if got := where(t, b, QueueInteractive, ID(n+1)); !got.Archived {
		t.Errorf("the next failed task is at %+v, want it archived", got)
	}
}

// Windows move on, so that everything is seen after some rounds, and none of them is
// longer than it may be.
func TestRoundsAreBounded(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		const n = 500
		var requests []Request
		for id := range int64(n) {
			requests = append(requests, Request{Payload: Payload{SchemaID: id + 1}})
		}
		if _, err := newProducer(t, b).Enqueue(t.Context(), requests...); err != nil {
			t.Fatal(err)
		}
		for id := int64(1); id <= n; id += 10 {
			withMessage("\xff")(t, b, ID(id))
		}
		r := newRepairer(t, b, RepairerConfig{Window: 50, Repairs: 20})
		first := examine(t, r)
		if first.Quarantined == 0 || first.Quarantined > 20 {
			t.Errorf("the first round quarantined %d tasks, want 1 to 20", first.Quarantined)
		}
		total := first.Quarantined
		for range 40 {
			total += examine(t, r).Quarantined
		}
		if total != n/10 {
			t.Errorf("%d tasks quarantined after 41 rounds, want %d", total, n/10)
		}
		waiting, err := newInspector(t, b).Waiting(t.Context(), QueueInteractive)
		if err != nil || waiting != n-n/10 {
			t.Errorf("%d tasks wait (%v), want %d", waiting, err, n-n/10)
		}
	})
}

// While workers work, a round finds nothing: everything it may take for a fault is one.
func TestRepairLeavesWorkersAlone(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Redis(t)).of(t)
	const n = 2000
	var requests []Request
	for id := range int64(n) {
		requests = append(requests, Request{Payload: Payload{SchemaID: id + 1}})
	}
	if _, err := newProducer(t, b).Enqueue(t.Context(), requests...); err != nil {
		t.Fatal(err)
	}
	ran := make(chan struct{}, 2*n)
	stop := serve(t, b, func(context.Context, *asynq.Task) error {
		ran <- struct{}{}
		return nil
	})
	r := newRepairer(t, b, RepairerConfig{})
	var total Findings
	limit := time.After(60 * time.Second)
	for len(ran) < n {
		total.Add(examine(t, r))
		select {
		case <-limit:
			t.Fatalf("%d of %d tasks ran", len(ran), n)
		default:
		}
	}
	stop()
	total.Add(examine(t, r))
	if total.Any() || len(ran) != n {
		t.Errorf("%d runs and findings %+v; want %d runs and none", len(ran), total, n)
	}
}

func TestPausedQueuesAreTold(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		client()(t, b, ID(1))
		must(t, asynq.NewInspectorFromRedisClient(b.rdb).PauseQueue(QueueInteractive))
		if diff := cmp.Diff(Findings{Paused: []string{QueueInteractive}}, examine(t, newRepairer(t, b, RepairerConfig{}))); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
	})
}
