package e2e

import (
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/task"
)

// killedAt lets a worker die at a point while it works on one schema, lets the time pass
// after which it counts as dead, and has another worker finish.
func killedAt(t *testing.T, point string, v verdict) *faultGround {
	t.Helper()
	g := newFaultGround(t)
	first := g.start(t)
	first.arm(point + "=kill")
	g.enqueue(g.add(shapes(1)...))
	first.died()
	g.loseTime()
	g.start(t)
	g.prove(v)
	return g
}

func TestFault01KilledBeforeTheClaim(t *testing.T) {
	t.Parallel()
	g := killedAt(t, "run.dequeued", verdict{calls: 1, runs: "completed 1"})
	g.wantHistory("started completed")
}

func TestFault02KilledAfterTheClaim(t *testing.T) {
	t.Parallel()
	g := killedAt(t, "run.claimed", verdict{calls: 1, runs: "completed 2"})
	g.wantHistory("started completed")
	g.wantValue("lost completed", "SELECT string_agg(outcome, ' ' ORDER BY fence) FROM schemacast_attempts")
}

func TestFault03KilledDuringTheCall(t *testing.T) {
	t.Parallel()
	t.Run("then another worker starts", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t, llmtest.Hang())
		first := g.start(t)
		g.enqueue(g.add(shapes(1)...))
		g.asked(1)
		first.kill()
		g.loseTime()
		g.start(t)
		g.prove(verdict{calls: 2, runs: "completed 2"})
	})
	// No recovery of asynq's helps here: it looks once a minute.
	t.Run("while another worker lives", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t, llmtest.Hang())
		first := g.start(t)
		g.enqueue(g.add(shapes(1)...))
		g.asked(1)
		g.start(t)
		first.kill()
		g.loseTime()
		g.prove(verdict{calls: 2, runs: "completed 2"})
	})
}

func TestFault04KilledWithTheAnswer(t *testing.T) {
	t.Parallel()
	t.Run("stored", func(t *testing.T) {
		t.Parallel()
		killedAt(t, "run.checkpointed", verdict{calls: 1, runs: "completed 2"})
	})
	t.Run("stored, within the commit", func(t *testing.T) {
		t.Parallel()
		killedAt(t, "store.before-commit", verdict{calls: 1, runs: "completed 2"})
	})
	// The cache of answers is filled before the checkpoint is.
	t.Run("not stored with its run yet", func(t *testing.T) {
		t.Parallel()
		killedAt(t, "run.answered", verdict{calls: 1, runs: "completed 2"})
	})
}

// versions are the versions of all rows that hold a result: PostgreSQL writes a new one
// even for an update that changes nothing.
const versions = `SELECT (SELECT string_agg(id || ':' || xmin, ' ' ORDER BY id) FROM schemas) || ' ' ||
	(SELECT string_agg(id || ':' || xmin, ' ' ORDER BY id) FROM schema_mappings) || ' ' ||
	(SELECT string_agg(id || ':' || xmin, ' ' ORDER BY id) FROM schemacast_runs)`

func TestFault05KilledBeforeTheAcknowledgement(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	first := g.start(t)
	first.arm("run.committed=kill")
	g.enqueue(g.add(shapes(1)...))
	first.died()
	g.loseTime()
	before := g.value(versions)
	second := g.start(t)
	await(t, "the task was redelivered and is gone", func() bool { return g.tasks(allStates...) == 0 })
	second.says("nothing to do")
	g.prove(verdict{calls: 1, runs: "completed 1"})
	g.wantHistory("started completed")
	if after := g.value(versions); after != before {
		t.Errorf("the redelivery touched rows: before %s\nafter %s", before, after)
	}
}

// Somebody asks again while the task of the run that has just ended is still there, so
// that no task is added. No sweep helps.
func TestFault05AskedAgainBeforeTheAcknowledgement(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	g.env["WORKER_SWEEP_INTERVAL"] = "10m"
	w := g.start(t)
	w.arm("run.committed=hang")
	ids := g.add(shapes(1)...)
	g.enqueue(ids)
	w.reached("run.committed", 1)
	g.want(0, "already", "enqueue", "schema", ids[0])
	g.wantValue("completed, requested", "SELECT string_agg(state, ', ' ORDER BY id) FROM schemacast_runs")
	w.arm()
	g.prove(verdict{calls: -1, runs: "completed 1, completed 1"})
	g.wantHistory("started completed started completed")
}

func TestFault06KilledBetweenCommitAndBroadcast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, point string
		twice       int // deliveries beyond one an event
	}{
		{"not sent", "broadcast.publishing", 0},
		{"sent, and not recorded", "broadcast.published", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newFaultGround(t)
			first := g.start(t)
			first.arm("run.checkpointed=hang")
			g.enqueue(g.add(shapes(1)...))
			first.reached("run.checkpointed", 1)
			g.awaitValue("0", "SELECT count(*) FROM schemacast_streams WHERE sent_seq < last_seq")
			// The commit locks the stream, so what was sent has to be recorded before.
			first.arm("store.before-commit=hang")
			first.reached("store.before-commit", 1)
			first.arm(c.point + "=kill")
			first.died()
			g.wantValue("completed 1", "SELECT state || ' ' || attempts FROM schemacast_runs")
			g.wantValue("1", "SELECT last_seq - sent_seq FROM schemacast_streams")
			g.loseTime()
			g.start(t)
			g.prove(verdict{calls: 1, runs: "completed 1"})
			g.wantHistory("started completed")
			events := decode[int](t, []byte(g.value("SELECT count(*) FROM schemacast_events")))
			if got := len(g.recorder.Messages()) - events; got != c.twice {
				t.Errorf("%d deliveries beyond one an event, want %d", got, c.twice)
			}
		})
	}
}

// The claim of a dead worker is kept for others until its heartbeat is old, whatever
// task comes.
func TestFault03RefusedWhileTheClaimIsFresh(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t, llmtest.Hang())
	first := g.start(t)
	ids := g.add(shapes(1)...)
	g.enqueue(ids)
	g.asked(1)
	first.kill()
	g.start(t)
	g.want(0, "already", "enqueue", "schema", ids[0])
	g.enqueue(ids, "--queue", task.QueueBackfill)
	await(t, "the second worker was refused", func() bool {
		info, err := g.inspector().GetTaskInfo(task.QueueBackfill, "schema:analyze:"+ids[0])
		return err == nil && info.State == asynq.TaskStateRetry && info.LastErr == "another worker owns the run" && info.Retried == 0
	})
	g.wantValue("running 1", "SELECT state || ' ' || attempts FROM schemacast_runs")
	g.loseTime()
	g.prove(verdict{calls: 2, runs: "completed 2"})
	g.wantValue("lost completed", "SELECT string_agg(outcome, ' ' ORDER BY fence) FROM schemacast_attempts")
}

// Nobody loses time for it, and the settings are those of users.
func TestFault03NobodyHelps(t *testing.T) {
	slow(t, "a claim is stale after 30 s, and swept 20 s later at most")
	t.Parallel()
	g := newFaultGround(t, llmtest.Hang())
	delete(g.env, "WORKER_SWEEP_INTERVAL")
	first := g.start(t)
	g.enqueue(g.add(shapes(1)...))
	g.asked(1)
	g.start(t)
	first.kill()
	died := time.Now()
	g.awaitEnd(3 * time.Minute)
	t.Logf("completed %s after the death", time.Since(died).Round(time.Second))
	g.proveNow(verdict{calls: 2, runs: "completed 2"})
}
