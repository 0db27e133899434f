package store

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/run"
)

func (g *ground) load() run.Load {
	g.t.Helper()
	l, err := g.Load(g.t.Context())
	g.must(err)
	return l
}

func TestLoadCountsOpenRuns(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		if diff := cmp.Diff(run.Load{}, g.load()); diff != "" {
			t.Errorf("of an empty database (-want +got):\n%s", diff)
		}
		g.waiting(1, 3, "", 60_000)
		g.waiting(11, 2, queueBackfill, 120_000)
		g.waiting(21, 2, "", 0)
		g.sql("UPDATE schemacast_runs SET state = 'running', heartbeat_ms = " + g.dialect.now + " WHERE schema_id = 21")
		g.sql("UPDATE schemacast_runs SET state = 'running', heartbeat_ms = 1 WHERE schema_id = 22")
		want := run.Load{
			Interactive: run.Waiting{Runs: 3, Oldest: time.Minute}, Backfill: run.Waiting{Runs: 2, Oldest: 2 * time.Minute},
			Running: 2, Silent: 1,
		}
		about := cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() < 20*time.Second })
		if diff := cmp.Diff(want, g.load(), about); diff != "" {
			t.Errorf("load (-want +got):\n%s", diff)
		}
	})
}

// waiting inserts n runs of schemas from an id on that were requested some time ago.
func (g *ground) waiting(from, n int64, queue string, agoMs int64) {
	g.t.Helper()
	numbers := "generate_series(CAST(? AS bigint), CAST(? AS bigint)) AS n"
	if g.dialect.name == SQLite {
		numbers = "(WITH RECURSIVE s(n) AS (VALUES (?) UNION ALL SELECT n + 1 FROM s WHERE n < ?) SELECT n FROM s) AS s"
	}
	g.sql("INSERT INTO schemacast_runs (id, schema_id, active_schema_id, tenant_id, state, queue, requested_ms) SELECT CAST(n AS varchar(26)), n, n, CAST(? AS varchar(255)), 'requested', "+
		"CAST(? AS varchar(32)), "+g.dialect.now+" - CAST(? AS bigint) FROM "+numbers, g.tenant, queue, agoMs, from, from+n-1)
}

// With more runs than are counted the estimate of PostgreSQL takes over, and the plan
// reads no more than the bound.
func TestLoadIsBounded(t *testing.T) {
	t.Parallel()
	conformanceOnPostgres(t, func(t *testing.T, g *ground) {
		g.waiting(1, 30_000, queueBackfill, 1000)
		g.waiting(50_001, 5, "", 1000)
		g.sql("ANALYZE schemacast_runs")
		l := g.load()
		if b := l.Backfill; !b.Estimated || b.Runs < 29_000 || b.Runs > 31_000 || l.Interactive.Runs != 5 || l.Interactive.Estimated {
			t.Errorf("load = %+v, want about 30,000 runs of the backfill, estimated, and 5 interactive ones", l)
		}
		g.waiting(100_001, 12_000, "", 1000)
		g.sql("ANALYZE schemacast_runs")
		l = g.load()
		if sum := l.Interactive.Runs + l.Backfill.Runs; sum < 41_000 || sum > 43_000 || l.Interactive.Runs != countedRuns {
			t.Errorf("load = %+v, want about 42,000 runs together, 10,000 of them interactive", l)
		}
		var plan []string
		g.must(g.db.Raw("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT count(*) FROM (SELECT 1 FROM schemacast_runs WHERE state = 'requested' AND queue = ? ORDER BY requested_ms, id LIMIT ?) x",
			queueBackfill, countedRuns).Scan(&plan).Error)
		if text := strings.Join(plan, "\n"); strings.Contains(text, "Seq Scan") {
			t.Errorf("the table is read, not the index:\n%s", text)
		}
	})
}
