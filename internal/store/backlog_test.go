package store

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/testenv"
)

var putAway = run.Failure{Code: run.CodeTaskArchived, Text: "its task was put away; ask again"}

// request opens runs, which are as old as a test says.
func (g *ground) request(queue string, age time.Duration, ids ...int64) {
	g.t.Helper()
	_, err := g.Request(g.t.Context(), Request{SchemaIDs: ids, By: "me", Queue: queue})
	g.must(err)
	g.sql("UPDATE schemacast_runs SET requested_ms = requested_ms - ? WHERE active_schema_id IN ?", age.Milliseconds(), ids)
}

// orphans reads all pages of a size.
func (g *ground) orphans(grace time.Duration, page int) []run.Orphan {
	g.t.Helper()
	var all []run.Orphan
	var after *run.Orphan
	for {
		list, err := g.Orphans(g.t.Context(), after, grace, page)
		g.must(err)
		if len(list) == 0 {
			return all
		}
		if len(list) > page {
			g.t.Fatalf("a page of %d has %d orphans", page, len(list))
		}
		all = append(all, list...)
		after = &list[len(list)-1]
	}
}

func schemaIDs(orphans []run.Orphan) []int64 {
	var ids []int64
	for _, o := range orphans {
		ids = append(ids, o.SchemaID)
	}
	return ids
}

func TestOrphansInOrder(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := func() int64 { return g.insertCustomer() }
		oldBackfill, newBackfill, oldest, older, recent, running, lost, lostBackfill := id(), id(), id(), id(), id(), id(), id(), id()
		g.request(queueBackfill, 9*time.Hour, oldBackfill)
		g.request(queueBackfill, time.Hour, newBackfill)
		g.request("", 3*time.Hour, oldest)
		g.request("", time.Hour, older)
		g.request("", 0, recent)
		for _, c := range []struct {
			queue string
			id    int64
			stale bool
		}{{"", running, false}, {"", lost, true}, {queueBackfill, lostBackfill, true}} {
			g.request(c.queue, 2*time.Hour, c.id)
			g.claim(c.id, "gone")
			if c.stale {
				g.sql("UPDATE schemacast_runs SET heartbeat_ms = heartbeat_ms - 31000 WHERE schema_id = ?", c.id)
			}
		}
		want := []int64{oldest, lost, older, oldBackfill, lostBackfill, newBackfill}
		for page := 1; page <= 7; page++ {
			got := g.orphans(time.Minute, page)
			if diff := cmp.Diff(want, schemaIDs(got)); diff != "" {
				t.Errorf("in pages of %d (-want +got):\n%s", page, diff)
			}
		}
		o := g.orphans(time.Minute, 10)[1]
		if o.TenantID != g.tenant || o.RunID == "" || o.Fence != 1 || o.Backfill || time.Since(o.Requested) < time.Hour {
			t.Errorf("orphan = %+v", o)
		}
	})
}

// All of a page may have been requested in the same millisecond.
func TestOrphansOfOneMoment(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		var want []int64
		for range 7 {
			want = append(want, g.insertCustomer())
		}
		g.request("", time.Minute, want...)
		g.sql("UPDATE schemacast_runs SET requested_ms = 1000")
		seen := map[int64]bool{}
		for _, id := range schemaIDs(g.orphans(0, 2)) {
			seen[id] = true
		}
		if len(seen) != len(want) {
			t.Errorf("%d orphans, want %d", len(seen), len(want))
		}
	})
}

func TestAbandonedRun(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		g.request("", time.Hour, id)
		o := g.orphans(0, 1)[0]
		for range 2 { // the first reply may be lost
			want := g.value("SELECT state FROM schemacast_runs") == stateRequested
			if done, err := g.Abandon(t.Context(), o, time.Now(), putAway); err != nil || done != want {
				t.Fatalf("abandon: %v %v, want %v", done, err, want)
			}
		}
		g.wantRow(id, "pending failed - "+putAway.Text)
		g.wantEvents(id, "1:failed ")
		g.wantValue("failed task_archived", "SELECT state || ' ' || error_code FROM schemacast_runs")
	})
}

func TestAbandonLeavesAloneWhatGoesOn(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		for name, change := range map[string]func(id int64){
			"claimed": func(id int64) { g.claim(id, "a") },
			"claimed, stale": func(id int64) {
				g.claim(id, "a")
				g.sql("UPDATE schemacast_runs SET heartbeat_ms = 1 WHERE schema_id = ?", id)
			},
			"claimed, freed":  func(id int64) { g.must(g.Release(t.Context(), g.claim(id, "a"))) },
			"asked for again": func(id int64) { g.request("", 0, id) },
			"ended": func(id int64) {
				g.must(g.Fail(t.Context(), g.claim(id, "a"), run.Failure{Code: run.CodeInternal, Text: "x"}))
			},
		} {
			id := g.insertCustomer()
			g.request("", time.Hour, id)
			orphans := g.orphans(0, 100)
			o := orphans[len(orphans)-1]
			change(id)
			before := g.row(id) + g.events(id)
			if done, err := g.Abandon(t.Context(), o, time.Now().Add(-time.Minute), putAway); err != nil || done {
				t.Errorf("%s: abandon: %v %v, want false", name, done, err)
			}
			if after := g.row(id) + g.events(id); after != before {
				t.Errorf("%s: %q became %q", name, before, after)
			}
		}
	})
}

// asynq keeps whole seconds: a task that was put away in the second of its request is
// younger than the request.
func TestAbandonInTheSecondOfTheRequest(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		g.request("", 0, id)
		o := g.orphans(0, 1)[0]
		if done, err := g.Abandon(t.Context(), o, o.Requested.Truncate(time.Second).Add(-time.Second), putAway); err != nil || done {
			t.Errorf("put away a second before: %v %v, want false", done, err)
		}
		if done, err := g.Abandon(t.Context(), o, o.Requested.Truncate(time.Second), putAway); err != nil || !done {
			t.Errorf("put away in the same second: %v %v, want true", done, err)
		}
	})
}

func TestAbandonedRowWithoutARun(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		o := run.Orphan{SchemaID: id, TenantID: g.tenant}
		if done, err := g.Abandon(t.Context(), o, time.Now().Add(-time.Hour), putAway); err != nil || done {
			t.Errorf("a row that came later: %v %v, want false", done, err)
		}
		if done, err := g.Abandon(t.Context(), o, time.Now(), putAway); err != nil || !done {
			t.Errorf("abandon: %v %v", done, err)
		}
		g.wantRow(id, "pending failed - "+putAway.Text)
		g.wantEvents(id, "1:failed ")
		if runs, err := g.History(t.Context(), id, "", 9); err != nil || len(runs) != 1 || runs[0].Failure != putAway {
			t.Errorf("history = %+v, %v", runs, err)
		}
		if done, err := g.Abandon(t.Context(), o, time.Now(), putAway); err != nil || done {
			t.Errorf("abandon again: %v %v, want false", done, err)
		}
		missing := run.Orphan{SchemaID: 99999}
		if done, err := g.Abandon(t.Context(), missing, time.Now(), putAway); err != nil || done {
			t.Errorf("abandon of no row: %v %v, want false", done, err)
		}
	})
}

// Whoever comes first wins, and the other changes nothing: never both a claim and a
// failed row.
func TestAbandonAgainstClaims(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		const rounds = 16
		var all sync.WaitGroup
		for range rounds {
			id := g.insertCustomer()
			all.Add(2)
			claimed, abandoned := make(chan bool, 1), make(chan bool, 1)
			go func() {
				defer all.Done()
				_, err := g.Claim(t.Context(), run.ClaimRequest{SchemaID: id, Owner: "a"})
				claimed <- err == nil
			}()
			go func() {
				defer all.Done()
				done, err := g.Abandon(t.Context(), run.Orphan{SchemaID: id}, time.Now(), putAway)
				if err != nil {
					t.Error(err)
				}
				abandoned <- done
			}()
			if c, a := <-claimed, <-abandoned; c == a {
				t.Errorf("claimed %v, abandoned %v; want one of them", c, a)
			}
			g.wantValue("1", "SELECT count(*) FROM schemacast_runs WHERE schema_id = ?", id)
			g.wantValue("1", "SELECT count(*) FROM schemacast_events WHERE schema_id = ?", id)
		}
		all.Wait()
	})
}

func TestOrphansAreOfQueuesThatExist(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		if _, err := g.Request(t.Context(), Request{SchemaIDs: []int64{g.insertCustomer()}, Queue: "schema"}); err == nil {
			t.Error("an unknown queue was accepted")
		}
		err := g.db.Exec("INSERT INTO schemacast_runs (id, schema_id, tenant_id, state, requested_ms, queue) VALUES ('x', 1, 'x', 'requested', 1, 'schema')").Error
		if err == nil {
			t.Error("a run in an unknown queue was stored, where the sweeper would not find it")
		}
		g.wantValue("0", fmt.Sprintf("SELECT count(*) FROM schemacast_runs WHERE queue <> '%s'", queueInteractive))
	})
}

// Another run begins and ends between the look at a row and the insert of the run that
// fails at once, which the uncommitted one holds up: what ended well must not fail.
func TestAbandonThatComesTooLate(t *testing.T) {
	t.Parallel()
	g := newGround(t, Config{Dialect: Postgres, DSN: testenv.Postgres(t)})
	id := g.insertCustomer()
	other := g.db.Begin()
	defer other.Rollback()
	g.must(other.Exec("INSERT INTO schemacast_runs (id, schema_id, active_schema_id, tenant_id, state, requested_ms) VALUES ('other', ?, ?, ?, 'running', 1)", id, id, g.tenant).Error)
	late := make(chan bool, 1)
	go func() {
		done, err := g.Abandon(t.Context(), run.Orphan{SchemaID: id}, time.Now(), putAway)
		if err != nil {
			t.Error(err)
		}
		late <- done
	}()
	g.await("SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
	g.must(other.Exec("UPDATE schemacast_runs SET state = 'completed', active_schema_id = NULL").Error)
	g.must(other.Exec("UPDATE schemas SET ai_analysis_status = 'completed' WHERE id = ?", id).Error)
	g.must(other.Commit().Error)
	if <-late {
		t.Error("a completed row was abandoned")
	}
	g.wantRow(id, "pending completed - -")
	g.wantValue("1", "SELECT count(*) FROM schemacast_runs")
}

// Requested is asked about schemas whose task has just ended, and knows no grace.
func TestRequestedOfSomeSchemas(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		young, backfill, running, fresh := g.insertCustomer(), g.insertCustomer(), g.insertCustomer(), g.insertCustomer()
		ended, unasked := g.insertCustomer(), g.insertCustomer()
		g.request("", 0, young, running, ended, unasked)
		g.request(queueBackfill, time.Hour, backfill)
		g.claim(running, "a")
		g.commit(g.claim(ended, "a"), createCustomer())
		found, err := g.Requested(t.Context(), []int64{ended, fresh, running, young, backfill, 99999})
		g.must(err)
		type key struct {
			ID       int64
			Tenant   string
			Backfill bool
		}
		var got []key
		for _, o := range found {
			got = append(got, key{o.SchemaID, o.TenantID, o.Backfill})
			g.wantValue(o.RunID, "SELECT id FROM schemacast_runs WHERE active_schema_id = ?", o.SchemaID)
		}
		want := []key{{backfill, g.tenant, true}, {young, g.tenant, false}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("requested (-want +got):\n%s", diff)
		}
		if none, err := g.Requested(t.Context(), nil); err != nil || len(none) != 0 {
			t.Errorf("of no schema: %v, %v", none, err)
		}
	})
}
