package e2e

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

// The task of a dead worker stays active and blocks its id for up to two minutes, so
// asking again changes nothing; the other queue has ids of its own. There the run is
// refused until the claim is stale.
func TestKilledWhileTheModelThinks(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t), llmtest.Hang())
	first := g.start(t)
	ids := g.add(shapes(1)...)
	g.enqueue(ids)
	g.asked(1)
	first.kill()
	g.start(t)
	g.want(0, "already", "enqueue", "schema", ids[0])
	g.enqueue(ids, "--queue", task.QueueBackfill)
	inspector := asynq.NewInspectorFromRedisClient(g.redis)
	await(t, "the second worker was refused", func() bool {
		info, err := inspector.GetTaskInfo(task.QueueBackfill, "schema:analyze:"+ids[0])
		return err == nil && info.State == asynq.TaskStateRetry && info.LastErr == "another worker owns the run" && info.Retried == 0
	})
	g.wantValue("running 1", "SELECT state || ' ' || attempts FROM schemacast_runs")
	g.makeStale()
	g.awaitValue("completed 2", "SELECT state || ' ' || attempts FROM schemacast_runs")
	g.wantValue("lost completed", "SELECT string_agg(outcome, ' ' ORDER BY fence) FROM schemacast_attempts")
	g.wantHistory("started completed")
	if n := g.llm.Count(); n != 2 {
		t.Errorf("%d calls of the model, want 2: the one that died and its repetition", n)
	}
}

// Nobody helps: asynq gives the task back when its lease is long over.
func TestKilledWorkerIsReplacedByItself(t *testing.T) {
	if os.Getenv("SCHEMACAST_TEST_SLOW") == "" {
		t.Skip("SCHEMACAST_TEST_SLOW is not set: asynq takes a minute or two to give a dead worker's task back")
	}
	t.Parallel()
	g := newGround(t, testenv.Soketi(t), llmtest.Hang())
	first := g.start(t)
	g.enqueue(g.add(shapes(1)...))
	g.asked(1)
	first.kill()
	died := time.Now()
	g.start(t)
	awaitFor(t, 3*time.Minute, "the run is completed", func() bool { return g.value("SELECT state FROM schemacast_runs") == "completed" })
	t.Logf("completed %s after the death", time.Since(died).Round(time.Second))
	g.wantHistory("started completed")
}

// The answer is paid and saved; what is killed is the worker whose commit waits for
// the row.
func TestKilledBetweenAnswerAndCommit(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	release := g.hold()
	first := g.start(t)
	ids := g.add(shapes(1)...)
	g.enqueue(ids)
	g.asked(1)
	unlock := g.lockRow(ids[0])
	release()
	g.awaitValue("1", "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
	g.wantValue("1", "SELECT count(*) FROM schemacast_runs WHERE checkpoint IS NOT NULL")
	first.kill()
	unlock()
	g.wantValue("processing", "SELECT ai_analysis_status FROM schemas WHERE id = $1", ids[0])
	g.exec("DELETE FROM schemacast_answers") // not the cache is tested
	g.makeStale()
	g.start(t)
	g.enqueue(ids, "--queue", task.QueueBackfill, "--wait")
	g.wantValue("completed 2 1", "SELECT state || ' ' || attempts || ' ' || calls FROM schemacast_runs")
	g.wantHistory("started completed")
	if n := g.llm.Count(); n != 1 {
		t.Errorf("%d calls of the model, want 1", n)
	}
}

func TestTwoWorkersShareABacklog(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	g.env["WORKER_CONCURRENCY"] = "4"
	g.llm.Otherwise(llmtest.Delayed(50*time.Millisecond, llmtest.Good()))
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: g.soketi, Tenant: g.tenant})
	ids := g.add(shapes(40)...)
	g.start(t)
	g.start(t)
	g.enqueue(ids, "--wait")
	g.wantValue("2", "SELECT count(DISTINCT owner) FROM schemacast_attempts")
	g.wantValue("40 40", "SELECT count(*) || ' ' || sum(attempts) FROM schemacast_runs WHERE outcome = 'completed'")
	g.wantValue("4", "SELECT count(*) FROM schemas WHERE type = 'struct'")
	want := map[string]string{}
	for _, id := range ids {
		want[id] = "started completed"
	}
	if diff := cmp.Diff(want, g.told(receiver)); diff != "" {
		t.Errorf("events of each schema (-want +got):\n%s", diff)
	}
}

func TestDatabaseConnectionsAreCutDuringRuns(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	g.env["WORKER_CONCURRENCY"] = "4"
	g.llm.Otherwise(llmtest.Delayed(100*time.Millisecond, llmtest.Good()))
	g.start(t)
	g.enqueue(g.add(shapes(20)...))
	g.asked(1)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for range 40 {
		<-ticker.C
		g.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	}
	g.awaitValue("0", "SELECT count(*) FROM schemas WHERE type = 'input' AND ai_analysis_status <> 'completed'")
	g.wantValue("20", "SELECT count(*) FROM schemacast_runs WHERE outcome = 'completed'")
	g.wantValue("20 20", "SELECT count(*) FILTER (WHERE kind = 'started') || ' ' || count(*) FILTER (WHERE kind IN ('completed', 'failed')) FROM schemacast_events")
	g.wantValue("4", "SELECT count(*) FROM schemas WHERE type = 'struct'")
	g.awaitValue("0", "SELECT count(*) FROM schemacast_streams WHERE sent_seq < last_seq")
	if n := g.llm.Count(); n != 20 {
		t.Errorf("%d calls of the model for 20 schemas", n)
	}
}

// What a producer got wrong is said where an operator looks for it, and writes
// nothing.
func TestTasksThatCanNotBeWorkedOn(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	id := decode[int64](t, []byte(g.insert()))
	const early = 4711
	producer, err := task.NewProducer(g.redis, task.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = producer.Enqueue(t.Context(),
		task.Request{Payload: task.Payload{SchemaID: id, TenantID: "other"}}, task.Request{Payload: task.Payload{SchemaID: early}})
	if err != nil {
		t.Fatal(err)
	}
	client := asynq.NewClientFromRedisClient(g.redis)
	put := func(name, kind, payload string) {
		t.Helper()
		_, err := client.EnqueueContext(t.Context(), asynq.NewTask(kind, []byte(payload)), asynq.Queue(task.QueueInteractive), asynq.TaskID(name))
		if err != nil {
			t.Fatal(err)
		}
	}
	put("malformed", task.Type, `{"schema_id":`)
	put("binary", task.Type, "\xff\xfe")
	put("newer", task.Type, fmt.Sprintf(`{"schema_id":%d,"v":2}`, id))
	put("type", "schema:forget", `{}`)
	g.start(t)
	inspector := asynq.NewInspectorFromRedisClient(g.redis)
	for _, c := range []struct {
		id, want string
		state    asynq.TaskState
	}{
		{task.ID(id), "belongs to another tenant", asynq.TaskStateArchived},
		{task.ID(early), "schema 4711 does not exist yet", asynq.TaskStateRetry},
		{"malformed", "is not one JSON value", asynq.TaskStateArchived},
		{"binary", "is not valid UTF-8", asynq.TaskStateArchived},
		{"newer", "waiting for a newer worker", asynq.TaskStateRetry},
		{"type", "waiting for a newer worker", asynq.TaskStateRetry},
	} {
		var info *asynq.TaskInfo
		await(t, c.id+" is "+c.state.String(), func() bool {
			info, err = inspector.GetTaskInfo(task.QueueInteractive, c.id)
			return err == nil && info.State == c.state
		})
		if !strings.Contains(info.LastErr, c.want) {
			t.Errorf("%s: %q, want %q in it", c.id, info.LastErr, c.want)
		}
	}
	g.wantValue("pending", "SELECT ai_analysis_status FROM schemas")
	g.wantValue("0", "SELECT (SELECT count(*) FROM schemacast_runs) + (SELECT count(*) FROM schemacast_events)")
	// The transaction of a producer that was early becomes visible.
	g.exec("INSERT INTO schemas (id, created_at, hash, tenant_id, sample_data, detected_fields) VALUES ($1, now(), 'early', $2, '{}', $3::text::jsonb)", early, g.tenant, shapes(1)[0])
	g.awaitValue("completed", "SELECT ai_analysis_status FROM schemas WHERE id = $1", early)
}

func TestFieldsChangeWhileTheModelThinks(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	release := g.hold()
	g.start(t)
	list := shapes(2)
	ids := g.add(list[0])
	g.enqueue(ids)
	g.asked(1)
	g.exec("UPDATE schemas SET detected_fields = $1::text::jsonb WHERE id = $2", list[1], ids[0])
	release()
	g.awaitValue("completed 1 1", "SELECT outcome || ' ' || attempts || ' ' || restarts FROM schemacast_runs")
	g.wantValue("extra_1 invoice_code invoice_id invoice_owner", "SELECT string_agg(field_path, ' ' ORDER BY field_path) FROM schema_mappings")
	g.wantHistory("started completed")
	g.wantValue("1", "SELECT count(*) FROM schemacast_events WHERE payload::json -> 'progress' ->> 'stage' = 'restart'")
}

func TestHumanConfirmsWhileTheModelThinks(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	release := g.hold()
	g.start(t)
	ids := g.add(shapes(1)...)
	g.enqueue(ids)
	g.asked(1)
	g.exec("UPDATE schemas SET status = 'confirmed', name = 'Ours' WHERE id = $1", ids[0])
	release()
	g.awaitValue("completed kept_human", "SELECT state || ' ' || outcome FROM schemacast_runs")
	g.wantValue("confirmed completed Ours", "SELECT status || ' ' || ai_analysis_status || ' ' || name FROM schemas WHERE ai_recommendations IS NOT NULL")
	g.wantValue("0", "SELECT count(*) FROM schema_mappings")
	g.wantHistory("started completed")
}

// The rows are the truth: what Redis forgot is asked for again, and what runs ends.
func TestRedisComesBackEmpty(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	g.env["WORKER_CONCURRENCY"] = "1"
	release := g.hold()
	g.start(t)
	ids := g.add(shapes(3)...)
	g.enqueue(ids[:1])
	g.asked(1)
	g.enqueue(ids[1:])
	g.server.Stop()
	g.server.Start()
	release()
	g.awaitValue("completed", "SELECT state FROM schemacast_runs WHERE schema_id = $1", ids[0])
	g.wantValue("2", "SELECT count(*) FROM schemacast_runs WHERE state = 'requested' AND attempts = 0")
	g.enqueue(ids[1:], "--wait")
	g.wantValue("3 3", "SELECT count(*) || ' ' || sum(attempts) FROM schemacast_runs WHERE outcome = 'completed'")
	g.wantValue("6", "SELECT count(*) FROM schemacast_events WHERE kind IN ('started', 'completed')")
}

func TestChannelsThatNeedAuthorisation(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	for _, mode := range []testenv.ChannelMode{testenv.Private, testenv.Encrypted} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			g := newGround(t, testenv.Soketi(t))
			g.env["BROADCAST_CHANNEL"] = string(mode)
			config := testenv.ReceiverConfig{App: g.soketi, Tenant: g.tenant, Mode: mode}
			if mode == testenv.Encrypted {
				g.env["BROADCAST_ENCRYPTION_KEY"], config.MasterKey = key, key
			}
			receiver := testenv.StartReceiver(t, config)
			g.start(t)
			ids := g.add(shapes(1)...)
			g.enqueue(ids, "--wait")
			if diff := cmp.Diff(map[string]string{ids[0]: "started completed"}, g.told(receiver)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}
