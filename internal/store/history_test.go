package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
)

func TestHistoryTellsEveryAttempt(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		down := run.Failure{Code: run.CodeLLMUnavailable, Text: "the model is down"}
		g.must(g.Retry(t.Context(), g.claim(id, "a"), down, false))
		g.claim(id, "b")
		g.sql("UPDATE schemacast_runs SET heartbeat_ms = 1")
		c := g.claim(id, "c")
		usage := analysis.Usage{Calls: 2, CachedCalls: 1, PromptTokens: 10, CompletionTokens: 5, Estimated: true,
			CachedTokens: 4, ReasoningTokens: 3, CostMicros: 1234, PricedCalls: 2}
		g.must(g.Checkpoint(t.Context(), c, []byte("x"), usage))
		g.commit(c, createCustomer())
		_, err := g.Request(t.Context(), Request{SchemaIDs: []int64{id}, By: "me", Force: true, Queue: queueBackfill})
		g.must(err)
		g.claim(id, "d")

		runs, err := g.History(t.Context(), id, g.tenant, 10)
		g.must(err)
		entity := toID(t, g.value("SELECT id FROM schemas WHERE type = 'struct'"))
		want := []Run{
			{
				TenantID: g.tenant, State: "running", RequestedBy: "me", Force: true, Queue: queueBackfill, AttemptCount: 1,
				Attempts: []Attempt{{Number: 1, Times: 1, Owner: "d"}},
			},
			{
				TenantID: g.tenant, State: "completed", Outcome: run.OutcomeCompleted, Usage: usage, Engine: "offline", EntityID: entity, AttemptCount: 3,
				Attempts: []Attempt{
					{Number: 1, Times: 1, Owner: "a", Outcome: "retry", Failure: down},
					{Number: 2, Times: 1, Owner: "b", Outcome: "lost", Failure: run.Failure{Code: run.CodeWorkerLost}},
					{Number: 3, Times: 1, Owner: "c", Outcome: "completed"},
				},
			},
		}
		times := cmpopts.IgnoreTypes(time.Time{})
		if diff := cmp.Diff(want, runs, times, cmpopts.IgnoreFields(Run{}, "ID")); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		first, second := runs[1], runs[0]
		if first.ID == second.ID || len(first.ID) != 26 || first.Ended.IsZero() || !second.Ended.IsZero() || second.Requested.Before(first.Ended.Add(-time.Millisecond)) ||
			first.Attempts[1].Ended.IsZero() || !second.Attempts[0].Ended.IsZero() || second.Attempts[0].Started.IsZero() {
			t.Errorf("times of %+v", runs)
		}
		if short, err := g.History(t.Context(), id, "", 1); err != nil || len(short) != 1 || short[0].ID != second.ID {
			t.Errorf("the newest run = %+v, %v", short, err)
		}
	})
}

func TestHistoryOfUnknownSchemas(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id, fresh := g.insertCustomer(), g.insertCustomer()
		g.commit(g.claim(id, "a"), createCustomer())
		if runs, err := g.History(t.Context(), fresh, g.tenant, 9); err != nil || len(runs) != 0 {
			t.Errorf("without a run: %v %v", runs, err)
		}
		for _, of := range []struct {
			id     int64
			tenant string
		}{{99999, ""}, {id, "other"}, {fresh, "other"}} {
			if _, err := g.History(t.Context(), of.id, of.tenant, 9); !errors.Is(err, run.ErrUnknownSchema) {
				t.Errorf("history of %+v: %v, want ErrUnknownSchema", of, err)
			}
		}
		g.sql("DELETE FROM schemas WHERE id = ?", id)
		if runs, err := g.History(t.Context(), id, g.tenant, 9); err != nil || len(runs) != 1 {
			t.Errorf("of a deleted row: %v %v", runs, err)
		}
	})
}

// A run that waited for its provider for a day has thousands of attempts.
func TestHistoryOfALongWait(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		c := g.claim(id, "a")
		g.sql("INSERT INTO schemacast_attempts (run_id, fence, owner, started_ms) WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "+
			"SELECT ?, i, 'a', i FROM n", c.RunID)
		runs, err := g.History(t.Context(), id, "", 9)
		g.must(err)
		r := runs[0]
		if r.AttemptCount != 3000 || len(r.Attempts) != maxAttemptsShown || r.Attempts[0].Number != 2901 || r.Attempts[99].Number != 3000 {
			t.Errorf("%d attempts, %d of them shown", r.AttemptCount, len(r.Attempts))
		}
	})
}

// A run that waits for its provider is claimed and snoozed every few seconds, by any
// worker. Its history grows with what happened, not with the time.
func TestSnoozesInARowAreOneEntry(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		closed := func(n int) run.Failure {
			return run.Failure{Code: run.CodeLLMUnavailable, Text: fmt.Sprintf("not asked again for %d s", n)}
		}
		limited := run.Failure{Code: run.CodeLLMRateLimited, Text: "too many requests"}
		first := time.Now().Add(-time.Minute).UnixMilli()
		for n := range 40 {
			g.must(g.Retry(t.Context(), g.claim(id, fmt.Sprint("w", n%3)), closed(40-n), true))
			if n == 0 {
				g.sql("UPDATE schemacast_attempts SET started_ms = ?", first)
			}
		}
		g.must(g.Retry(t.Context(), g.claim(id, "w0"), limited, true))
		g.must(g.Retry(t.Context(), g.claim(id, "w0"), closed(9), false)) // these count, and stay
		g.must(g.Retry(t.Context(), g.claim(id, "w0"), closed(8), false))
		for range 3 {
			g.must(g.Release(t.Context(), g.claim(id, "w1")))
		}
		g.must(g.Retry(t.Context(), g.claim(id, "w1"), closed(7), true))
		c := g.claim(id, "w2")
		if c.Attempt != 3 {
			t.Errorf("attempt %d, want 3: two were used", c.Attempt)
		}
		runs, err := g.History(t.Context(), id, "", 9)
		g.must(err)
		want := []Attempt{
			{Number: 40, Times: 40, Owner: "w0", Outcome: "snoozed", Failure: closed(1)},
			{Number: 41, Times: 1, Owner: "w0", Outcome: "snoozed", Failure: limited},
			{Number: 42, Times: 1, Owner: "w0", Outcome: "retry", Failure: closed(9)},
			{Number: 43, Times: 1, Owner: "w0", Outcome: "retry", Failure: closed(8)},
			{Number: 46, Times: 3, Owner: "w1", Outcome: "released"},
			{Number: 47, Times: 1, Owner: "w1", Outcome: "snoozed", Failure: closed(7)},
			{Number: 48, Times: 1, Owner: "w2"},
		}
		if diff := cmp.Diff(want, runs[0].Attempts, cmpopts.IgnoreTypes(time.Time{})); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if folded := runs[0].Attempts[0]; folded.Started.UnixMilli() != first || folded.Ended.UnixMilli() < first+60_000 {
			t.Errorf("the snoozes lasted from %s to %s, want from the first one's start to the last one's end", folded.Started, folded.Ended)
		}
		if runs[0].AttemptCount != 48 {
			t.Errorf("%d attempts in all, want 48", runs[0].AttemptCount)
		}
	})
}

func TestFailedSchemas(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		fail := func(code run.Code) int64 {
			id := g.insertCustomer()
			g.must(g.Fail(t.Context(), g.claim(id, "a"), run.Failure{Code: code, Text: "about " + string(code)}))
			return id
		}
		quota, timeout, again, fixed := fail(run.CodeLLMQuota), fail(run.CodeTimeout), fail(run.CodeTimeout), fail(run.CodeTimeout)
		g.request("", 0, again)
		g.request("", 0, fixed)
		g.commit(g.claim(fixed, "a"), createCustomer())
		old := g.insertCustomer()
		g.sql("UPDATE schemas SET ai_analysis_status = 'failed', ai_analysis_error = 'by the old job', ai_analyzed_at = '2020-05-01 10:00:00', name = 'n' WHERE id = ?", old)
		foreign := g.insert("other", "f", customer)
		g.must(g.Fail(t.Context(), g.claim(foreign, "a"), run.Failure{Code: run.CodeTimeout, Text: "x"}))
		// The last run counts, not one before.
		twice := fail(run.CodeTimeout)
		g.request("", 0, twice)
		g.must(g.Fail(t.Context(), g.claim(twice, "a"), run.Failure{Code: run.CodeLLMQuota, Text: "y"}))

		list := func(f FailedFilter) []int64 {
			t.Helper()
			var ids []int64
			for after := int64(0); ; {
				page, err := g.Failed(t.Context(), f, after, 2)
				g.must(err)
				if len(page) == 0 {
					return ids
				}
				for _, s := range page {
					ids = append(ids, s.SchemaID)
				}
				after = page[len(page)-1].SchemaID
			}
		}
		hour := time.Now().Add(-time.Hour)
		for _, test := range []struct {
			name   string
			filter FailedFilter
			want   []int64
		}{
			{"all", FailedFilter{}, []int64{quota, timeout, old, foreign, twice}},
			{"a tenant's", FailedFilter{TenantID: g.tenant}, []int64{quota, timeout, old, twice}},
			{"a code", FailedFilter{TenantID: g.tenant, Codes: []run.Code{run.CodeLLMQuota}}, []int64{quota, twice}},
			{"codes", FailedFilter{Codes: []run.Code{run.CodeTimeout, run.CodePoison}}, []int64{timeout, foreign}},
			{"recent", FailedFilter{TenantID: g.tenant, Since: hour}, []int64{quota, timeout, twice}},
			{"none yet", FailedFilter{Since: time.Now().Add(time.Hour)}, nil},
		} {
			if diff := cmp.Diff(test.want, list(test.filter)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
		}
		page, err := g.Failed(t.Context(), FailedFilter{TenantID: g.tenant}, timeout, 1)
		g.must(err)
		want := []FailedSchema{{SchemaID: old, TenantID: g.tenant, Name: "n", Failure: run.Failure{Text: "by the old job"}, Failed: time.Date(2020, 5, 1, 10, 0, 0, 0, time.UTC)}}
		if diff := cmp.Diff(want, page); diff != "" {
			t.Errorf("of the old job (-want +got):\n%s", diff)
		}
	})
}

// The wish for force is not lost on a run that is open: it is kept, or refused in
// words.
func TestRequestOfWhatIsOpen(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		waiting, running, ending := g.insertCustomer(), g.insertCustomer(), g.insertCustomer()
		g.request(queueBackfill, time.Hour, waiting, running, ending)
		g.claim(running, "a")
		g.claim(ending, "a")
		g.wantCancel(ending, Cancelled{State: CancelStopping})
		ask := func(force bool) string {
			answers, err := g.Request(t.Context(), Request{SchemaIDs: []int64{waiting, running, ending}, By: "other", Force: force})
			g.must(err)
			text := ""
			for _, a := range answers {
				text += fmt.Sprintf("%s: %s\n", a.State, a.Reason)
			}
			return text
		}
		if diff := cmp.Diff("already_open: \nalready_open: \nalready_open: "+inTheEnd+"\n", ask(false)); diff != "" {
			t.Errorf("without force (-want +got):\n%s", diff)
		}
		flags := "SELECT CASE WHEN force THEN 'force' ELSE 'no' END || ' ' || queue || ' ' || requested_by FROM schemacast_runs WHERE schema_id = ?"
		g.wantValue("no  me", flags, waiting) // it moved to the interactive queue
		g.wantValue("no "+queueBackfill+" me", flags, running)
		if diff := cmp.Diff("already_open: \nalready_open: "+forceTooLate+"\nalready_open: "+inTheEnd+"\n", ask(true)); diff != "" {
			t.Errorf("with force (-want +got):\n%s", diff)
		}
		g.wantValue("force  me", flags, waiting)
		g.wantValue("no "+queueBackfill+" me", flags, running)
		if c := g.claim(waiting, "a"); !c.Force {
			t.Error("the claim has no force")
		}
		g.wantValue("3", "SELECT count(*) FROM schemacast_runs")
	})
}

// Requests that meet the ends of runs: each is either served by the run that was open,
// or opens a new one. Force is never lost in between.
func TestForceAgainstCommits(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		for range 16 {
			id := g.insertCustomer()
			g.request("", 0, id)
			c := g.claim(id, "a")
			ended, asked := make(chan error, 1), make(chan []Requested, 1)
			go func() {
				ended <- g.Fail(t.Context(), c, run.Failure{Code: run.CodeInternal, Text: "x"})
			}()
			go func() {
				answers, err := g.Request(t.Context(), Request{SchemaIDs: []int64{id}, By: "me", Force: true})
				if err != nil {
					t.Error(err)
				}
				asked <- answers
			}()
			g.must(<-ended)
			answers := <-asked
			if len(answers) != 1 {
				t.FailNow()
			}
			open := g.value("SELECT count(*) FROM schemacast_runs WHERE active_schema_id = ? AND force", id)
			switch a := answers[0]; {
			case a.State == RequestAccepted && open == "1" && g.row(id)[:15] == "pending pending":
			case a.State == RequestAlreadyOpen && a.Reason == forceTooLate && open == "0":
			default:
				t.Errorf("answer %+v with %s open runs and the row %s", a, open, g.row(id))
			}
		}
	})
}
