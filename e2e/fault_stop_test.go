package e2e

import (
	"syscall"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

// allStates are those in which a task is there.
var allStates = []asynq.TaskState{
	asynq.TaskStatePending, asynq.TaskStateActive, asynq.TaskStateRetry, asynq.TaskStateScheduled, asynq.TaskStateArchived,
}

func TestFault07SigtermShorterThanDrain(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	release := g.hold()
	w := g.start(t)
	g.enqueue(g.add(shapes(1)...))
	g.asked(1)
	w.signal(syscall.SIGTERM)
	w.says("worker stopping")
	release()
	w.stopped(0)
	g.proveNow(verdict{calls: 1, runs: "completed 1"})
	g.wantHistory("started completed")
	if n := g.tasks(allStates...); n != 0 {
		t.Errorf("%d tasks are left", n)
	}
}

func TestFault08SigtermLongerThanDrain(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t, llmtest.Hang())
	g.env["WORKER_DRAIN_TIMEOUT"] = "100ms"
	first := g.start(t)
	ids := g.add(shapes(1)...)
	g.enqueue(ids)
	g.asked(1)
	first.stop()
	g.wantValue("requested 0", "SELECT state || ' ' || attempts FROM schemacast_runs")
	info, err := g.inspector().GetTaskInfo("schemas", "schema:analyze:"+ids[0])
	if err != nil || info.Retried != 0 {
		t.Errorf("the task is %+v, %v; it must be there, and not count as tried", info, err)
	}
	g.start(t)
	g.prove(verdict{calls: 2, runs: "completed 1"})
	g.wantHistory("started completed")
	g.wantValue("released completed", "SELECT string_agg(outcome, ' ' ORDER BY fence) FROM schemacast_attempts")
}

// A second signal does not wait: what it leaves behind is found as after a crash.
func TestFault08SecondSignalLeavesAtOnce(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t, llmtest.Hang())
	first := g.start(t)
	g.enqueue(g.add(shapes(1)...))
	g.asked(1)
	first.signal(syscall.SIGTERM)
	first.says("worker stopping")
	first.signal(syscall.SIGTERM)
	await(t, "the worker has ended", first.hasEnded)
	if first.cmd.ProcessState.Success() {
		t.Error("the worker that was cut off exited with 0")
	}
	g.loseTime()
	g.start(t)
	g.prove(verdict{calls: 2, runs: "completed 2"})
}

// stopped waits for the end of a worker that was told to stop.
func (w *worker) stopped(code int) {
	w.t.Helper()
	await(w.t, "the worker has ended", w.hasEnded)
	if got := w.cmd.ProcessState.ExitCode(); got != code {
		w.t.Errorf("the worker exited with %d, want %d", got, code)
	}
}
