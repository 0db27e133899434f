package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/task"
)

// What a producer got wrong is said where an operator looks for it, and writes
// nothing.
func TestFault34PoisonPayloads(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	id := decode[int64](t, []byte(g.insert()))
	const early = 4711
	g.put(task.QueueInteractive, task.ID(id), task.Type, fmt.Appendf(nil, `{"schema_id":%d,"tenant_id":"other","v":1}`, id))
	g.put(task.QueueInteractive, task.ID(early), task.Type, fmt.Appendf(nil, `{"schema_id":%d,"v":1}`, early))
	cases := []struct {
		id, kind, payload, want string
		state                   asynq.TaskState
	}{
		{"malformed", task.Type, `{"schema_id":`, "is not one JSON value", asynq.TaskStateArchived},
		{"binary", task.Type, "\xff\xfe", "is not valid UTF-8", asynq.TaskStateArchived},
		{"nul", task.Type, "{\"schema_id\":1\x00}", "is not one JSON value", asynq.TaskStateArchived},
		{"huge", task.Type, `{"schema_id":99999999999999999999999999,"v":1}`, "schema_id", asynq.TaskStateArchived},
		{"deep", task.Type, strings.Repeat("[", 1<<15), "", asynq.TaskStateArchived},
		{"empty", task.Type, "", "", asynq.TaskStateArchived},
		{"newer", task.Type, fmt.Sprintf(`{"schema_id":%d,"v":99}`, id), "waiting for a newer worker", asynq.TaskStateRetry},
		{"type", "schema:forget", `{}`, "waiting for a newer worker", asynq.TaskStateRetry},
		{task.ID(id), "", "", "belongs to another tenant", asynq.TaskStateArchived},
		{task.ID(early), "", "", "schema 4711 does not exist yet", asynq.TaskStateRetry},
	}
	for _, c := range cases {
		if c.kind != "" {
			g.put(task.QueueInteractive, c.id, c.kind, []byte(c.payload))
		}
	}
	g.exec("UPDATE schemas SET created_at = now() + interval '1 hour'") // nobody's to find yet
	g.put(task.QueueInteractive, "large", task.Type, []byte(`{"schema_id":1,"tenant_id":"`+strings.Repeat("x", 4<<20)+`","v":1}`))
	w := g.start(t)
	w.says("task quarantined; mend its producer\" queue=schemas task_id=large")
	for _, c := range cases {
		var info *asynq.TaskInfo
		var err error
		await(t, c.id+" is "+c.state.String(), func() bool {
			info, err = g.inspector().GetTaskInfo(task.QueueInteractive, c.id)
			return err == nil && info.State == c.state
		})
		if !strings.Contains(info.LastErr, c.want) || len(info.LastErr) > 1<<10 {
			t.Errorf("%s: %.2000q, want %q in it, and 1 KiB at most", c.id, info.LastErr, c.want)
		}
	}
	g.wantValue("pending", "SELECT ai_analysis_status FROM schemas")
	g.wantValue("0", "SELECT (SELECT count(*) FROM schemacast_runs) + (SELECT count(*) FROM schemacast_events)")
	if w.hasEnded() {
		t.Fatal("the worker ended")
	}
	// The transaction of a producer that was early becomes visible, and the others go on.
	g.exec("INSERT INTO schemas (id, created_at, hash, tenant_id, sample_data, detected_fields) VALUES ($1, now(), 'early', $2, '{}', $3::text::jsonb)", early, g.tenant, shapes(1)[0])
	g.awaitValue("completed", "SELECT ai_analysis_status FROM schemas WHERE id = $1", early)
}

func TestFault35Panics(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, point, runs string
		calls             int
	}{
		{"in the analysis", "run.analysing:1=panic", "completed 2", 1},
		{"before the claim", "run.dequeued:1=panic", "completed 1", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newFaultGround(t)
			w := g.start(t)
			w.arm(c.point)
			g.enqueue(g.add(shapes(1)...))
			g.hurry("the run is completed", func() bool {
				return g.value("SELECT count(*) FROM schemacast_runs WHERE state = 'completed'") == "1"
			})
			g.prove(verdict{calls: c.calls, runs: c.runs})
			w.says("level=ERROR msg=panic")
			if w.hasEnded() {
				t.Error("the process died of it")
			}
		})
	}
	t.Run("in a child goroutine", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		release := g.hold()
		w := g.start(t)
		w.arm("run.beating=panic")
		g.enqueue(g.add(shapes(1)...))
		w.reached("run.beating", 2) // it beats again after the first one
		w.arm()
		release()
		g.prove(verdict{calls: 1, runs: "completed 1"})
		if w.hasEnded() {
			t.Error("the process died of it")
		}
	})
}

// A schema that kills every worker, as one that needs more memory than there is.
func TestFault35Poison(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	ids := g.add(shapes(2)...)
	g.enqueue(ids[:1])
	for range 3 {
		g.spawn(t, "SCHEMACAST_FAILPOINTS=run.analysing=kill").died() // it may not live until it is ready
		g.loseTime()
	}
	g.start(t)
	g.enqueue(ids[1:])
	g.prove(verdict{calls: 1})
	g.wantValue("poison 4, completed 1", "SELECT string_agg(coalesce(nullif(error_code, ''), outcome) || ' ' || attempts, ', ' ORDER BY schema_id) FROM schemacast_runs")
}

// No local state is needed: the log can not be written, and neither can any file.
func TestFault37DiskFull(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("/dev/full is not there, which fails every write")
	}
	t.Cleanup(func() { _ = full.Close() })
	g := newFaultGround(t)
	cmd := g.command("worker")
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/proc", full, full
	cmd.Env = append(cmd.Env, "TMPDIR=/proc", "HOME=/proc", "LOG_LEVEL=debug")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(cmd) })
	g.enqueue(g.add(shapes(20)...))
	g.prove(verdict{calls: 20})
}

func end(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// Somebody with Asynqmon.
func TestFault38Operator(t *testing.T) {
	t.Parallel()
	t.Run("pauses the queue", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		w := g.start(t)
		w.says("worker started")
		if err := g.inspector().PauseQueue(task.QueueInteractive); err != nil {
			t.Fatal(err)
		}
		g.enqueue(g.add(shapes(3)...))
		g.loseTime()
		if err := g.inspector().UnpauseQueue(task.QueueInteractive); err != nil {
			t.Fatal(err)
		}
		g.prove(verdict{calls: 3, runs: "completed 1, completed 1, completed 1"})
	})
	t.Run("deletes a task that waits", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		ids := g.add(shapes(1)...)
		g.enqueue(ids)
		if err := g.inspector().DeleteTask(task.QueueInteractive, "schema:analyze:"+ids[0]); err != nil {
			t.Fatal(err)
		}
		g.loseTime()
		g.start(t)
		g.prove(verdict{calls: 1, runs: "completed 1"})
	})
	t.Run("archives a task that waits", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		ids := g.add(shapes(1)...)
		g.enqueue(ids)
		g.loseTime()
		if err := g.inspector().ArchiveTask(task.QueueInteractive, "schema:analyze:"+ids[0]); err != nil {
			t.Fatal(err)
		}
		g.start(t)
		g.prove(verdict{calls: 0, runs: "task_archived 0"})
		// Asked again, it is analysed.
		g.enqueue(ids)
		g.prove(verdict{calls: 1})
		g.wantValue("completed", "SELECT ai_analysis_status FROM schemas WHERE type = 'input'")
	})
	t.Run("cancels and deletes a task that is worked on", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		release := g.hold()
		g.start(t)
		ids := g.add(shapes(1)...)
		g.enqueue(ids)
		g.asked(1)
		if err := g.inspector().CancelProcessing("schema:analyze:" + ids[0]); err != nil {
			t.Fatal(err)
		}
		release()
		g.prove(verdict{calls: 1, runs: "completed 1"})
		g.hurry("no task is left", func() bool { return g.tasks(allStates...) == 0 })
		g.proveNow(verdict{calls: 1, runs: "completed 1"})
	})
	t.Run("runs what waits for its next try", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t, llmtest.ServerError(), llmtest.ServerError(), llmtest.ServerError())
		g.start(t)
		g.enqueue(g.add(shapes(1)...))
		g.hurry("the run is completed", func() bool {
			return g.value("SELECT count(*) FROM schemacast_runs WHERE state = 'completed'") == "1"
		})
		g.prove(verdict{calls: -1})
	})
}
