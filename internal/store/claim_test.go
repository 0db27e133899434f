package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/testenv"
)

func TestClaimOfAFreshRowStartsOneRun(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		c := g.claim(id, "a")
		if c.Attempt != 1 || c.Fence != 1 || len(c.Schema.Fields) != 2 || c.Schema.TenantName != "Globex" || c.Checkpoint != nil {
			t.Errorf("claim = %+v", c)
		}
		if c.Schema.CreatedAt.IsZero() {
			t.Error("the claim has no created_at")
		}
		g.wantRow(id, "pending processing - -")
		g.wantEvents(id, "1:started ")
		var busy *run.BusyError
		if err := g.claimError(id, "b"); !errors.As(err, &busy) || busy.Retry <= 0 || busy.Retry > g.cfg.StaleAfter {
			t.Errorf("second claim: %v (%+v), want a *BusyError with a wait", err, busy)
		}
	})
}

func TestOneOfManyClaimersWins(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		const claimers = 16
		errs := make(chan error, claimers)
		var start sync.WaitGroup
		start.Add(1)
		for range claimers {
			go func() {
				start.Wait()
				_, err := g.Claim(t.Context(), run.ClaimRequest{SchemaID: id, Owner: "x"})
				errs <- err
			}()
		}
		start.Done()
		won := 0
		for range claimers {
			err := <-errs
			var busy *run.BusyError
			if err == nil {
				won++
			} else if !errors.As(err, &busy) {
				t.Errorf("claim: %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d claimers won, want 1", won)
		}
		g.wantValue("1", "SELECT count(*) FROM schemacast_runs")
		g.wantEvents(id, "1:started ")
	})
}

// Another run begins and ends between the look at a row and the insert of its run,
// which the uncommitted one holds up.
func TestClaimThatComesTooLateStartsNoRun(t *testing.T) {
	t.Parallel()
	g := newGround(t, Config{Dialect: Postgres, DSN: testenv.Postgres(t)})
	id := g.insertCustomer()
	other := g.db.Begin()
	defer other.Rollback()
	g.must(other.Exec("INSERT INTO schemacast_runs (id, schema_id, active_schema_id, tenant_id, state, requested_ms) VALUES ('other', ?, ?, ?, 'running', 1)", id, id, g.tenant).Error)
	late := make(chan error, 1)
	go func() {
		_, err := g.Claim(t.Context(), run.ClaimRequest{SchemaID: id, Owner: "late"})
		late <- err
	}()
	g.await("SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
	g.must(other.Exec("UPDATE schemacast_runs SET state = 'completed', active_schema_id = NULL").Error)
	g.must(other.Exec("UPDATE schemas SET ai_analysis_status = 'completed' WHERE id = ?", id).Error)
	g.must(other.Commit().Error)
	if err := <-late; !errors.Is(err, run.ErrNothingToDo) {
		t.Errorf("late claim: %v, want ErrNothingToDo", err)
	}
	g.wantValue("1", "SELECT count(*) FROM schemacast_runs")
}

func TestClaimRefuses(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		if err := g.claimError(999, "a"); !errors.Is(err, run.ErrUnknownSchema) {
			t.Errorf("unknown schema: %v", err)
		}
		id := g.insertCustomer()
		_, err := g.Claim(t.Context(), run.ClaimRequest{SchemaID: id, TenantID: "other", Owner: "a"})
		var tenant *run.TenantError
		if !errors.As(err, &tenant) {
			t.Errorf("wrong tenant: %v", err)
		}
		g.wantRow(id, "pending pending - -")
		for _, change := range []string{"ai_analysis_status = 'completed'", "ai_analysis_status = 'failed'", "ai_analysis_status = 'disabled'", "status = 'confirmed'", "status = 'rejected'", "type = 'struct'", "type = 'entity'"} {
			id := g.insertCustomer()
			g.sql("UPDATE schemas SET "+change+" WHERE id = ?", id)
			if err := g.claimError(id, "a"); !errors.Is(err, run.ErrNothingToDo) {
				t.Errorf("%s: %v, want ErrNothingToDo", change, err)
			}
			g.wantEvents(id, "")
		}
		g.wantValue("0", "SELECT count(*) FROM schemacast_runs")
	})
}

// A wrong tenant must not cost an open run an attempt.
func TestClaimForAnotherTenantLeavesAnOpenRunAlone(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		_, err := g.Request(t.Context(), Request{SchemaIDs: []int64{id}, By: "me"})
		g.must(err)
		_, err = g.Claim(t.Context(), run.ClaimRequest{SchemaID: id, TenantID: "other", Owner: "a"})
		var tenant *run.TenantError
		if !errors.As(err, &tenant) {
			t.Fatalf("wrong tenant: %v", err)
		}
		g.wantValue("0", "SELECT attempts FROM schemacast_runs")
		g.wantValue("requested", "SELECT state FROM schemacast_runs")
	})
}

func TestRowsThatTheOldJobLeftAreTakenOverWhenAbandoned(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		g.sql("UPDATE schemas SET ai_analysis_status = 'processing' WHERE id = ?", id)
		if err := g.claimError(id, "a"); !errors.Is(err, run.ErrNothingToDo) {
			t.Errorf("a row in work: %v, want ErrNothingToDo", err)
		}
		g.sql("UPDATE schemas SET updated_at = '2020-01-01 00:00:00' WHERE id = ?", id)
		g.claim(id, "a")
	})
}

func TestStaleClaimsAreTakenAndTheirOwnersChangeNothing(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		a := g.claim(id, "a")
		g.must(g.Checkpoint(t.Context(), a, []byte(`{"raw":1}`), analysis.Usage{Calls: 1, PromptTokens: 10}))
		g.sql("UPDATE schemacast_runs SET heartbeat_ms = heartbeat_ms - 31000")
		b := g.claim(id, "b")
		if b.RunID != a.RunID || b.Fence != 2 || b.Attempt != 2 || string(b.Checkpoint) != `{"raw":1}` {
			t.Errorf("second claim = %+v, want the same run with fence 2 and the checkpoint", b)
		}
		_, commitErr := g.Commit(t.Context(), a, decision(a, createCustomer()))
		for name, err := range map[string]error{
			"beat":       g.Beat(t.Context(), a),
			"checkpoint": g.Checkpoint(t.Context(), a, []byte("x"), analysis.Usage{}),
			"progress":   g.Progress(t.Context(), a, schema.Progress{Stage: "ask"}),
			"commit":     commitErr,
			"fail":       g.Fail(t.Context(), a, run.Failure{Code: run.CodeInternal, Text: "x"}),
			"retry":      g.Retry(t.Context(), a, run.Failure{Code: run.CodeInternal, Text: "x"}, false),
			"release":    g.Release(t.Context(), a),
		} {
			if !errors.Is(err, run.ErrClaimLost) {
				t.Errorf("%s of a lost claim: %v, want ErrClaimLost", name, err)
			}
		}
		g.wantRow(id, "pending processing - -")
		g.wantEvents(id, "1:started ")
		g.wantValue("1", "SELECT count(*) FROM schemas")
		g.wantValue("lost", "SELECT outcome FROM schemacast_attempts WHERE fence = 1")
		if got := g.commit(b, createCustomer()).State; got != run.OutcomeCompleted {
			t.Errorf("commit by the new owner: %s", got)
		}
		g.wantEvents(id, "1:started 2:completed ")
	})
}

func TestBudgetOfAttempts(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		for attempt := 1; attempt <= 6; attempt++ {
			if c := g.claim(id, "a"); c.Attempt != attempt {
				t.Fatalf("attempt %d, want %d", c.Attempt, attempt)
			}
			g.sql("UPDATE schemacast_runs SET heartbeat_ms = 0")
		}
		var ended *run.EndedError
		if err := g.claimError(id, "a"); !errors.As(err, &ended) || ended.Failure.Code != run.CodeWorkerLost {
			t.Fatalf("seventh claim: %v, want the run to be ended", err)
		}
		g.wantEvents(id, "1:started 2:failed ")
		g.wantValue("failed", "SELECT ai_analysis_status FROM schemas WHERE id = ?", id)
		if err := g.claimError(id, "a"); !errors.Is(err, run.ErrNothingToDo) {
			t.Errorf("claim of a failed run: %v", err)
		}
	})
}

func TestRetryUsesAnAttemptAndReleaseDoesNot(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		failure := run.Failure{Code: run.CodeLLMUnavailable, Text: "the model is down"}
		for _, giveBack := range []func(*run.Claim) error{
			func(c *run.Claim) error { return g.Retry(t.Context(), c, failure, false) },
			func(c *run.Claim) error { return g.Retry(t.Context(), c, failure, true) },
			func(c *run.Claim) error { return g.Release(t.Context(), c) },
		} {
			c := g.claim(id, "a")
			g.must(giveBack(c))
			g.must(giveBack(c)) // the first reply was lost
		}
		c := g.claim(id, "a")
		if c.Attempt != 2 || c.Fence != 4 {
			t.Errorf("claim = attempt %d, fence %d; want 2 and 4", c.Attempt, c.Fence)
		}
		g.wantRow(id, "pending processing - -")
		g.wantEvents(id, "1:started ")
		g.wantValue("retry llm_unavailable", "SELECT outcome || ' ' || error_code FROM schemacast_attempts WHERE fence = 1")
		g.wantValue("released", "SELECT outcome FROM schemacast_attempts WHERE fence = 3")
	})
}

func TestRowsThatCanNotBeAnalysed(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insert(g.tenant, "h1", `{"not":"a list"}`)
		c, err := g.Claim(t.Context(), run.ClaimRequest{SchemaID: id, Owner: "a"})
		var fields *schema.FieldsError
		if !errors.As(err, &fields) || c == nil {
			t.Fatalf("claim: %v %v, want a claim with a *FieldsError", c, err)
		}
		g.must(g.Fail(t.Context(), c, run.Failure{Code: run.CodeBadFields, Text: fields.Error()}))
		g.must(g.Fail(t.Context(), c, run.Failure{Code: run.CodeBadFields, Text: fields.Error()}))
		g.wantEvents(id, "1:started 2:failed ")
		g.wantRow(id, `pending failed - detected_fields is an object, not a list; store a list of objects with "name" and "type"`)
	})
}

// SQLite's columns take any text.
func TestTextThatIsNoJSONFailsInClearWords(t *testing.T) {
	t.Parallel()
	g := newGround(t, Config{Dialect: SQLite, DSN: filepath.Join(t.TempDir(), "app.db")})
	id := g.insert(g.tenant, "h1", `[{"name":`)
	c, err := g.Claim(t.Context(), run.ClaimRequest{SchemaID: id, Owner: "a"})
	var fields *schema.FieldsError
	if !errors.As(err, &fields) || c == nil {
		t.Fatalf("claim: %v %v, want a claim with a *FieldsError", c, err)
	}
	g.wantEvents(id, "1:started ")
	g.wantTake("r1", fmt.Sprintf("%d/1:started ", id))
}
