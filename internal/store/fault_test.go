package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/testenv"
)

// What PostgreSQL does to transactions: the numbers are those of the scenarios in
// the list of faults (D4).

// faulty is a ground whose PostgreSQL is reached through a proxy, beside a second way
// in that stays whole.
type faulty struct {
	*ground
	proxy  *testenv.Proxy
	direct *pgx.Conn
}

func newFaulty(t *testing.T, change func(*Config)) *faulty {
	t.Helper()
	dsn := testenv.Postgres(t)
	newGround(t, Config{Dialect: Postgres, DSN: dsn})
	direct := connect(t, dsn)
	address, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	proxy := testenv.StartProxy(t, address.Host)
	address.Host = proxy.Addr
	cfg := Config{Dialect: Postgres, DSN: address.String()}
	if change != nil {
		change(&cfg)
	}
	g := &ground{Store: openStore(t, cfg), t: t, tenant: "a0000001-5eed-4000-8000-000000000002"}
	return &faulty{ground: g, proxy: proxy, direct: direct}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// do runs statements past the proxy.
func (f *faulty) do(sql string) {
	f.t.Helper()
	if _, err := f.direct.Exec(f.t.Context(), sql); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
}

// awaitDirect polls past the proxy until a condition holds.
func (f *faulty) awaitDirect(condition string) {
	f.t.Helper()
	deadline := time.After(20 * time.Second)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		var holds bool
		if err := f.direct.QueryRow(f.t.Context(), "SELECT "+condition).Scan(&holds); err != nil {
			f.t.Fatalf("%s: %v", condition, err)
		}
		if holds {
			return
		}
		select {
		case <-deadline:
			f.t.Fatalf("%s does not become true", condition)
		case <-ticker.C:
		}
	}
}

// wantOnce wants one result set and one completed event of a schema, past the proxy.
func (f *faulty) wantOnce(id int64) {
	f.t.Helper()
	for sql, want := range map[string]string{
		"SELECT string_agg(kind, ' ' ORDER BY seq) FROM schemacast_events WHERE schema_id = $1":                                         "started completed",
		"SELECT string_agg(state || ' ' || attempts || ' ' || fence, ', ') FROM schemacast_runs WHERE schema_id = $1":                   "completed 1 1",
		"SELECT string_agg(outcome, ' ') FROM schemacast_attempts WHERE run_id = (SELECT id FROM schemacast_runs WHERE schema_id = $1)": "completed",
		"SELECT count(*)::text FROM schema_mappings WHERE schema_id = $1":                                                               "2",
		"SELECT count(*)::text FROM schemas WHERE type = 'struct' AND $1 > 0":                                                           "1",
	} {
		var got string
		if err := f.direct.QueryRow(f.t.Context(), sql, id).Scan(&got); err != nil {
			f.t.Fatalf("%s: %v", sql, err)
		}
		if got != want {
			f.t.Errorf("%s = %q, want %q", sql, got, want)
		}
	}
}

// failCommits lets the next n updates of a run to completed fail with an SQLSTATE. A
// sequence counts, since it is the one thing that no rollback takes back.
func (f *faulty) failCommits(n int, code string) {
	f.t.Helper()
	f.do(fmt.Sprintf(`
		CREATE SEQUENCE failed_commits;
		CREATE FUNCTION fail_commit() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF nextval('failed_commits') <= %d THEN RAISE EXCEPTION 'injected' USING ERRCODE = '%s'; END IF;
			RETURN NULL;
		END $$;
		CREATE CONSTRAINT TRIGGER fail_commit AFTER UPDATE ON schemacast_runs DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW WHEN (NEW.state = 'completed') EXECUTE FUNCTION fail_commit()`, n, code))
}

// slowCommits holds the commit of a completed run inside of COMMIT.
func (f *faulty) slowCommits(d time.Duration) {
	f.t.Helper()
	f.do(fmt.Sprintf(`
		CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(%f); RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER slow_commit AFTER UPDATE ON schemacast_runs DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW WHEN (NEW.state = 'completed') EXECUTE FUNCTION slow_commit()`, d.Seconds()))
}

// inCommit is true while a COMMIT is under way.
const inCommit = "EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep' AND query ILIKE 'commit%')"

// 16: a transaction that lost against another one is tried again in place: no attempt
// is used, nobody is asked again.
func TestConflictsAreRepeated(t *testing.T) {
	t.Parallel()
	for code, name := range map[string]string{pgSerialization: "serialization failure", pgDeadlock: "deadlock", pgLockNotAvailable: "lock not available"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFaulty(t, nil)
			f.failCommits(3, code)
			id := f.insertCustomer()
			f.wantState(f.commit(f.claim(id, "a"), createCustomer()), run.OutcomeCompleted)
			f.wantOnce(id)
			f.awaitDirect("(SELECT last_value = 4 FROM failed_commits)")
		})
	}
}

// A conflict that does not end is the database's, not the run's: it waits.
func TestEndlessConflictMeansUnavailable(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, nil)
	f.failCommits(1000, pgSerialization)
	id := f.insertCustomer()
	c := f.claim(id, "a")
	_, err := f.Commit(t.Context(), c, decision(c, createCustomer()))
	if !errors.Is(err, run.ErrUnavailable) || !strings.Contains(err.Error(), "40001") {
		t.Errorf("commit: %v, want ErrUnavailable with the SQLSTATE", err)
	}
	f.do("DROP TRIGGER fail_commit ON schemacast_runs")
	f.wantState(f.commit(c, createCustomer()), run.OutcomeCompleted)
	f.wantOnce(id)
}

// 16, with real locks: another process takes row and run in the wrong order, three
// times, and PostgreSQL ends our transaction each time.
func TestRealDeadlocks(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, nil) // whose transactions look for a deadlock after a second, by default
	id := f.insertCustomer()
	c := f.claim(id, "a")
	var rivals []*pgx.Conn
	for range 3 {
		rivals = append(rivals, connect(t, f.direct.Config().ConnString()))
	}
	done := make(chan error, 1)
	for i, rival := range rivals {
		if _, err := rival.Exec(t.Context(), "BEGIN; SET LOCAL deadlock_timeout = '1h'"); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			lockRow(t, rival, "SELECT FROM schemas WHERE id = $1 FOR UPDATE", id)
			go func() { _, err := f.Commit(context.Background(), c, decision(c, createCustomer())); done <- err }()
		}
		// We hold the run and wait for the row, the rival has the row and wants the run.
		f.awaitDirect("EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name <> 'rival' " +
			"AND wait_event_type = 'Lock' AND query LIKE '%schemas%')")
		var next chan error
		if i+1 < len(rivals) {
			// The next rival queues up for the row before we come back to it.
			next = make(chan error, 1)
			waiting := rivals[i+1]
			if _, err := waiting.Exec(t.Context(), "SET application_name = 'rival'"); err != nil {
				t.Fatal(err)
			}
			go func() {
				_, err := waiting.Exec(context.Background(), fmt.Sprintf("BEGIN; SET LOCAL deadlock_timeout = '1h'; SELECT FROM schemas WHERE id = %d FOR UPDATE", id))
				next <- err
			}()
			f.awaitDirect("EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'rival' AND wait_event_type = 'Lock')")
		}
		lockRow(t, rival, "SELECT FROM schemacast_runs WHERE active_schema_id = $1 FOR UPDATE", id) // we are the victim, or this never returns
		if _, err := rival.Exec(t.Context(), "SET application_name = ''; ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		if next != nil {
			if err := <-next; err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := <-done; err != nil {
		t.Fatalf("commit: %v", err)
	}
	f.wantOnce(id)
	f.awaitDirect("(SELECT deadlocks >= 3 FROM pg_stat_database WHERE datname = current_database())")
}

func lockRow(t *testing.T, conn *pgx.Conn, sql string, id int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := conn.Exec(ctx, sql, id); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// 17: COMMIT reached the server and its reply nobody. The same decision is offered
// again, and found to be there.
func TestReplyToCommitIsLost(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, nil)
	f.slowCommits(300 * time.Millisecond)
	id := f.insertCustomer()
	c := f.claim(id, "a")
	done := make(chan error, 1)
	go func() { _, err := f.Commit(context.Background(), c, decision(c, createCustomer())); done <- err }()
	f.awaitDirect(inCommit)
	f.proxy.Cut()
	if err := <-done; !errors.Is(err, run.ErrUnavailable) {
		t.Fatalf("commit: %v, want ErrUnavailable", err)
	}
	f.awaitDirect("NOT " + inCommit)
	f.wantOnce(id) // it was committed, and we do not know
	f.proxy.Restore()
	f.do("DROP TRIGGER slow_commit ON schemacast_runs")
	f.wantState(f.commit(c, createCustomer()), run.OutcomeCompleted)
	f.wantOnce(id)
}

// 15: the server restarts while it commits: what it had not finished is gone, and the
// same decision is offered again.
func TestRestartDuringCommit(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testenv.PostgresServer){"restart": (*testenv.PostgresServer).Stop, "crash": (*testenv.PostgresServer).Crash} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testenv.StartPostgres(t, testenv.PostgresConfig{})
			f := &faulty{ground: newGround(t, Config{Dialect: Postgres, DSN: server.URL}), direct: connect(t, server.URL)}
			f.slowCommits(time.Minute)
			id := f.insertCustomer()
			c := f.claim(id, "a")
			done := make(chan error, 1)
			go func() { _, err := f.Commit(context.Background(), c, decision(c, createCustomer())); done <- err }()
			f.awaitDirect(inCommit)
			end(server)
			if err := <-done; !errors.Is(err, run.ErrUnavailable) {
				t.Fatalf("commit: %v, want ErrUnavailable", err)
			}
			if err := f.Ping(t.Context()); err == nil {
				t.Error("a server that is down is said to answer")
			}
			server.Start()
			f.direct = connect(t, server.URL)
			f.do("DROP TRIGGER slow_commit ON schemacast_runs")
			f.wantState(f.commit(c, createCustomer()), run.OutcomeCompleted)
			f.wantOnce(id)
		})
	}
}

// 18: a claim that gets no connection fails in the time that it was given, and nothing
// is written; /readyz asks the same pool.
func TestPoolIsExhausted(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, func(cfg *Config) { cfg.MaxConns = 2 })
	id := f.insertCustomer()
	pool, err := f.db.DB()
	f.must(err)
	for range 2 { // until the test ends, which ends its context
		_, err := pool.BeginTx(t.Context(), nil)
		f.must(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := f.Claim(ctx, run.ClaimRequest{SchemaID: id, Owner: "a"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("claim: %v, want the end of its time", err)
	}
	if err := f.Ping(ctx); err == nil {
		t.Error("the pool is empty, and the database is said to answer")
	}
	f.awaitDirect("(SELECT count(*) = 0 FROM schemacast_runs)")
}

// 18: the server has no connection left for us.
func TestServerHasNoConnectionLeft(t *testing.T) {
	t.Parallel()
	server := testenv.StartPostgres(t, testenv.PostgresConfig{Settings: []string{"max_connections=10", "superuser_reserved_connections=3"}})
	g := newGround(t, Config{Dialect: Postgres, DSN: server.URL})
	g.sql("CREATE ROLE worker LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO worker; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO worker")
	id := g.insertCustomer()
	dsn := strings.Replace(server.URL, "postgres@", "worker@", 1)
	worker := &ground{Store: openStore(t, Config{Dialect: Postgres, DSN: dsn}), t: t, tenant: g.tenant}
	g.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'worker'")
	var others []*pgx.Conn
	for {
		conn, err := pgx.Connect(t.Context(), dsn)
		var refusal *pgconn.PgError
		if errors.As(err, &refusal) && refusal.Code == "53300" {
			break
		}
		g.must(err)
		others = append(others, conn)
	}
	if err := worker.claimError(id, "a"); !errors.Is(err, run.ErrUnavailable) {
		t.Errorf("claim: %v, want ErrUnavailable", err)
	}
	if err := worker.Ping(t.Context()); err == nil {
		t.Error("nobody is let in, and the database is said to answer")
	}
	for _, conn := range others {
		g.must(conn.Close(t.Context()))
	}
	g.await("SELECT (count(*) = 0)::text FROM pg_stat_activity WHERE usename = 'worker'")
	worker.wantState(worker.commit(worker.claim(id, "a"), createCustomer()), run.OutcomeCompleted)
}

// A failover of PostgreSQL as its clients see it: for a while there is only a standby,
// which reads and does not write, then it is promoted.
func TestStandbyIsNotReadyUntilItIsPromoted(t *testing.T) {
	t.Parallel()
	primary := testenv.StartPostgres(t, testenv.PostgresConfig{})
	g := newGround(t, Config{Dialect: Postgres, DSN: primary.URL})
	id := g.insertCustomer()
	standby := testenv.StartStandby(t, primary)
	if _, err := Open(t.Context(), Config{Dialect: Postgres, DSN: standby.URL}); !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), "DB_HOST") {
		t.Errorf("open a standby: %v, want ErrReadOnly with its cure", err)
	}
	// As after a failover: the pool's connections lead to what is a standby now.
	g.sql("ALTER SYSTEM SET default_transaction_read_only = on")
	g.sql("SELECT pg_reload_conf()")
	g.await("SELECT (current_setting('default_transaction_read_only') = 'on')::text")
	if err := g.Ping(t.Context()); !errors.Is(err, ErrReadOnly) {
		t.Errorf("ping: %v, want ErrReadOnly", err)
	}
	if err := g.claimError(id, "a"); !errors.Is(err, run.ErrUnavailable) {
		t.Errorf("claim: %v, want ErrUnavailable", err)
	}
	conn := connect(t, standby.URL)
	if _, err := conn.Exec(t.Context(), "SELECT pg_promote()"); err != nil {
		t.Fatal(err)
	}
	promoted := &ground{Store: openStore(t, Config{Dialect: Postgres, DSN: standby.URL}), t: t, tenant: g.tenant}
	promoted.wantState(promoted.commit(promoted.claim(id, "a"), createCustomer()), run.OutcomeCompleted)
}
