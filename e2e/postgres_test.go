package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"

	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

// newGroundOn is a ground with a PostgreSQL of its own, which may be stopped.
func newGroundOn(t *testing.T, server *testenv.PostgresServer) *ground {
	t.Helper()
	g := newGround(t, testenv.Soketi(t))
	g.env["DB_URL"] = server.URL
	g.useDatabase(server.URL)
	return g
}

// reconnect is the test's own way back to a server that was restarted.
func (g *ground) reconnect(dsn string) {
	g.t.Helper()
	_ = g.db.Close(context.Background())
	db, err := pgx.Connect(g.t.Context(), dsn)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = db.Close(context.Background()) })
	g.db = db
}

// slowCommits holds the commits of completed runs inside of COMMIT until fastCommits.
func (g *ground) slowCommits(seconds float64) {
	g.t.Helper()
	g.exec(fmt.Sprintf(`
		CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(%f); RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER slow_commit AFTER UPDATE ON schemacast_runs DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW WHEN (NEW.state = 'completed') EXECUTE FUNCTION slow_commit()`, seconds))
}

func (g *ground) fastCommits() {
	g.t.Helper()
	g.exec("DROP TRIGGER slow_commit ON schemacast_runs")
}

const commitsUnderWay = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep' AND query ILIKE 'commit%'"

// wantDone wants n runs that ended once, with one call of the model each.
func (g *ground) wantDone(n int) {
	g.t.Helper()
	g.awaitValue("0", "SELECT count(*) FROM schemas WHERE type = 'input' AND ai_analysis_status <> 'completed'")
	want := fmt.Sprint(n)
	g.wantValue(want, "SELECT count(*) FROM schemacast_runs WHERE outcome = 'completed'")
	g.wantValue(want, "SELECT count(*) FROM schemacast_events WHERE kind = 'started'")
	g.wantValue(want, "SELECT count(*) FROM schemacast_events WHERE kind IN ('completed', 'failed')")
	if calls := g.llm.Count(); calls != n {
		g.t.Errorf("%d calls of the model, want %d", calls, n)
	}
}

// awaitUnready waits until /readyz says no, and why.
func (g *ground) awaitUnready(w *worker, reason string) {
	g.t.Helper()
	await(g.t, "/readyz says no because of "+reason, func() bool {
		status, body := w.readyz()
		return status == http.StatusServiceUnavailable && strings.Contains(body, reason)
	})
}

// D4 15: exactly one result, the readiness flaps, the process stays.
func TestDatabaseRestartsDuringCommit(t *testing.T) {
	t.Parallel()
	server := testenv.StartPostgres(t, testenv.PostgresConfig{})
	g := newGroundOn(t, server)
	w := g.start(t)
	g.slowCommits(60)
	g.enqueue(g.add(shapes(1)...))
	g.awaitValue("1", commitsUnderWay)
	server.Crash()
	g.awaitUnready(w, "database")
	server.Start()
	g.reconnect(server.URL)
	g.fastCommits()
	g.wantDone(1)
	await(t, "the worker is ready again", func() bool { return w.readiness() == http.StatusOK })
	w.stop()
}

// D4 17: COMMIT arrived, its reply did not.
func TestWorkerMissesTheReplyToItsCommit(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	address, err := url.Parse(g.env["DB_URL"])
	if err != nil {
		t.Fatal(err)
	}
	proxy := testenv.StartProxy(t, address.Host)
	direct := g.env["DB_URL"]
	address.Host = proxy.Addr
	g.env["DB_URL"] = address.String()
	w := g.start(t)
	g.slowCommits(1)
	ids := g.add(shapes(1)...)
	g.with(t, map[string]string{"DB_URL": direct}).enqueue(ids)
	g.awaitValue("1", commitsUnderWay)
	proxy.Cut()
	g.awaitUnready(w, "database")
	g.awaitValue("0", commitsUnderWay)
	g.wantValue("completed", "SELECT ai_analysis_status FROM schemas WHERE id = $1", ids[0])
	proxy.Restore()
	inspector := asynq.NewInspectorFromRedisClient(g.redis)
	await(t, "the task is gone", func() bool {
		_, err := inspector.GetTaskInfo(task.QueueInteractive, task.ID(decode[int64](t, []byte(ids[0]))))
		return err != nil
	})
	g.wantDone(1)
	g.wantValue("1 1", "SELECT attempts || ' ' || fence FROM schemacast_runs")
	w.stop()
}

// D4 18: without a database nobody is asked, no task is put away, and what waited is
// done when it is back.
func TestDatabaseIsDown(t *testing.T) {
	t.Parallel()
	server := testenv.StartPostgres(t, testenv.PostgresConfig{})
	g := newGroundOn(t, server)
	w := g.start(t)
	producer, err := task.NewProducer(g.redis, task.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var requests []task.Request
	for _, id := range g.add(shapes(10)...) {
		requests = append(requests, task.Request{Payload: task.Payload{SchemaID: decode[int64](t, []byte(id))}})
	}
	server.Stop()
	g.awaitUnready(w, "database")
	if _, err := producer.Enqueue(t.Context(), requests...); err != nil {
		t.Fatal(err)
	}
	inspector := asynq.NewInspectorFromRedisClient(g.redis)
	await(t, "every task waits", func() bool {
		info, err := inspector.GetQueueInfo(task.QueueInteractive)
		return err == nil && info.Retry == len(requests) && info.Archived == 0
	})
	info, err := inspector.GetTaskInfo(task.QueueInteractive, task.ID(requests[0].SchemaID))
	if err != nil || info.Retried != 0 || !strings.Contains(info.LastErr, "the database is not available") {
		t.Errorf("the task says %q after %d retries, %v; want no retry, and the reason", info.LastErr, info.Retried, err)
	}
	if calls := g.llm.Count(); calls != 0 {
		t.Errorf("%d calls of the model although nothing can be stored", calls)
	}
	server.Start()
	g.reconnect(server.URL)
	g.wantDone(len(requests))
	w.stop()
}
