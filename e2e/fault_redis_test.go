package e2e

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/task"
)

func TestFault09RedisDownAtTheAcknowledgement(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	proxy := g.throughRedisProxy()
	w := g.start(t)
	w.arm("run.committed=hang")
	g.enqueue(g.add(shapes(1)...))
	w.reached("run.committed", 1)
	before := g.value(versions)
	proxy.Cut()
	w.arm()
	w.says("redis is gone")
	proxy.Restore()
	w.says("redis is back")
	g.prove(verdict{calls: 1, runs: "completed 1"})
	// The acknowledgement may have been lost: then the task comes back, for nothing.
	g.loseLeases()
	g.start(t)
	await(t, "no task is left", func() bool { return g.tasks(allStates...) == 0 })
	g.proveNow(verdict{calls: 1, runs: "completed 1"})
	if after := g.value(versions); after != before {
		t.Errorf("the redelivery touched rows: before %s\nafter %s", before, after)
	}
}

// asynq's lease is lost while the model thinks, so another worker is given the task.
func TestFault10LeaseLostWhileTheModelThinks(t *testing.T) {
	t.Parallel()
	t.Run("the claim holds", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		direct := g.env["REDIS_URL"]
		proxy := g.throughRedisProxy()
		release := g.hold()
		g.start(t)
		ids := g.add(shapes(1)...)
		g.enqueue(ids)
		g.asked(1)
		proxy.Cut()
		g.loseLeases()
		g.start(t, "REDIS_URL="+direct)
		await(t, "the second worker was refused", func() bool {
			info, err := g.inspector().GetTaskInfo(task.QueueInteractive, "schema:analyze:"+ids[0])
			return err == nil && info.LastErr == "another worker owns the run"
		})
		release()
		g.prove(verdict{calls: 1, runs: "completed 1"})
		proxy.Restore()
		await(t, "no task is left", func() bool { return g.tasks(allStates...) == 0 })
		g.proveNow(verdict{calls: 1, runs: "completed 1"})
	})
	// A machine that slept: everything is lost, and the process does not know it.
	t.Run("the claim is lost", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		release := g.hold()
		first := g.start(t)
		g.enqueue(g.add(shapes(1)...))
		g.asked(1)
		first.pause()
		release()
		g.loseTime()
		g.start(t)
		g.prove(verdict{calls: 2, runs: "completed 2"})
		before := g.value(versions)
		first.resume()
		first.says("class=lost")
		g.proveNow(verdict{calls: 2, runs: "completed 2"})
		if after := g.value(versions); after != before {
			t.Errorf("the worker that woke up touched rows: before %s\nafter %s", before, after)
		}
	})
}

// The same at the last moment: the result is written, the transaction is open, and holds
// the rows for as long as the database thinks that its owner lives. Nobody loses time for
// it.
func TestFault10PausedWithinTheCommit(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	first := g.start(t)
	first.arm("store.before-commit=pause")
	ids := g.add(shapes(2)...)
	g.enqueue(ids[:1])
	first.reached("store.before-commit", 1)
	g.start(t)
	g.enqueue(ids[1:])
	g.awaitEnd(3 * patience)
	g.proveNow(verdict{calls: 2, runs: "completed 2, completed 1"})
	before := g.value(versions)
	first.resume()
	first.says("claim lost")
	g.proveNow(verdict{calls: 2, runs: "completed 2, completed 1"})
	if after := g.value(versions); after != before {
		t.Errorf("the worker that woke up touched rows: before %s\nafter %s", before, after)
	}
}

func TestFault11RedisForgets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		n      int
		forget func(*faultGround)
	}{
		{"flushed", 500, func(g *faultGround) {
			if err := g.redis.FlushAll(g.t.Context()).Err(); err != nil {
				g.t.Fatal(err)
			}
		}},
		{"killed, and back empty", 20, func(g *faultGround) { g.server.Stop(); g.server.Start() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newFaultGround(t)
			g.env["WORKER_CONCURRENCY"] = "8"
			release := g.hold()
			g.start(t)
			g.enqueue(g.add(shapes(c.n)...))
			g.asked(1)
			c.forget(g)
			release()
			g.exec("UPDATE schemacast_runs SET requested_ms = requested_ms - 60000 WHERE state = 'requested'")
			g.awaitEnd(3 * patience)
			g.proveNow(verdict{calls: c.n})
			g.wantValue(fmt.Sprint(c.n, c.n), "SELECT count(*) || ' ' || sum(attempts) FROM schemacast_runs WHERE outcome = 'completed'")
			queues, err := g.inspector().Queues()
			if err != nil || !slices.Contains(queues, task.QueueInteractive) {
				t.Errorf("Asynqmon sees the queues %v, %v", queues, err)
			}
		})
	}
}

// A row that nobody enqueued is found, unless it is older than the installation.
func TestFault11NeverEnqueued(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	g.add(shapes(3)...)
	g.exec("UPDATE schemas SET created_at = (now() AT TIME ZONE 'UTC') - interval '20 seconds'")
	g.exec("UPDATE schemacast_meta SET value = (value::bigint - 60000)::text WHERE key = 'installed_ms'")
	old := g.add(shapes(4)[3])[0]
	g.exec("UPDATE schemas SET created_at = now() - interval '30 days' WHERE id = " + old)
	g.start(t)
	g.awaitValue("3", "SELECT count(*) FROM schemacast_runs WHERE outcome = 'completed' AND attempts = 1")
	g.wantValue("pending", "SELECT ai_analysis_status FROM schemas WHERE id = $1", old)
	g.exec("DELETE FROM schemas WHERE id = " + old)
	g.prove(verdict{calls: 3})
}

// A Redis that takes no writes: the wish is stored, and found later.
func TestFault13RedisRefusesWrites(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, setting, broken, healthy string }{
		{"out of memory", "maxmemory", "1mb", "0"},
		{"too few replicas", "min-replicas-to-write", "1", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newFaultGround(t)
			release := g.hold()
			w := g.start(t)
			ids := g.add(shapes(3)...)
			g.enqueue(ids[:1])
			g.asked(1)
			set := func(value string) {
				t.Helper()
				if err := g.redis.ConfigSet(t.Context(), c.setting, value).Err(); err != nil {
					t.Fatal(err)
				}
			}
			set(c.broken)
			g.want(1, "the wish is stored", "enqueue", append([]string{"schema"}, ids[1:]...)...)
			release()
			g.awaitValue("completed", "SELECT state FROM schemacast_runs WHERE schema_id = $1", ids[0])
			g.wantValue("2", "SELECT count(*) FROM schemacast_runs WHERE state = 'requested'")
			set(c.healthy)
			g.exec("UPDATE schemacast_runs SET requested_ms = requested_ms - 60000 WHERE state = 'requested'")
			g.prove(verdict{calls: 3, runs: "completed 1, completed 1, completed 1"})
			await(t, "no task is left", func() bool {
				g.loseLeasesOfEnded()
				return g.tasks(asynq.TaskStatePending, asynq.TaskStateRetry) == 0
			})
			if w.hasEnded() {
				t.Error("the worker had to be started again")
			}
		})
	}
}

// What is broken in Redis: it must not stop the recovery of what is not.
func TestFault14BrokenBookkeeping(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t, llmtest.Hang())
	first := g.start(t)
	ids := g.add(shapes(4)...)
	g.enqueue(ids[:1])
	g.asked(1)
	first.kill()
	g.enqueue(ids[1:])
	key := func(part string) string { return "asynq:{" + task.QueueInteractive + "}:" + part }
	id := func(i int) string { return "schema:analyze:" + ids[i] }
	redis := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	redis(g.redis.Del(t.Context(), key("lease")).Err())                              // of the first, which is active
	redis(g.redis.Del(t.Context(), key("t:"+id(1))).Err())                           // a hash: its id is a ghost
	redis(g.redis.HSet(t.Context(), key("t:"+id(2)), "msg", "\xff\xfe\x00no").Err()) // what no worker can read
	g.loseTime()
	w := g.start(t)
	g.prove(verdict{calls: 5})
	g.wantValue("4 5", "SELECT count(*) || ' ' || sum(attempts) FROM schemacast_runs WHERE outcome = 'completed'")
	for _, state := range []func() (int, error){
		func() (int, error) {
			l, err := g.inspector().ListActiveTasks(task.QueueInteractive)
			return len(l), err
		},
		func() (int, error) {
			l, err := g.inspector().ListPendingTasks(task.QueueInteractive)
			return len(l), err
		},
	} {
		await(t, "the lists are empty", func() bool { n, err := state(); return err == nil && n == 0 })
	}
	if _, err := g.inspector().GetQueueInfo(task.QueueInteractive); err != nil {
		t.Errorf("Asynqmon's page of the queue does not load: %v", err)
	}
	if w.hasEnded() {
		t.Error("the worker ended")
	}
}

// loseLeasesOfEnded lets asynq give up tasks that nobody works on any more.
func (g *faultGround) loseLeasesOfEnded() {
	if g.value("SELECT count(*) FROM schemacast_runs WHERE active_schema_id IS NOT NULL") == "0" {
		g.loseLeases()
	}
}
