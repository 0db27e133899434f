package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// backfilled is how many rows the tests of backfills have: some pages of the command.
const backfilled = 9000

// history adds rows as an app has them that is some years old, a third of them failed.
func (g *ground) history(n int) {
	g.t.Helper()
	g.exec(`INSERT INTO schemas (created_at, updated_at, hash, tenant_id, sample_data, detected_fields, ai_analysis_status)
		SELECT '2020-01-01', '2020-01-01', $1 || n, $1, '{"id":7}', '[{"name":"id","type":"float","required":true}]', CASE WHEN n % 3 = 0 THEN 'failed' ELSE 'pending' END
		FROM generate_series(1, $2::int) n`, g.tenant, n)
}

// wantBackfilled wants one open run and one task for each of n rows.
func (g *ground) wantBackfilled(n int) {
	g.t.Helper()
	g.wantValue(fmt.Sprint(n, " ", n, " ", n), "SELECT count(*) || ' ' || count(DISTINCT active_schema_id) || ' ' || count(DISTINCT schema_id) FROM schemacast_runs WHERE state = 'requested'")
	g.wantValue(fmt.Sprint(n), "SELECT count(*) FROM schemas WHERE ai_analysis_status = 'pending'")
	ids, err := g.redis.LRange(g.t.Context(), "asynq:{schemas-backfill}:pending", 0, -1).Result()
	if err != nil {
		g.t.Fatal(err)
	}
	unique := map[string]bool{}
	for _, id := range ids {
		unique[id] = true
	}
	if len(ids) != n || len(unique) != n {
		g.t.Errorf("%d tasks of %d schemas are queued, want %d", len(ids), len(unique), n)
	}
}

// A backfill that is killed, wherever, goes on with --resume: it loses nothing and
// repeats nothing.
func TestBackfillKilled(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"enqueue.page-stored:1=kill", "enqueue.page-stored:3=kill", "enqueue.page-queued:2=kill"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			g := newFaultGround(t)
			g.history(backfilled)
			g.env["SCHEMACAST_FAILPOINTS"] = point
			if o := g.run("enqueue", "backfill", "--yes"); o.code != -1 {
				t.Fatalf("exit %d: %s%s", o.code, o.stdout, o.stderr)
			}
			g.env["SCHEMACAST_FAILPOINTS"] = ""
			g.want(0, "tasks put into schemas-backfill", "enqueue", "backfill", "--resume")
			g.wantBackfilled(backfilled)
			g.want(2, "there is no interrupted backfill", "enqueue", "backfill", "--resume")
			g.want(0, "nothing is left to ask for", "enqueue", "backfill", "--yes")
		})
	}
}

// backfillProcess is a backfill that runs.
func (g *ground) backfillProcess(args ...string) (signal func(), wait func() output, stderr *lockedBuffer) {
	g.t.Helper()
	cmd := g.command("enqueue", append([]string{"backfill", "--yes"}, args...)...)
	var stdout bytes.Buffer
	stderr = &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return func() { _ = cmd.Process.Signal(syscall.SIGINT) }, func() output {
		timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		_ = cmd.Wait()
		return output{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
	}, stderr
}

func (g *ground) someOpened() bool {
	return g.value("SELECT count(*) >= 2000 FROM schemacast_runs") == "true"
}

func TestBackfillCtrlC(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	g.history(backfilled)
	interrupt, wait, _ := g.backfillProcess("--rate", "2000/s")
	await(t, "some are asked for", g.someOpened)
	interrupt()
	o := wait()
	if o.code != 130 || !strings.Contains(o.stderr, "go on with `enqueue backfill --resume`") || !strings.Contains(o.stdout, "analyses asked for") {
		t.Fatalf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	// Nothing is half done: what is in the database has its task.
	g.wantValue(g.value("SELECT count(*)::text FROM schemacast_runs"), "SELECT $1::text", fmt.Sprint(g.redis.LLen(t.Context(), "asynq:{schemas-backfill}:pending").Val()))
	g.want(0, "tasks put into schemas-backfill", "enqueue", "backfill", "--resume")
	g.wantBackfilled(backfilled)
}

// Redis goes away in the middle and comes back empty of what nobody had put into it.
func TestBackfillRedisCut(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	g.history(backfilled)
	proxy := g.throughRedisProxy()
	_, wait, stderr := g.backfillProcess("--rate", "1500/s")
	await(t, "some are asked for", g.someOpened)
	proxy.Cut()
	await(t, "it says so", func() bool { return strings.Contains(stderr.String(), "the analyses are stored all the same") })
	proxy.Restore()
	if o := wait(); o.code != 0 {
		t.Fatalf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	g.wantBackfilled(backfilled)
}

// What is queued or running is not asked for again, and workers that are at work on the
// same rows analyse each of them once.
func TestBackfillAmongWorkers(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	g.env["ANALYSIS_ENGINE"] = "offline"
	const n = 200
	g.history(n)
	first := g.value("SELECT min(id)::text FROM schemas")
	g.enqueue([]string{first})
	g.start(t)
	g.want(0, "analyses asked for", "enqueue", "backfill", "--yes", "--watch")
	g.wantValue(fmt.Sprint(n, " ", n), "SELECT count(*) || ' ' || count(DISTINCT schema_id) FROM schemacast_runs WHERE state = 'completed'")
	g.wantValue("0", "SELECT count(*) FROM schemacast_runs WHERE state <> 'completed'")
	g.wantValue(fmt.Sprint(n), "SELECT count(*) FROM schemacast_events WHERE kind = 'completed'")
}
