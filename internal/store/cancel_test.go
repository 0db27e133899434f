package store

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
)

// cancel asks in the name of ops, and leaves out what every answer has.
func (g *ground) cancel(ids ...int64) []Cancelled {
	g.t.Helper()
	answers, err := g.Cancel(g.t.Context(), CancelRequest{SchemaIDs: ids, TenantID: g.tenant, By: "ops"})
	g.must(err)
	for i, a := range answers {
		if a.SchemaID != ids[i] || (a.State == CancelUnknown) == (a.TenantID == g.tenant) {
			g.t.Errorf("answer %d = %+v", i, a)
		}
		if (a.State == CancelStopping) != (a.Fence > 0) {
			g.t.Errorf("answer %d = %+v, want a fence with what is stopping", i, a)
		}
		answers[i].SchemaID, answers[i].TenantID, answers[i].Fence = 0, "", 0
	}
	return answers
}

func (g *ground) wantCancel(id int64, want Cancelled) {
	g.t.Helper()
	if diff := cmp.Diff([]Cancelled{want}, g.cancel(id)); diff != "" {
		g.t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestCancelEndsWhatNobodyWorksOn(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		for name, prepare := range map[string]func(id int64) (events string){
			"fresh row": func(int64) string { return "1:failed " },
			"requested": func(id int64) string { g.request("", 0, id); return "1:failed " },
			"given back": func(id int64) string {
				g.must(g.Retry(t.Context(), g.claim(id, "a"), run.Failure{Code: run.CodeLLMUnavailable, Text: "x"}, false))
				return "1:started 2:failed "
			},
			"owner gone": func(id int64) string {
				g.claim(id, "a")
				g.sql("UPDATE schemacast_runs SET heartbeat_ms = 1 WHERE schema_id = ?", id)
				return "1:started 2:failed "
			},
			"left by the old job": func(id int64) string {
				g.sql("UPDATE schemas SET ai_analysis_status = 'processing', updated_at = '2020-01-01 00:00:00' WHERE id = ?", id)
				return "1:failed "
			},
		} {
			id := g.insertCustomer()
			events := prepare(id)
			g.wantCancel(id, Cancelled{State: CancelDone})
			g.wantRow(id, "pending failed - cancelled by ops")
			g.wantEvents(id, events)
			g.wantValue("failed cancelled cancelled", "SELECT state || ' ' || outcome || ' ' || error_code FROM schemacast_runs WHERE schema_id = ?", id)
			g.wantCancel(id, Cancelled{State: CancelNothingOpen, Reason: "its analysis has failed"})
			g.wantEvents(id, events)
			if err := g.claimError(id, "b"); !errors.Is(err, run.ErrNothingToDo) {
				t.Errorf("%s: claim after the cancel: %v", name, err)
			}
		}
	})
}

func TestCancelOfWhatIsNotOpen(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		for change, reason := range map[string]string{
			"ai_analysis_status = 'completed'":  "its analysis has completed",
			"ai_analysis_status = 'disabled'":   "its analysis is disabled",
			"ai_analysis_status = 'processing'": "another program than the workers says that it is analysing it",
			"status = 'rejected'":               "nobody asked for its analysis: a human set it to rejected",
			"type = 'struct'":                   "it is a canonical entity, which is not analysed",
		} {
			id := g.insertCustomer()
			g.sql("UPDATE schemas SET "+change+" WHERE id = ?", id)
			before := g.row(id)
			g.wantCancel(id, Cancelled{State: CancelNothingOpen, Reason: reason})
			if after := g.row(id); after != before {
				t.Errorf("%s: %q became %q", change, before, after)
			}
		}
		g.wantCancel(99999, Cancelled{State: CancelUnknown})
		waiting, running := g.insert("other", "f1", customer), g.insert("other", "f2", customer)
		g.claim(running, "a")
		for _, id := range []int64{waiting, running} {
			g.wantCancel(id, Cancelled{State: CancelUnknown})
		}
		g.wantRow(waiting, "pending pending - -")
		g.wantValue("1", "SELECT count(*) FROM schemacast_runs WHERE state = 'running' AND cancelled_by = ''")
	})
}

// The owner of a cancelled run is told at its next heartbeat, and whatever it does
// instead ends the run as cancelled, once.
func TestCancelOfWhatIsWorkedOn(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		for name, end := range map[string]func(c *run.Claim) error{
			"fail": func(c *run.Claim) error {
				return g.Fail(t.Context(), c, run.Failure{Code: run.CodeLLMQuota, Text: "no money"})
			},
			"retry": func(c *run.Claim) error {
				return g.Retry(t.Context(), c, run.Failure{Code: run.CodeLLMUnavailable, Text: "x"}, false)
			},
			"release": func(c *run.Claim) error { return g.Release(t.Context(), c) },
			"commit": func(c *run.Claim) error {
				outcome := g.commit(c, createCustomer())
				if outcome.State != run.OutcomeCancelled {
					t.Errorf("outcome = %+v", outcome)
				}
				return nil
			},
		} {
			id := g.insertCustomer()
			c := g.claim(id, "a")
			g.wantCancel(id, Cancelled{State: CancelStopping})
			g.wantCancel(id, Cancelled{State: CancelStopping})
			if _, err := g.Cancel(t.Context(), CancelRequest{SchemaIDs: []int64{id}, By: "too late"}); err != nil {
				t.Error(err)
			}
			var cancelled *run.CancelledError
			if err := g.Beat(t.Context(), c); !errors.As(err, &cancelled) || cancelled.By != "ops" {
				t.Errorf("beat: %v, want a *CancelledError", err)
			}
			g.must(g.Checkpoint(t.Context(), c, []byte("paid"), analysis.Usage{Calls: 1}))
			for range 2 { // the first reply may be lost
				if err := end(c); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			g.wantRow(id, "pending failed - cancelled by ops")
			g.wantEvents(id, "1:started 2:failed ")
			g.wantValue("1", "SELECT calls FROM schemacast_runs WHERE schema_id = ?", id)
			g.wantCancel(id, Cancelled{State: CancelNothingOpen, Reason: "its analysis has failed"})
		}
		g.wantValue("0", "SELECT count(*) FROM schemas WHERE type = 'struct'")
	})
}

// A cancelled run whose owner died is ended by the next claim.
func TestCancelledRunOfALostOwner(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		g.claim(id, "a")
		g.wantCancel(id, Cancelled{State: CancelStopping})
		g.sql("UPDATE schemacast_runs SET heartbeat_ms = 1")
		var ended *run.EndedError
		if err := g.claimError(id, "b"); !errors.As(err, &ended) || ended.Failure.Code != run.CodeCancelled {
			t.Errorf("claim: %v, want the run to end as cancelled", err)
		}
		g.wantRow(id, "pending failed - cancelled by ops")
		g.wantEvents(id, "1:started 2:failed ")
	})
}

// Many cancel while many commit: each run ends once, and the answer to the cancel, the
// row and the event agree.
func TestCancelAgainstCommit(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		entity := g.insertCustomer()
		g.commit(g.claim(entity, "a"), createCustomer())
		target := g.value("SELECT id FROM schemas WHERE type = 'struct'")
		var all sync.WaitGroup
		for range 16 {
			id := g.insertCustomer()
			c := g.claim(id, "a")
			var outcome run.Outcome
			var answers []Cancelled
			all.Add(2)
			start := make(chan struct{})
			go func() {
				defer all.Done()
				<-start
				var err error
				outcome, err = g.Commit(t.Context(), c, decision(c, mapTo(toID(t, target))))
				if err != nil {
					t.Error(err)
				}
			}()
			go func() {
				defer all.Done()
				<-start
				var err error
				answers, err = g.Cancel(t.Context(), CancelRequest{SchemaIDs: []int64{id}, By: "ops"})
				if err != nil {
					t.Error(err)
				}
			}()
			close(start)
			all.Wait()
			if t.Failed() {
				return
			}
			switch answers[0].State {
			case CancelStopping:
				if outcome.State != run.OutcomeCancelled {
					t.Errorf("the cancel came in time, but the outcome is %s", outcome.State)
				}
				g.wantRow(id, "pending failed - cancelled by ops")
				g.wantEvents(id, "1:started 2:failed ")
			case CancelNothingOpen:
				if outcome.State != run.OutcomeCompleted {
					t.Errorf("the cancel came too late, but the outcome is %s", outcome.State)
				}
				g.wantEvents(id, "1:started 2:completed ")
			default:
				t.Errorf("answer = %+v", answers[0])
			}
		}
	})
}

func TestCancelDefaultsToAnOperator(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		_, err := g.Cancel(t.Context(), CancelRequest{SchemaIDs: []int64{id}})
		g.must(err)
		g.wantRow(id, "pending failed - cancelled by an operator")
	})
}
