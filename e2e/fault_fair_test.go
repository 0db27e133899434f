package e2e

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

// crowd adds n schemas of another tenant and asks for all of them in the backfill queue.
func (g *faultGround) crowd(tenant string, n int) {
	g.t.Helper()
	g.exec("INSERT INTO tenants (id, name, created_at) VALUES ($1, $1, now())", tenant)
	g.exec(`INSERT INTO schemas (created_at, hash, tenant_id, sample_data, detected_fields)
		SELECT now() + interval '1 hour', $1 || n, $1, '{}', json_build_array(json_build_object('name', 'crowd_id', 'type', 'string'), json_build_object('name', 'crowd_' || n % 50, 'type', 'string'))
		FROM generate_series(1, $2) AS n`, tenant, n)
	var ids []string
	rows, err := g.db.Query(g.t.Context(), "SELECT id::text FROM schemas WHERE tenant_id = $1 ORDER BY id", tenant)
	if err != nil {
		g.t.Fatal(err)
	}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			g.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		g.t.Fatal(err)
	}
	for chunk := range slices.Chunk(ids, 2000) {
		g.enqueue(chunk, "--queue", "schemas-backfill")
	}
}

// Ten thousand of one tenant wait in the backfill queue, and hold all its slots; five of
// another are interactive. The share of a tenant is never exceeded.
func TestFault40NoisyTenant(t *testing.T) {
	t.Parallel()
	n := 1000
	if os.Getenv("SCHEMACAST_TEST_SLOW") != "" {
		n = 10_000
	}
	g := newFaultGround(t)
	g.env["WORKER_TENANT_CONCURRENCY"] = "3"
	g.llm.Otherwise(llmtest.Delayed(100*time.Millisecond, llmtest.Good()))
	g.crowd("noisy", n)
	g.start(t)
	g.start(t)
	g.asked(10) // the backfill is under way
	most := 0
	sample := func() {
		running := decode[int](t, []byte(g.value("SELECT count(*) FROM schemacast_runs WHERE tenant_id = 'noisy' AND state = 'running'")))
		most = max(most, running)
	}
	var waits []time.Duration
	for i, fields := range shapes(5) {
		id := g.add(fields)[0]
		asked := time.Now()
		g.enqueue([]string{id})
		await(t, fmt.Sprintf("interactive schema %d is completed", i), func() bool {
			sample()
			return g.value("SELECT ai_analysis_status FROM schemas WHERE id = $1", id) == "completed"
		})
		waits = append(waits, time.Since(asked))
	}
	left := decode[int](t, []byte(g.value("SELECT count(*) FROM schemacast_runs WHERE tenant_id = 'noisy' AND state = 'requested'")))
	done := decode[int](t, []byte(g.value("SELECT count(*) FROM schemacast_runs WHERE tenant_id = 'noisy' AND state = 'completed'")))
	t.Logf("interactive schemas ended after %v, %d of the backfill were left; from request to start: %s ms", waits, left,
		g.value("SELECT string_agg((started_ms - requested_ms)::text, ' ') FROM schemacast_runs WHERE tenant_id <> 'noisy'"))
	if left == 0 {
		t.Error("the backfill was over before: the test proves nothing")
	}
	if most > 3 {
		t.Errorf("%d runs of one tenant at a time, want 3 at most", most)
	}
	await(t, "the backfill progresses", func() bool {
		sample()
		return decode[int](t, []byte(g.value("SELECT count(*) FROM schemacast_runs WHERE tenant_id = 'noisy' AND state = 'completed'"))) >= done+20
	})
	if most == 0 {
		t.Error("no run of the noisy tenant was seen")
	}
}
