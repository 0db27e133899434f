package store

import (
	"errors"
	"testing"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
)

// slowClaims holds the commit of a claim inside of COMMIT.
func (f *faulty) slowClaims() {
	f.t.Helper()
	f.do(`CREATE FUNCTION slow_claim() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER slow_claim AFTER INSERT OR UPDATE ON schemacast_runs DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW WHEN (NEW.state = 'running') EXECUTE FUNCTION slow_claim()`)
}

// The claim reached the server and its reply nobody: its owner has the run at once when
// it asks again, another one finds it busy, and no attempt is used.
func TestReplyToClaimIsLost(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, nil)
	f.slowClaims()
	id, kept := f.insertCustomer(), f.insertCustomer()
	failed := make(chan error, 1)
	go func() {
		_, err := f.Claim(t.Context(), run.ClaimRequest{SchemaID: id, Owner: "a"})
		failed <- err
	}()
	f.awaitDirect(inCommit)
	f.proxy.Cut()
	if err := <-failed; !errors.Is(err, run.ErrUnavailable) {
		t.Fatalf("claim: %v, want ErrUnavailable", err)
	}
	f.awaitDirect("NOT " + inCommit)
	f.awaitDirect("EXISTS (SELECT FROM schemacast_runs WHERE state = 'running' AND owner = 'a')") // it was committed, and we do not know
	if _, err := f.Claim(t.Context(), run.ClaimRequest{SchemaID: id, Owner: "a"}); !errors.Is(err, run.ErrUnavailable) {
		t.Fatalf("claim while the database is away: %v, want ErrUnavailable", err)
	}
	f.proxy.Restore()
	f.do("DROP TRIGGER slow_claim ON schemacast_runs")

	var busy *run.BusyError
	if err := f.claimError(id, "b"); !errors.As(err, &busy) {
		t.Errorf("claim by another owner: %v, want a *BusyError", err)
	}
	c := f.claim(id, "a")
	if c.Attempt != 1 || c.Fence != 2 {
		t.Errorf("claim = attempt %d, fence %d; want 1 and 2", c.Attempt, c.Fence)
	}
	f.wantEvents(id, "1:started ")
	f.wantValue("released", "SELECT outcome FROM schemacast_attempts WHERE fence = 1")
	// What was answered is held, also against its own process.
	f.claim(kept, "a")
	for _, held := range []int64{id, kept} {
		if err := f.claimError(held, "a"); !errors.As(err, &busy) {
			t.Errorf("second claim of %d by its owner: %v, want a *BusyError", held, err)
		}
	}
	f.commit(c, createCustomer())
}

// The claim may have been another's by the time that the answer was missed.
func TestUnansweredClaimFreesNoOther(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		request := run.ClaimRequest{SchemaID: id, Owner: "a"}
		c := g.claim(id, "a")
		g.unanswered.keep(request, "never committed")
		var busy *run.BusyError
		if err := g.claimError(id, "a"); !errors.As(err, &busy) {
			t.Errorf("claim: %v, want a *BusyError", err)
		}
		call := g.value("SELECT claim_id FROM schemacast_runs")
		g.sql("UPDATE schemacast_runs SET heartbeat_ms = 1")
		b := g.claim(id, "b")
		g.unanswered.keep(request, call)
		if err := g.claimError(id, "a"); !errors.As(err, &busy) {
			t.Errorf("claim: %v, want a *BusyError", err)
		}
		g.must(g.Beat(t.Context(), b))
		if err := g.Beat(t.Context(), c); !errors.Is(err, run.ErrClaimLost) {
			t.Errorf("beat of a lost claim: %v", err)
		}
	})
}

func TestUnansweredClaimsAreBounded(t *testing.T) {
	t.Parallel()
	var u unansweredClaims
	for id := range int64(maxUnanswered + 10) {
		u.keep(run.ClaimRequest{SchemaID: id}, "x")
	}
	if len(u.calls) != maxUnanswered {
		t.Errorf("%d are kept, want %d", len(u.calls), maxUnanswered)
	}
	if u.take(run.ClaimRequest{SchemaID: 1}) != "x" || u.take(run.ClaimRequest{SchemaID: 1}) != "" {
		t.Error("a call is not taken once")
	}
}

func TestCheckpointCountsItsUsageOnce(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		c := g.claim(id, "a")
		usage := analysis.Usage{Calls: 1, PromptTokens: 10, CompletionTokens: 3}
		wantUsage := func(want string) {
			t.Helper()
			g.wantValue(want, "SELECT calls || ' ' || prompt_tokens || ' ' || completion_tokens FROM schemacast_runs")
		}
		for range 3 { // replies are lost
			g.must(g.Checkpoint(t.Context(), c, []byte("one"), usage))
		}
		wantUsage("1 10 3")
		g.must(g.Checkpoint(t.Context(), c, []byte("one, two"), usage))
		wantUsage("2 20 6")
		g.must(g.Release(t.Context(), c))
		if err := g.Checkpoint(t.Context(), c, []byte("one, two"), usage); !errors.Is(err, run.ErrClaimLost) {
			t.Errorf("checkpoint of a claim that was given back: %v", err)
		}
		again := g.claim(id, "a")
		g.must(g.Checkpoint(t.Context(), again, []byte("one, two"), usage))
		wantUsage("3 30 9") // another attempt really asked again
	})
}
