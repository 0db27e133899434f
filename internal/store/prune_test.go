package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

var day = 24 * time.Hour

// prune calls Prune as often as the sweeper would.
func (g *ground) prune(r run.Retention) run.Pruned {
	g.t.Helper()
	var all run.Pruned
	for range 100 {
		p, err := g.Prune(g.t.Context(), r)
		g.must(err)
		if !p.Any() {
			return all
		}
		all.Events, all.Answers, all.Runs = all.Events+p.Events, all.Answers+p.Answers, all.Runs+p.Runs
	}
	g.t.Fatal("there is always something left to prune")
	return all
}

func TestPruneKeepsWhatIsNeeded(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		again, once, gone, open := g.insertCustomer(), g.insertCustomer(), g.insertCustomer(), g.insertCustomer()
		g.commit(g.claim(once, "a"), createCustomer())
		entity := toID(t, g.value("SELECT id FROM schemas WHERE type = 'struct'"))
		for _, id := range []int64{again, gone} {
			g.commit(g.claim(id, "a"), mapTo(entity))
		}
		g.request("", 0, again)
		newest := g.commitRequested(again, entity)
		g.claim(open, "a")
		g.sql("DELETE FROM schemas WHERE id = ?", gone)
		g.must(g.SaveAnswer(t.Context(), g.tenant, "old", []byte("x")))
		g.must(g.SaveAnswer(t.Context(), g.tenant, "young", []byte("x")))
		// All of it is 100 days old, but for one answer.
		past := (100 * day).Milliseconds()
		g.sql("UPDATE schemacast_runs SET requested_ms = requested_ms - ?, started_ms = started_ms - ?, ended_ms = ended_ms - ?", past, past, past)
		g.sql("UPDATE schemacast_events SET occurred_ms = occurred_ms - ?", past)
		g.sql("UPDATE schemacast_events SET sent_ms = occurred_ms WHERE schema_id <> ?", once)
		g.sql("UPDATE schemacast_answers SET created_ms = created_ms - ? WHERE key = 'old'", past)

		if p := g.prune(run.Retention{}); p.Any() {
			t.Errorf("without a retention %+v was pruned", p)
		}
		if p := g.prune(run.Retention{Events: 101 * day, Answers: 101 * day, Runs: 101 * day}); p.Any() {
			t.Errorf("too early %+v was pruned", p)
		}
		got := g.prune(run.Retention{Events: day, Answers: 30 * day, Runs: 90 * day})
		if diff := cmp.Diff(run.Pruned{Events: 7, Answers: 1, Runs: 2}, got); diff != "" {
			t.Errorf("pruned (-want +got):\n%s", diff)
		}
		g.wantEvents(once, "1:started 2:completed ") // never sent
		g.wantValue("young", "SELECT key FROM schemacast_answers")
		runs, err := g.History(t.Context(), again, "", 9)
		g.must(err)
		if len(runs) != 1 || runs[0].ID != newest || len(runs[0].Attempts) != 1 {
			t.Errorf("history = %+v, want the newest run", runs)
		}
		g.wantValue("0", "SELECT count(*) FROM schemacast_attempts WHERE run_id NOT IN (SELECT id FROM schemacast_runs)")
		g.wantValue("1", "SELECT count(*) FROM schemacast_runs WHERE state = 'running'")
		g.wantValue("4", "SELECT count(*) FROM schemacast_streams")
		if standing, err := g.Standing(t.Context(), once, ""); err != nil || standing.EntityID != entity {
			t.Errorf("standing = %+v %v", standing, err)
		}
	})
}

// commitRequested claims and commits an open run, and returns its id.
func (g *ground) commitRequested(id, entity int64) string {
	g.t.Helper()
	c := g.claim(id, "a")
	g.commit(c, mapTo(entity))
	return c.RunID
}

// Old runs that stay are passed by once, not at every call, and those behind them are
// reached; a run that becomes old news later is found on the next round.
func TestPruneGoesOnWhereItStopped(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g = g.bounded()
		runs := g.cfg.bounds.pruneLook + 500
		g.sql("INSERT INTO schemacast_runs (id, schema_id, tenant_id, state, requested_ms, ended_ms) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "+
			"SELECT 'r' || (100000 + i), i, ?, 'completed', i, i FROM n", runs, g.tenant)
		g.sql("INSERT INTO schemas (id, hash, tenant_id, sample_data, detected_fields) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "+
			"SELECT i, 'h' || i, ?, '[]', '[]' FROM n", runs, g.tenant)
		g.sql("INSERT INTO schemacast_attempts (run_id, fence, owner, started_ms) SELECT id, 1, 'a', 1 FROM schemacast_runs")
		old := runs - 100
		for i := range 3 { // three newer runs of one schema, which is far behind
			g.sql("INSERT INTO schemacast_runs (id, schema_id, tenant_id, state, requested_ms, ended_ms) VALUES (?, ?, ?, 'failed', ?, ?)",
				fmt.Sprintf("s%d", i), old, g.tenant, runs+i, runs+i)
		}
		retention := run.Retention{Runs: day}
		var deleted []int64
		for range 4 {
			p, err := g.Prune(t.Context(), retention)
			g.must(err)
			deleted = append(deleted, p.Runs)
		}
		if diff := cmp.Diff([]int64{0, 3, 0, 0}, deleted); diff != "" {
			t.Errorf("deleted (-want +got):\n%s", diff)
		}
		g.wantValue("s2", "SELECT id FROM schemacast_runs WHERE schema_id = ?", old)
		g.sql("DELETE FROM schemas") // the app has gone: batch by batch, all goes
		if p := g.prune(retention); p.Runs != int64(runs) {
			t.Errorf("%d runs deleted, want %d", p.Runs, runs)
		}
		g.wantValue("0", "SELECT count(*) FROM schemacast_attempts")
	})
}

func TestPruneIsBounded(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g = g.bounded()
		batch := int64(g.cfg.bounds.pruneBatch)
		g.sql("INSERT INTO schemacast_events (id, schema_id, seq, tenant_id, run_id, kind, payload, occurred_ms, sent_ms) "+
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT 'e' || i, 1, i, 'x', 'r', 'started', '{}', 1, i FROM n", batch+10)
		for _, want := range []int64{batch, 10, 0} {
			p, err := g.Prune(t.Context(), run.Retention{Events: day})
			g.must(err)
			if p.Events != want {
				t.Errorf("%d events deleted, want %d", p.Events, want)
			}
		}
	})
}

func TestEraseATenant(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		done, open := g.insertCustomer(), g.insertCustomer()
		foreign := g.insert("other", "f", customer)
		for _, id := range []int64{done, foreign} {
			g.commit(g.claim(id, "a"), createCustomer())
		}
		g.claim(open, "a")
		for _, tenant := range []string{g.tenant, "other"} {
			g.must(g.SaveAnswer(t.Context(), tenant, "k "+tenant, []byte("x")))
			_, err := g.Reserve(t.Context(), tenant, analysis.Spending{Tokens: 1}, analysis.Budgets{Tenant: analysis.Spending{Tokens: 9}})
			g.must(err)
		}
		ours := func(tenant string) string {
			var counts []string
			for _, table := range []string{"runs", "events", "streams", "answers", "tenants", "spending"} {
				counts = append(counts, g.value("SELECT count(*) FROM schemacast_"+table+" WHERE tenant_id = ?", tenant))
			}
			return strings.Join(counts, " ")
		}
		before, theirs := ours(g.tenant), ours("other")
		_, err := g.Erase(t.Context(), g.tenant)
		var refused *OpenRunsError
		if !errors.As(err, &refused) || refused.Count != 1 || refused.SchemaIDs[0] != open || !strings.Contains(err.Error(), "enqueue cancel") {
			t.Errorf("with an open run: %v", err)
		}
		if after := ours(g.tenant); after != before {
			t.Errorf("%s became %s", before, after)
		}
		g.sql("UPDATE schemacast_runs SET heartbeat_ms = 0")
		g.wantCancel(open, Cancelled{State: CancelDone})
		rows := g.value("SELECT count(*) FROM schemas") + " " + g.value("SELECT count(*) FROM schema_mappings")
		erased, err := g.Erase(t.Context(), g.tenant)
		g.must(err)
		if diff := cmp.Diff(Erased{Events: 4, Answers: 1, Runs: 2, Streams: 2}, erased); diff != "" {
			t.Errorf("erased (-want +got):\n%s", diff)
		}
		if after := ours(g.tenant); after != "0 0 0 0 0 0" {
			t.Errorf("left: %s", after)
		}
		g.wantValue("1", "SELECT count(*) FROM schemacast_attempts")
		if after := ours("other"); after != theirs {
			t.Errorf("the other tenant's %s became %s", theirs, after)
		}
		if after := g.value("SELECT count(*) FROM schemas") + " " + g.value("SELECT count(*) FROM schema_mappings"); after != rows {
			t.Errorf("the app's rows: %s became %s", rows, after)
		}
		if erased, err := g.Erase(t.Context(), g.tenant); err != nil || erased != (Erased{}) {
			t.Errorf("erase again: %+v %v", erased, err)
		}
		if _, err := g.Erase(t.Context(), ""); err == nil {
			t.Error("an empty tenant was erased")
		}
		// Life goes on.
		g.request("", 0, done)
		g.must(g.Progress(t.Context(), g.claim(done, "b"), schema.Progress{Stage: "ask"}))
		g.wantEvents(done, "1:started 2:progress ")
	})
}

func TestEraseInBatches(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g = g.bounded()
		events := int64(2*g.cfg.bounds.eraseBatch + 7)
		g.sql("INSERT INTO schemacast_events (id, schema_id, seq, tenant_id, run_id, kind, payload, occurred_ms) "+
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "+
			"SELECT 'e' || i, 1, i, CASE WHEN i % 2 = 0 THEN 'other' ELSE 'gone' END, 'r', 'started', '{}', 1 FROM n", 2*events)
		g.sql("INSERT INTO schemacast_streams (schema_id, tenant_id) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i, 'gone' FROM n", events)
		erased, err := g.Erase(t.Context(), "gone")
		g.must(err)
		if erased.Events != events || erased.Streams != events {
			t.Errorf("erased %+v, want %d of each", erased, events)
		}
		g.wantValue(fmt.Sprint(events), "SELECT count(*) FROM schemacast_events")
	})
}
