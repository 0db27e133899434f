package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

// This file holds what tests of faults break things with. The numbers in their names
// are those of the scenarios in docs/reliability.md.

// faultGround is a ground whose workers stop and die at named points, and whose Pusher
// server remembers everything that it took.
type faultGround struct {
	*ground
	recorder *testenv.Recorder
}

func newFaultGround(t *testing.T, script ...llmtest.Step) *faultGround {
	t.Helper()
	recorder := testenv.StartRecorder(t, nil)
	return faulty(newGround(t, recorder.App, script...), recorder)
}

func faulty(g *ground, recorder *testenv.Recorder) *faultGround {
	g.build, g.ahead = faultyPrograms, "1 hour"
	g.env["WORKER_SWEEP_INTERVAL"] = "1s"
	return &faultGround{ground: g, recorder: recorder}
}

// slow skips a test whose waiting takes minutes.
func slow(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("SCHEMACAST_TEST_SLOW") == "" {
		t.Skip("SCHEMACAST_TEST_SLOW is not set: " + why)
	}
}

// arm says what the worker does where, as package failpoint has it. What was armed
// before is not any more, and whoever hangs there goes on. A file that is half written
// would do that too, so it is replaced.
func (w *worker) arm(points ...string) {
	w.t.Helper()
	if err := os.WriteFile(w.points+".new", []byte(strings.Join(points, "\n")), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(w.points+".new", w.points); err != nil {
		w.t.Fatal(err)
	}
}

// reached waits until the worker has come to a point n times.
func (w *worker) reached(point string, n int) {
	w.t.Helper()
	await(w.t, fmt.Sprintf("the worker came to %s %d times", point, n), func() bool {
		return strings.Count(w.log.String(), "failpoint "+point+" ") >= n
	})
}

// died waits until the worker has killed itself.
func (w *worker) died() {
	w.t.Helper()
	await(w.t, "the worker died", w.hasEnded)
	if status, ok := w.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		w.t.Errorf("the worker ended by itself: %s", w.cmd.ProcessState)
	}
}

// pause stops the whole process, as a machine that sleeps, until resume. It returns when
// the last thread has stopped: the signal takes a while to arrive on a busy machine.
func (w *worker) pause() {
	w.t.Helper()
	w.signal(syscall.SIGSTOP)
	await(w.t, "the worker has stopped", w.stands)
}

func (w *worker) resume() { w.signal(syscall.SIGCONT) }

// stands says whether no thread of the process runs, where the system tells of threads.
func (w *worker) stands() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", w.cmd.Process.Pid))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// "pid (name) state ...", and the name may have any characters.
		_, after, found := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" "))
		if found && !bytes.HasPrefix(after, []byte("T")) {
			return false
		}
	}
	return true
}

func (w *worker) signal(s syscall.Signal) {
	w.t.Helper()
	if err := w.cmd.Process.Signal(s); err != nil {
		w.t.Fatal(err)
	}
}

// says waits until the worker's log has a text.
func (w *worker) says(text string) {
	w.t.Helper()
	await(w.t, "the worker says "+text, func() bool { return strings.Contains(w.log.String(), text) })
}

// ready asks /readyz.
func (w *worker) ready() (status int, body string) { return get(w.t, w.health+"/readyz") }

// loseTime lets the time pass that the others wait for whoever has died: for claims,
// streams and jobs in the database, and for asynq's leases.
func (g *faultGround) loseTime() {
	g.t.Helper()
	g.makeStale()
	g.exec("UPDATE schemacast_runs SET requested_ms = requested_ms - 60000")
	g.exec("UPDATE schemacast_streams SET lease_until_ms = lease_until_ms - 31000")
	g.exec("DELETE FROM schemacast_meta WHERE key LIKE 'lease:%'")
	g.loseLeases()
}

// loseLeases makes asynq's leases old enough for its recoverer.
func (g *faultGround) loseLeases() {
	g.t.Helper()
	for _, queue := range []string{task.QueueInteractive, task.QueueBackfill} {
		key := "asynq:{" + queue + "}:lease"
		ids, err := g.redis.ZRange(g.t.Context(), key, 0, -1).Result()
		if err != nil {
			g.t.Fatal(err)
		}
		for _, id := range ids {
			old := redis.Z{Score: float64(time.Now().Add(-2 * time.Minute).Unix()), Member: id}
			if err := g.redis.ZAdd(g.t.Context(), key, old).Err(); err != nil {
				g.t.Fatal(err)
			}
		}
	}
}

// throughRedisProxy lets the workers that are started from now on, and enqueue, reach
// Redis through a proxy. The ground itself goes straight.
func (g *faultGround) throughRedisProxy() *testenv.Proxy {
	p := testenv.StartProxy(g.t, g.server.Addr)
	g.env["REDIS_URL"] = "redis://" + p.Addr
	return p
}

// throughDatabaseProxy does the same with PostgreSQL.
func (g *faultGround) throughDatabaseProxy() *testenv.Proxy {
	g.t.Helper()
	config := g.db.Config()
	p := testenv.StartProxy(g.t, fmt.Sprintf("%s:%d", config.Host, config.Port))
	direct := fmt.Sprintf("%s:%d/", config.Host, config.Port)
	if !strings.Contains(g.env["DB_URL"], direct) {
		g.t.Fatalf("no %s in the URL of the database", direct)
	}
	g.env["DB_URL"] = strings.Replace(g.env["DB_URL"], direct, p.Addr+"/", 1)
	return p
}

// hurry brings tasks forward that wait for their next try, until done says so: nobody
// wants to wait for six delays that double.
func (g *faultGround) hurry(what string, done func() bool) {
	g.t.Helper()
	inspector := asynq.NewInspectorFromRedisClient(g.redis)
	await(g.t, what, func() bool {
		for _, queue := range []string{task.QueueInteractive, task.QueueBackfill} {
			_, _ = inspector.RunAllRetryTasks(queue) // none, or no queue yet
			_, _ = inspector.RunAllScheduledTasks(queue)
		}
		return done()
	})
}

// tasks counts the tasks of both queues in some states.
func (g *faultGround) tasks(states ...asynq.TaskState) int {
	g.t.Helper()
	n := 0
	for _, queue := range []string{task.QueueInteractive, task.QueueBackfill} {
		for _, state := range states {
			key := "asynq:{" + queue + "}:" + state.String()
			var count int64
			var err error
			if state == asynq.TaskStatePending || state == asynq.TaskStateActive {
				count, err = g.redis.LLen(g.t.Context(), key).Result()
			} else {
				count, err = g.redis.ZCard(g.t.Context(), key).Result()
			}
			if err != nil {
				g.t.Fatal(err)
			}
			n += int(count)
		}
	}
	return n
}

// put enqueues a task by hand, as somebody does who knows nothing of us.
func (g *faultGround) put(queue, id, kind string, payload []byte) {
	g.t.Helper()
	client := asynq.NewClientFromRedisClient(g.redis)
	_, err := client.EnqueueContext(g.t.Context(), asynq.NewTask(kind, payload),
		asynq.Queue(queue), asynq.TaskID(id), asynq.MaxRetry(1000), asynq.Timeout(10*time.Minute))
	if err != nil {
		g.t.Fatal(err)
	}
}

// inspector is what Asynqmon works with.
func (g *faultGround) inspector() *asynq.Inspector { return asynq.NewInspectorFromRedisClient(g.redis) }

// useRedis moves the ground's own connection.
func (g *faultGround) useRedis(addr string) {
	client := redis.NewClient(&redis.Options{Addr: addr})
	g.t.Cleanup(func() { _ = client.Close() })
	g.redis = client
}
