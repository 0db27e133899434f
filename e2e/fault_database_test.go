package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/testenv"
)

func TestFault15PostgresRestartsDuringCommit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(*testenv.PostgresServer)
	}{
		{"restart", (*testenv.PostgresServer).Stop},
		{"crash", (*testenv.PostgresServer).Crash},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newFaultGround(t)
			// Durable, since what is proven is what a crash leaves.
			server := testenv.StartPostgres(t, testenv.PostgresConfig{Settings: []string{"fsync=on", "synchronous_commit=on"}})
			g.env["DB_URL"] = server.URL
			g.useDatabase(server.URL)
			w := g.start(t)
			w.arm("store.before-commit=hang")
			g.enqueue(g.add(shapes(1)...))
			w.reached("store.before-commit", 1)
			c.end(server)
			await(t, "the worker says that it is not ready", func() bool { status, _ := w.ready(); return status == http.StatusServiceUnavailable })
			w.arm()
			server.Start()
			g.reconnect()
			g.prove(verdict{calls: 1})
			g.wantHistory("started completed")
			await(t, "the worker is ready again", func() bool { status, _ := w.ready(); return status == http.StatusOK })
			if w.hasEnded() {
				t.Error("the worker had to be started again")
			}
		})
	}
}

// reconnect replaces the ground's own connection, which went with its server.
func (g *faultGround) reconnect() {
	g.t.Helper()
	await(g.t, "PostgreSQL takes connections", func() bool {
		conn, err := pgx.ConnectConfig(g.t.Context(), g.db.Config())
		if err == nil {
			g.db = conn
		}
		return err == nil
	})
}

// A trigger loses the transaction three times, as others who lock the same rows do. The
// counter is a sequence: it does not roll back.
func TestFault16TransactionsThatLose(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]string{"serialization failure": "40001", "deadlock": "40P01"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newFaultGround(t)
			g.exec(`CREATE SEQUENCE losses;
				CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
					IF NEW.kind = 'completed' AND nextval('losses') <= 3 THEN RAISE EXCEPTION 'lost' USING ERRCODE = '` + state + `'; END IF;
					RETURN NEW; END $$;
				CREATE TRIGGER lose BEFORE INSERT ON schemacast_events FOR EACH ROW EXECUTE FUNCTION lose()`)
			g.start(t)
			g.enqueue(g.add(shapes(1)...))
			g.prove(verdict{calls: 1, runs: "completed 1"})
			g.wantValue("4", "SELECT last_value FROM losses")
			g.wantHistory("started completed")
		})
	}
}

// Really two transactions that lock each other: one of the app's, which locks rows in
// its own order, and ours.
func TestFault16DeadlockWithTheApp(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	w := g.start(t)
	ids := g.add(shapes(1)...)
	w.arm("store.before-commit=hang")
	g.enqueue(ids)
	w.reached("store.before-commit", 1)
	app := g.connect()
	ended := make(chan error, 1)
	go func() {
		// The run's row is ours by now, and the app's own comes first here.
		_, err := app.Exec(t.Context(), "BEGIN; LOCK TABLE schema_mappings IN ACCESS SHARE MODE; UPDATE schemas SET kafka_topic = 'x' WHERE id = "+ids[0]+"; COMMIT")
		ended <- err
	}()
	g.awaitValue("1", "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
	w.arm()
	g.prove(verdict{calls: 1, runs: "completed 1"})
	if err := <-ended; err != nil {
		t.Errorf("the app's transaction: %v", err)
	}
	g.wantValue("x", "SELECT kafka_topic FROM schemas WHERE id = $1", ids[0])
}

// The COMMIT arrives, its answer does not.
func TestFault17CommitReplyLost(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	proxy := g.throughDatabaseProxy()
	w := g.start(t)
	w.arm("store.before-commit:1=pause")
	g.enqueue(g.add(shapes(1)...))
	w.reached("store.before-commit", 1)
	proxy.Truncate(0)
	w.resume()
	g.awaitValue("completed", "SELECT state FROM schemacast_runs")
	before := g.value(versions)
	proxy.Restore()
	await(t, "the task is acknowledged", func() bool { return g.tasks(allStates...) == 0 })
	g.prove(verdict{calls: 1, runs: "completed 1"})
	g.wantHistory("started completed")
	if after := g.value(versions); after != before {
		t.Errorf("the commit was repeated: before %s\nafter %s", before, after)
	}
}

// Nothing is asked, and paid, that could not be stored.
func TestFault18DatabaseDown(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	proxy := g.throughDatabaseProxy()
	w := g.start(t)
	ids := g.add(shapes(10)...)
	proxy.Cut()
	for _, id := range ids {
		g.put("schemas", "schema:analyze:"+id, "schema:analyze", []byte(`{"schema_id":`+id+`,"v":1}`))
	}
	await(t, "every task was tried and waits", func() bool { return g.tasks(asynq.TaskStateRetry) == len(ids) })
	w.says("claims find no database")
	await(t, "the worker says that it is not ready", func() bool { status, _ := w.ready(); return status == http.StatusServiceUnavailable })
	if n := g.llm.Count(); n != 0 {
		t.Errorf("%d calls of the model while the database was down", n)
	}
	proxy.Restore()
	g.hurry("all are completed", func() bool {
		return g.value("SELECT count(*) FROM schemacast_runs WHERE state = 'completed'") == "10"
	})
	g.prove(verdict{calls: 10})
	g.wantValue("10", "SELECT sum(attempts) FROM schemacast_runs")
	if n := g.tasks(asynq.TaskStateArchived); n != 0 {
		t.Errorf("%d tasks were archived", n)
	}
}

// The database answers, but every connection of the pool waits for a lock.
func TestFault18PoolExhausted(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	w := g.start(t)
	ids := g.add(shapes(20)...)
	locker := g.connect()
	if _, err := locker.Exec(t.Context(), "BEGIN; LOCK TABLE schemacast_runs IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		g.put("schemas", "schema:analyze:"+id, "schema:analyze", []byte(`{"schema_id":`+id+`,"v":1}`))
	}
	w.says("claims find no database")
	if n := g.llm.Count(); n != 0 {
		t.Errorf("%d calls of the model while nothing could be claimed", n)
	}
	if _, err := locker.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	g.hurry("all are completed", func() bool {
		return g.value("SELECT count(*) FROM schemacast_runs WHERE state = 'completed'") == "20"
	})
	g.prove(verdict{calls: 20})
	g.wantValue("20", "SELECT sum(attempts) FROM schemacast_runs")
}

func TestFault15ConnectionsAreTerminated(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
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
	g.prove(verdict{calls: 20})
	g.wantValue("20", "SELECT count(*) FROM schemacast_runs WHERE outcome = 'completed'")
}
