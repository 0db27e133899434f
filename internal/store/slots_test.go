package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/testenv"
)

// claimAll claims each schema at the same time as all others, and returns who won.
func (g *ground) claimAll(slots int, ids []int64) (won []*run.Claim, busy int) {
	g.t.Helper()
	type answer struct {
		claim *run.Claim
		err   error
	}
	answers := make(chan answer, len(ids))
	start := make(chan struct{})
	for i, id := range ids {
		go func() {
			<-start
			c, err := g.Claim(g.t.Context(), run.ClaimRequest{SchemaID: id, Owner: fmt.Sprintf("worker %d", i), TenantSlots: slots})
			answers <- answer{c, err}
		}()
	}
	close(start)
	for range ids {
		a := <-answers
		var full *run.TenantBusyError
		switch {
		case a.err == nil:
			won = append(won, a.claim)
		case errors.As(a.err, &full) && full.Slots == slots:
			busy++
		default:
			g.t.Errorf("claim: %v", a.err)
		}
	}
	return won, busy
}

func wantExactSlots(t *testing.T, g *ground) {
	const slots, schemas = 5, 16
	var ids []int64
	for i := range schemas {
		ids = append(ids, g.insertCustomer())
		if i%2 == 0 {
			g.request(queueBackfill, 0, ids[i])
		}
	}
	foreign := g.insert("other", "f", customer)
	g.claim(foreign, "a")
	for range 3 {
		won, busy := g.claimAll(slots, ids)
		if len(won) != slots || busy != schemas-slots {
			t.Errorf("%d claims were given and %d refused, want %d and %d", len(won), busy, slots, schemas-slots)
		}
		g.wantValue("0", "SELECT count(*) FROM schemacast_runs WHERE state = 'requested' AND (attempts > 0 OR fence > 3 OR started_ms IS NOT NULL AND fence = 0)")
		for _, c := range won {
			g.must(g.Release(t.Context(), c))
		}
	}
}

func TestTenantSlotsAreExact(t *testing.T) {
	conformance(t, wantExactSlots)
}

// A database may have another isolation for its default, under which a transaction
// would not see the claims that it waited for.
func TestTenantSlotsAreExactUnderAnyDefaultIsolation(t *testing.T) {
	t.Parallel()
	g := newGround(t, Config{Dialect: Postgres, DSN: testenv.Postgres(t)})
	g.sql("DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET default_transaction_isolation = ''repeatable read'''; END $$")
	wantExactSlots(t, g.another(func(*Config) {}))
}

func TestTenantSlotsRefuseWithoutATrace(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		taken, waiting, fresh := g.insertCustomer(), g.insertCustomer(), g.insertCustomer()
		c := g.claim(taken, "a")
		g.request("", 0, waiting)
		snapshot := func() string {
			return g.value("SELECT count(*) || ' ' || sum(fence) || ' ' || sum(attempts) FROM schemacast_runs") + g.row(waiting) + g.row(fresh) +
				g.events(waiting) + g.events(fresh) + g.value("SELECT count(*) FROM schemacast_attempts")
		}
		before := snapshot()
		for _, id := range []int64{waiting, fresh} {
			_, err := g.Claim(t.Context(), run.ClaimRequest{SchemaID: id, Owner: "b", TenantSlots: 1})
			var full *run.TenantBusyError
			if !errors.As(err, &full) {
				t.Errorf("claim: %v, want a *TenantBusyError", err)
			}
		}
		if after := snapshot(); after != before {
			t.Errorf("%q became %q", before, after)
		}
		// An owner that is gone holds no slot, and its own run is not counted against it.
		g.sql("UPDATE schemacast_runs SET heartbeat_ms = heartbeat_ms - 31000 WHERE id = ?", c.RunID)
		for _, id := range []int64{taken, waiting} {
			_, err := g.Claim(t.Context(), run.ClaimRequest{SchemaID: id, Owner: "b", TenantSlots: 2})
			g.must(err)
		}
	})
}

// What is no work needs no slot: its task can go.
func TestTenantSlotsKeepTheReasonsOfARefusal(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		taken, done := g.insertCustomer(), g.insertCustomer()
		g.claim(taken, "a")
		g.sql("UPDATE schemas SET ai_analysis_status = 'completed' WHERE id = ?", done)
		claim := func(id int64, tenant string) error {
			_, err := g.Claim(t.Context(), run.ClaimRequest{SchemaID: id, TenantID: tenant, Owner: "b", TenantSlots: 1})
			return err
		}
		var busy *run.BusyError
		var tenant *run.TenantError
		if err := claim(taken, ""); !errors.As(err, &busy) {
			t.Errorf("a run in work: %v", err)
		}
		if err := claim(done, ""); !errors.Is(err, run.ErrNothingToDo) {
			t.Errorf("a completed row: %v", err)
		}
		if err := claim(99999, ""); !errors.Is(err, run.ErrUnknownSchema) {
			t.Errorf("no row: %v", err)
		}
		if err := claim(g.insert("other", "f", customer), g.tenant); !errors.As(err, &tenant) {
			t.Errorf("a row of another tenant: %v", err)
		}
	})
}

// Without a limit nobody waits for the lock that a limit needs.
func TestNoTenantLockWithoutALimit(t *testing.T) {
	t.Parallel()
	g := newGround(t, Config{Dialect: Postgres, DSN: testenv.Postgres(t)})
	holder := g.db.Begin()
	defer holder.Rollback()
	g.must(holder.Exec(g.dialect.lockTenant, g.tenant).Error)
	limited := g.insertCustomer()
	g.claim(g.insertCustomer(), "a")
	waits := make(chan error, 1)
	go func() {
		_, err := g.Claim(t.Context(), run.ClaimRequest{SchemaID: limited, Owner: "b", TenantSlots: 9})
		waits <- err
	}()
	g.await("SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
	select {
	case err := <-waits:
		t.Errorf("the claim with a limit did not wait: %v", err)
	default:
	}
	g.must(holder.Commit().Error)
	g.must(<-waits)
}

// The process that is at work now lives, so it was not this run that ended it before.
func TestPoison(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		lose := func(owner string) *run.Claim {
			c := g.claim(id, owner)
			g.sql("UPDATE schemacast_runs SET heartbeat_ms = 0")
			return c
		}
		lose("a")
		g.must(g.Retry(t.Context(), g.claim(id, "b"), run.Failure{Code: run.CodeLLMUnavailable, Text: "x"}, false))
		g.must(g.Release(t.Context(), g.claim(id, "c")))
		lose("a") // the database was away from it twice
		if c := lose("d"); c.Attempt != 4 {
			t.Errorf("claim = %+v", c)
		}
		lose("e")
		var ended *run.EndedError
		if err := g.claimError(id, "f"); !errors.As(err, &ended) || ended.Failure.Code != run.CodePoison || !strings.Contains(ended.Failure.Text, "ended the worker 3 times") {
			t.Fatalf("claim of what three workers died of: %v, want it to be poison", err)
		}
		g.wantEvents(id, "1:started 2:failed ")
		g.wantValue("failed", "SELECT ai_analysis_status FROM schemas WHERE id = ?", id)
		// Asking again begins from nothing.
		g.request("", 0, id)
		if c := g.claim(id, "f"); c.Attempt != 1 {
			t.Errorf("claim = %+v", c)
		}
	})
}

func TestAgeCountsFromTheFirstClaim(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		g.request("", time.Hour, id)
		c := g.claim(id, "a")
		if c.Age > time.Minute {
			t.Errorf("age of a first claim = %s, want it to begin with the claim, not with the request", c.Age)
		}
		g.must(g.Release(t.Context(), c))
		g.sql("UPDATE schemacast_runs SET started_ms = started_ms - 60000")
		if c := g.claim(id, "a"); c.Age.Round(time.Minute) != time.Minute {
			t.Errorf("age = %s, want a minute", c.Age)
		}
	})
}
