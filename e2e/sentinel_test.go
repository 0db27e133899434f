package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

// watched is a ground whose Redis is behind sentinels.
type watched struct {
	*ground
	sentinels *testenv.Sentinels
}

func newWatched(t *testing.T, script ...llmtest.Step) *watched {
	t.Helper()
	w := &watched{ground: newGround(t, testenv.Soketi(t), script...), sentinels: testenv.StartSentinels(t)}
	w.env["REDIS_URL"] = ""
	w.env["REDIS_SENTINEL_ADDRS"], w.env["REDIS_SENTINEL_MASTER"] = strings.Join(w.sentinels.Addrs, ","), testenv.SentinelMaster
	return w
}

// at is a client of one of the two servers.
func (w *watched) at(addr string) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: addr})
	w.t.Cleanup(func() { _ = client.Close() })
	return client
}

// cutReplica ends the replication: what the master takes from now on is lost in a
// failover, as its last second always is.
func (w *watched) cutReplica() {
	w.t.Helper()
	ctx := w.t.Context()
	replica, master := w.at(w.sentinels.Servers[1].Addr), w.at(w.sentinels.Servers[0].Addr)
	// The master has no password, so it refuses a replica that shows one.
	if err := replica.ConfigSet(ctx, "masterauth", "wrong").Err(); err != nil {
		w.t.Fatal(err)
	}
	if err := master.Do(ctx, "CLIENT", "KILL", "TYPE", "replica").Err(); err != nil {
		w.t.Fatal(err)
	}
	await(w.t, "the replica has lost its master", func() bool {
		info, err := replica.Info(ctx, "replication").Result()
		return err == nil && strings.Contains(info, "master_link_status:down")
	})
}

// restoreReplica lets the old master follow the new one.
func (w *watched) restoreReplica() {
	w.t.Helper()
	for _, s := range w.sentinels.Servers {
		if err := w.at(s.Addr).ConfigSet(w.t.Context(), "masterauth", "").Err(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// pending is how many tasks wait at one of the two servers, as they began.
func (w *watched) pending(server int) int64 {
	w.t.Helper()
	n, err := w.at(w.sentinels.Servers[server].Addr).LLen(w.t.Context(), "asynq:{"+task.QueueInteractive+"}:pending").Result()
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// insertShape adds one row under a hash of its own.
func (g *ground) insertShape(hash, fields string) string {
	g.t.Helper()
	return g.value("INSERT INTO schemas (created_at, hash, tenant_id, sample_data, detected_fields) VALUES (now(), $1, $2, '{}', $3::text::jsonb) RETURNING id",
		g.tenant+hash, g.tenant, fields)
}

func (w *watched) awaitCompleted(want string) {
	w.t.Helper()
	w.awaitValue(want, "SELECT count(*) FROM schemas WHERE type = 'input' AND ai_analysis_status = 'completed'")
}

// D4 12, by order of an operator: what the old master had not handed over is lost; the
// rows are the truth.
func TestFailoverThatLosesTasks(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.env["WORKER_CONCURRENCY"], w.env["WORKER_SWEEP_INTERVAL"] = "1", "1s"
	release := w.hold()
	process := w.start(t)
	list := shapes(6)
	w.enqueue(w.add(list[0]))
	w.asked(1) // it holds the only slot
	w.cutReplica()
	var late []string
	for i, shape := range list[1:] {
		late = append(late, w.insertShape(fmt.Sprintf("late-%d", i), shape))
	}
	w.enqueue(late)
	if master, replica := w.pending(0), w.pending(1); master != 5 || replica != 0 {
		t.Fatalf("%d tasks wait at the master and %d at the replica: nothing will be lost, so nothing is tested", master, replica)
	}
	w.sentinels.Failover()
	w.restoreReplica()
	release()
	w.awaitCompleted("6")
	w.wantOnce(6)
	w.wantQuiet(process)
}

// D4 12, by a crash: until the sentinels have agreed there is no master at all.
func TestMasterDies(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.env["WORKER_SWEEP_INTERVAL"], w.ahead = "1s", "1 hour"
	release := w.hold()
	process := w.start(t)
	ids := w.add(shapes(3)...)
	w.enqueue(ids[:1])
	w.asked(1)
	before := w.sentinels.Master()
	w.sentinels.Servers[0].Stop()
	release() // commits, and finds nobody to acknowledge to
	w.awaitCompleted("1")
	w.sentinels.AwaitMasterOtherThan(before)
	w.enqueue(ids[1:], "--wait")
	w.awaitCompleted("3")
	w.wantOnce(3)
	w.wantQuiet(process)
}

// wantOnce wants every run to have ended once, with one call of the model.
func (w *watched) wantOnce(n int) {
	w.t.Helper()
	w.awaitValue("0", "SELECT count(*) FROM schemacast_runs WHERE state <> 'completed'")
	for _, c := range []struct{ what, sql string }{
		{"runs", "SELECT count(*) FROM schemacast_runs"},
		{"started events", "SELECT count(*) FROM schemacast_events WHERE kind = 'started'"},
		{"terminal events", "SELECT count(*) FROM schemacast_events WHERE kind IN ('completed', 'failed')"},
	} {
		if got := decode[int](w.t, []byte(w.value(c.sql))); got != n {
			w.t.Errorf("%d %s, want %d", got, c.what, n)
		}
	}
	if got := w.llm.Count(); got != n {
		w.t.Errorf("%d calls of the model, want %d", got, n)
	}
}

// wantQuiet wants the worker to work with the new master as if nothing had been: ready,
// and without a word of replicas from now on.
func (w *watched) wantQuiet(process *worker) {
	w.t.Helper()
	await(w.t, "the worker is ready again", func() bool { return process.readiness() == http.StatusOK })
	noted := len(process.log.String())
	w.enqueue([]string{w.insertShape("extra", shapes(1)[0])}, "--wait")
	if since := process.log.String()[noted:]; strings.Contains(since, "READONLY") {
		w.t.Errorf("the worker still writes to a replica:\n%s", since)
	}
	process.stop()
}

// readiness is the status of /readyz, 0 when there is no answer.
func (w *worker) readiness() int {
	status, _ := w.readyz()
	return status
}

// readyz asks the worker whether it is ready, and for its reasons.
func (w *worker) readyz() (status int, body string) {
	response, err := http.Get(w.health + "/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}
