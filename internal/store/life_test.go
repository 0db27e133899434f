package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

var sampleUsage = analysis.Usage{Calls: 1, PromptTokens: 10, CompletionTokens: 1}

func deliveriesOf(events []schema.Event) []broadcast.Delivery {
	deliveries := make([]broadcast.Delivery, len(events))
	for i, e := range events {
		deliveries[i] = broadcast.Delivery{SchemaID: e.SchemaID, Seq: e.Seq}
	}
	return deliveries
}

// life is one schema to which everything happens in any order.
type life struct {
	*ground
	entity  int64
	id      int64
	claims  []*run.Claim // also those that were lost
	current *run.Claim   // nil when nobody owns the run
}

// Whatever workers, operators and the sweeper do, in any order: a run has exactly one
// terminal event once it ended and none before, the row says what the last run does,
// and a claim that is not current changes nothing.
func TestAnyOrderOfWhatCanHappen(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		first := g.insertCustomer()
		g.commit(g.claim(first, "a"), createCustomer())
		entity := toID(t, g.value("SELECT id FROM schemas WHERE type = 'struct'"))
		rapid.Check(t, func(r *rapid.T) {
			l := &life{ground: g, entity: entity, id: g.insertCustomer()}
			steps := map[string]func(){
				"claim": l.take,
				"request": func() {
					l.want(g.Request(t.Context(), Request{SchemaIDs: []int64{l.id}, By: "me", Force: rapid.Bool().Draw(r, "force")}))
				},
				"cancel": func() { l.want(g.Cancel(t.Context(), CancelRequest{SchemaIDs: []int64{l.id}, By: "ops"})); l.look() },
				"lose": func() {
					g.sql("UPDATE schemacast_runs SET heartbeat_ms = 1 WHERE active_schema_id = ? AND state = 'running'", l.id)
				},
				"abandon": func() { l.abandon(); l.look() },
				"prune":   func() { l.want(g.Prune(t.Context(), run.Retention{Runs: time.Nanosecond})) },
				"": func() {
					l.wantWhole(r)
				},
			}
			for name, end := range map[string]func(c *run.Claim) error{
				"retry":      func(c *run.Claim) error { return g.Retry(t.Context(), c, putAway, rapid.Bool().Draw(r, "keep")) },
				"release":    func(c *run.Claim) error { return g.Release(t.Context(), c) },
				"fail":       func(c *run.Claim) error { return g.Fail(t.Context(), c, putAway) },
				"checkpoint": func(c *run.Claim) error { return g.Checkpoint(t.Context(), c, []byte("x"), sampleUsage) },
				"commit": func(c *run.Claim) error {
					_, err := g.Commit(t.Context(), c, decision(c, mapTo(entity)))
					return err
				},
			} {
				steps[name] = func() {
					if len(l.claims) == 0 {
						r.Skip("nobody claimed it yet")
					}
					l.end(r, rapid.SampledFrom(l.claims).Draw(r, "claim"), end)
				}
			}
			actions := map[string]func(*rapid.T){}
			for name, step := range steps {
				actions[name] = func(*rapid.T) { step() }
			}
			r.Repeat(actions)
		})
	})
}

// want takes the answer of a call that must succeed.
func (l *life) want(_ any, err error) {
	l.t.Helper()
	l.must(err)
}

func (l *life) take() {
	c, err := l.Claim(l.t.Context(), run.ClaimRequest{SchemaID: l.id, Owner: fmt.Sprint("worker ", len(l.claims)), TenantSlots: 1000})
	var busy *run.BusyError
	var ended *run.EndedError
	switch {
	case err == nil:
		l.claims, l.current = append(l.claims, c), c
	case errors.As(err, &ended):
		l.current = nil
	case !errors.As(err, &busy) && !errors.Is(err, run.ErrNothingToDo):
		l.t.Fatal(err)
	}
}

func (l *life) abandon() {
	o := run.Orphan{SchemaID: l.id}
	l.must(l.db.Raw("SELECT id AS run_id, fence FROM schemacast_runs WHERE active_schema_id = ?", l.id).Scan(&o).Error)
	l.want(l.Abandon(l.t.Context(), o, time.Now().Add(time.Minute), putAway))
}

// look forgets the current claim when its run has ended without it.
func (l *life) look() {
	if l.current != nil && l.value("SELECT state FROM schemacast_runs WHERE id = ?", l.current.RunID) != stateRunning {
		l.current = nil
	}
}

// end lets a claim be ended, current or not. One that is not changes nothing.
func (l *life) end(r *rapid.T, c *run.Claim, end func(*run.Claim) error) {
	state := func() string {
		return l.row(l.id) + l.events(l.id) + l.value("SELECT COALESCE(sum(calls), 0) || ' ' || COALESCE(sum(attempts), 0) || ' ' || count(*) FROM schemacast_runs WHERE schema_id = ?", l.id)
	}
	before := state()
	err := end(c)
	if err != nil && !errors.Is(err, run.ErrClaimLost) {
		r.Fatal(err)
	}
	if c == l.current {
		if err != nil {
			r.Fatalf("the current claim: %v", err)
		}
		l.look()
	} else if after := state(); after != before {
		r.Fatalf("a claim that is not current changed %q to %q", before, after)
	}
}

func (l *life) wantWhole(r *rapid.T) {
	var runs []struct {
		ID, State string
		Terminal  int
	}
	l.must(l.db.Raw("SELECT r.id, r.state, (SELECT count(*) FROM schemacast_events e WHERE e.run_id = r.id AND e.kind IN ('completed', 'failed')) AS terminal "+
		"FROM schemacast_runs r WHERE r.schema_id = ? ORDER BY r.requested_ms, r.id", l.id).Scan(&runs).Error)
	status := l.value("SELECT ai_analysis_status FROM schemas WHERE id = ?", l.id)
	want := "pending"
	for i, one := range runs {
		open := one.State == stateRequested || one.State == stateRunning
		if open && i < len(runs)-1 {
			r.Fatalf("run %d of %d is open", i, len(runs))
		}
		if (one.Terminal == 1) == open || one.Terminal > 1 {
			r.Fatalf("run %d is %s and has %d terminal events", i, one.State, one.Terminal)
		}
		want = one.State
	}
	if want == stateRunning {
		want = "processing"
	}
	if want == stateRequested { // given back, or never claimed
		if status != "pending" && status != "processing" {
			r.Fatalf("the row is %s while its run waits", status)
		}
		return
	}
	if status != want {
		r.Fatalf("the row is %s, want %s", status, want)
	}
}
