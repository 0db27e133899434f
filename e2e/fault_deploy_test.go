package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

// A producer of the next version is there before its workers: what it sends waits, and
// the row is worked on all the same, since the row is the wish.
func TestFault41NewerProducer(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	g.start(t)
	ids := g.add(shapes(1)...)
	g.put(task.QueueInteractive, task.ID(decode[int64](t, []byte(ids[0]))), task.Type, fmt.Appendf(nil, `{"schema_id":%s,"v":2,"more":true}`, ids[0]))
	await(t, "the task waits for a newer worker", func() bool {
		info, err := g.inspector().GetTaskInfo(task.QueueInteractive, "schema:analyze:"+ids[0])
		return err == nil && info.State == asynq.TaskStateRetry && strings.Contains(info.LastErr, "newer worker")
	})
	g.wantValue("0", "SELECT count(*) FROM schemacast_runs")
	// Somebody asks in the old way; the task of the new one stays for a newer worker.
	g.enqueue(ids, "--queue", task.QueueBackfill)
	g.prove(verdict{calls: 1, runs: "completed 1"})
	info, err := g.inspector().GetTaskInfo(task.QueueInteractive, "schema:analyze:"+ids[0])
	if err != nil || info.State != asynq.TaskStateRetry {
		t.Errorf("the newer task is %+v, %v", info, err)
	}
}

// Workers of this version on the tables of the next one.
func TestFault41NewerTables(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	g.exec(`ALTER TABLE schemacast_runs ADD COLUMN newer text NOT NULL DEFAULT '';
		ALTER TABLE schemacast_events ADD COLUMN newer text NOT NULL DEFAULT '';
		CREATE TABLE schemacast_newer (id bigint);
		UPDATE schemacast_meta SET value = (value::int + 1)::text WHERE key = 'schema_version'`)
	g.start(t)
	g.enqueue(g.add(shapes(3)...))
	g.prove(verdict{calls: 3, runs: "completed 1, completed 1, completed 1"})
}

// Old and new workers at the same time; the old one leaves in the middle.
func TestFault41WorkersAreReplaced(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	g.env["WORKER_CONCURRENCY"] = "2"
	old := g.start(t)
	const n = 60
	g.enqueue(g.add(shapes(n)...))
	g.asked(1)
	g.start(t)
	old.stop()
	g.prove(verdict{calls: n})
	g.wantValue("60", "SELECT sum(attempts) FROM schemacast_runs WHERE outcome = 'completed'")
}

// The failover forgets what the replica did not have yet: enqueues that were accepted,
// and acknowledgements.
func TestFault12SentinelFailover(t *testing.T) {
	t.Parallel()
	sentinels := testenv.StartSentinels(t)
	g := newFaultGround(t)
	delete(g.env, "REDIS_URL")
	g.env["REDIS_SENTINEL_ADDRS"], g.env["REDIS_SENTINEL_MASTER"] = strings.Join(sentinels.Addrs, ","), testenv.SentinelMaster
	g.useRedis(sentinels.Master())
	g.env["WORKER_CONCURRENCY"] = "4"
	release := g.hold()
	w := g.start(t)
	const n = 40
	ids := g.add(shapes(n)...)
	g.enqueue(ids[:10])
	g.asked(1)
	g.enqueue(ids[10:])
	sentinels.Servers[0].Stop() // without a word
	release()
	sentinels.AwaitMasterOtherThan(sentinels.Servers[0].Addr)
	g.useRedis(sentinels.Master())
	// The last writes were lost with the old master.
	if err := g.redis.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	g.exec("UPDATE schemacast_runs SET requested_ms = requested_ms - 60000 WHERE state = 'requested'")
	g.awaitEnd(2 * patience)
	g.proveNow(verdict{calls: n})
	g.wantValue("40", "SELECT sum(attempts) FROM schemacast_runs WHERE outcome = 'completed'")
	if w.hasEnded() {
		t.Error("the worker ended")
	}
}
