package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/testenv"
)

func TestHumanDecidedMeanwhile(t *testing.T) {
	for name, decide := range map[string]func(g *ground, id int64){
		"status":  func(g *ground, id int64) { g.sql("UPDATE schemas SET status = 'rejected' WHERE id = ?", id) },
		"type":    func(g *ground, id int64) { g.sql("UPDATE schemas SET type = 'entity' WHERE id = ?", id) },
		"mapping": func(g *ground, id int64) { g.mapByHand(id, "id") },
	} {
		t.Run(name, func(t *testing.T) {
			conformance(t, func(t *testing.T, g *ground) {
				id := g.insertCustomer()
				c := g.claim(id, "a")
				decide(g, id)
				before := g.value("SELECT status || type FROM schemas WHERE id = ?", id)
				mappings := g.value("SELECT count(*) FROM schema_mappings WHERE schema_id = ?", id)
				g.wantState(g.commit(c, createCustomer()), run.OutcomeKeptHuman)
				g.wantState(g.commit(c, createCustomer()), run.OutcomeKeptHuman)
				g.wantValue(before, "SELECT status || type FROM schemas WHERE id = ?", id)
				g.wantValue(mappings, "SELECT count(*) FROM schema_mappings WHERE schema_id = ?", id)
				g.wantValue("completed", "SELECT ai_analysis_status FROM schemas WHERE id = ? AND name IS NULL AND ai_recommendations IS NOT NULL", id)
				g.wantEvents(id, "1:started 2:completed ")
			})
		})
	}
}

// The claim of a second attempt must not take what a human decided since the first
// one for the state that the analysis began with.
func TestHumanDecidedBetweenTwoAttempts(t *testing.T) {
	for _, status := range []string{"confirmed", "rejected"} {
		t.Run(status, func(t *testing.T) {
			conformance(t, func(t *testing.T, g *ground) {
				id := g.insertCustomer()
				g.must(g.Retry(t.Context(), g.claim(id, "a"), run.Failure{Code: run.CodeLLMUnavailable}, false))
				g.sql("UPDATE schemas SET status = ? WHERE id = ?", status, id)
				g.wantState(g.commit(g.claim(id, "b"), createCustomer()), run.OutcomeKeptHuman)
				g.wantRow(id, status+" completed - -")
				g.wantValue("0", "SELECT count(*) FROM schema_mappings")
			})
		})
	}
}

// A human's edit that is committed while our commit is under way is not deleted.
func TestEditOfAMappingInFlightIsWaitedFor(t *testing.T) {
	t.Parallel()
	g := newGround(t, Config{Dialect: Postgres, DSN: testenv.Postgres(t)})
	id := g.insertCustomer()
	g.commit(g.claim(id, "a"), createCustomer())
	_, err := g.Request(t.Context(), Request{SchemaIDs: []int64{id}})
	g.must(err)
	c := g.claim(id, "a")
	human := g.db.Begin()
	defer human.Rollback()
	g.must(human.Exec("UPDATE schema_mappings SET formula_expression = 'mine' WHERE schema_id = ? AND field_path = 'id'", id).Error)
	done := make(chan run.OutcomeState, 1)
	go func() {
		outcome, err := g.Commit(t.Context(), c, decision(c, createCustomer()))
		if err != nil {
			t.Error(err)
		}
		done <- outcome.State
	}()
	g.await("SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
	g.must(human.Commit().Error)
	if got := <-done; got != run.OutcomeKeptHuman {
		t.Errorf("outcome = %s, want %s", got, run.OutcomeKeptHuman)
	}
	g.wantValue("1", "SELECT count(*) FROM schema_mappings WHERE formula_expression = 'mine'")
}

func TestHumanRejectedBeforeTheFirstClaim(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		_, err := g.Request(t.Context(), Request{SchemaIDs: []int64{id}})
		g.must(err)
		g.sql("UPDATE schemas SET status = 'rejected' WHERE id = ?", id)
		g.wantState(g.commit(g.claim(id, "a"), createCustomer()), run.OutcomeKeptHuman)
		g.wantRow(id, "rejected completed - -")
	})
}

// mapByHand makes an entity and a mapping as the app's screens do.
func (g *ground) mapByHand(id int64, field string) {
	g.t.Helper()
	var entity int64
	g.must(g.db.Raw("INSERT INTO schemas (hash, name, tenant_id, type, status, sample_data, detected_fields) VALUES (?, 'Hand', ?, 'struct', 'confirmed', '{}', '[{\"name\":\"id\",\"type\":\"string\"}]') RETURNING id",
		fmt.Sprint("hand", id, field), g.tenant).Scan(&entity).Error)
	g.sql("INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, mapping_definition) VALUES (?, ?, ?, '{}')", id, entity, field)
}

func TestHumanNameIsKept(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		g.sql("UPDATE schemas SET name = 'Our customers' WHERE id = ?", id)
		g.wantState(g.commit(g.claim(id, "a"), createCustomer()), run.OutcomeCompleted)
		g.wantRow(id, "confirmed completed Our customers -")
	})
}

// A schema that another tenant got while its run was open is not analysed for the old
// one: no event, entity or mapping may cross.
func TestSchemaOfAnotherTenantMeanwhile(t *testing.T) {
	moves := func(g *ground, id int64) { g.sql("UPDATE schemas SET tenant_id = 'other' WHERE id = ?", id) }
	const row = "pending failed - " + movedText
	t.Run("before the claim", func(t *testing.T) {
		conformance(t, func(t *testing.T, g *ground) {
			id := g.insertCustomer()
			g.request("", 0, id)
			moves(g, id)
			var ended *run.EndedError
			if err := g.claimError(id, "a"); !errors.As(err, &ended) || ended.Failure.Code != run.CodeSuperseded {
				t.Errorf("claim = %v, want the run to be ended as superseded", err)
			}
			g.wantRow(id, row)
			g.wantEvents(id, "1:failed ")
			g.wantValue("0", "SELECT count(*) FROM schemacast_events WHERE payload LIKE '%e_mail%'")
			g.request("", 0, id) // the new tenant asks again
			if c := g.claim(id, "a"); c.Schema.TenantID != "other" {
				t.Errorf("claimed for %q", c.Schema.TenantID)
			}
			g.wantValue("other", "SELECT tenant_id FROM schemacast_events WHERE seq = 2")
		})
	})
	t.Run("during the analysis", func(t *testing.T) {
		conformance(t, func(t *testing.T, g *ground) {
			id := g.insertCustomer()
			c := g.claim(id, "a")
			moves(g, id)
			if outcome := g.commit(c, createCustomer()); outcome.State != run.OutcomeFailed {
				t.Errorf("outcome %s, want failed", outcome.State)
			}
			g.wantRow(id, row)
			g.wantEvents(id, "1:started 2:failed ")
			g.wantValue("0", "SELECT count(*) FROM schemas WHERE type = 'struct'")
			g.wantValue("0", "SELECT count(*) FROM schema_mappings")
		})
	})
}

// Whoever disables the analysis of a schema while it goes on has the last word.
func TestDisabledMeanwhile(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		c := g.claim(id, "a")
		g.sql("UPDATE schemas SET ai_analysis_status = 'disabled' WHERE id = ?", id)
		if outcome := g.commit(c, createCustomer()); outcome.State != run.OutcomeFailed {
			t.Errorf("outcome %s, want failed", outcome.State)
		}
		g.wantRow(id, "pending disabled - -")
		g.wantEvents(id, "1:started 2:failed ")
		g.wantValue("superseded", "SELECT outcome FROM schemacast_runs")
		g.wantValue("0", "SELECT count(*) FROM schemas WHERE type = 'struct'")
	})
}
