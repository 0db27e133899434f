package store

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/schemacast/schemacast/internal/run"
)

// CancelState is what became of the wish to have an analysis cancelled.
type CancelState string

// The states of a cancel.
const (
	CancelDone        CancelState = "cancelled"    // nobody worked on it; it has ended
	CancelStopping    CancelState = "stopping"     // its worker was told, and ends it at its next heartbeat
	CancelNothingOpen CancelState = "nothing_open" // nothing was changed, see Cancelled.Reason
	CancelUnknown     CancelState = "unknown"      // no such schema, or it belongs to another tenant
)

// CancelRequest asks for the end of the analysis of schemas.
type CancelRequest struct {
	SchemaIDs []int64
	// TenantID restricts the request to one tenant when not empty.
	TenantID string
	// By says who asks; it is part of what the row and the event say. Defaults to
	// "an operator".
	By string
}

// Cancelled is the answer for one schema.
type Cancelled struct {
	SchemaID int64
	TenantID string
	State    CancelState
	Fence    int64  // with CancelStopping: of the run, as task.Nudge wants it
	Reason   string // with CancelNothingOpen: what state the schema is in
}

// Cancel ends analyses: at once where nobody works on them, else by a word to the
// worker, whose commit is refused from now on. The answers are in the order of the
// ids, each of which is a transaction of its own; after an error they are those of
// the ids before.
func (s *Store) Cancel(ctx context.Context, r CancelRequest) ([]Cancelled, error) {
	r.By = clip(r.By, maxVarchar)
	if r.By == "" {
		r.By = "an operator"
	}
	answers := make([]Cancelled, 0, len(r.SchemaIDs))
	for _, id := range r.SchemaIDs {
		answer, err := s.cancel(ctx, r, id)
		if err != nil {
			return answers, fmt.Errorf("cancel the analysis of schema %d: %w", id, err)
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

// cancel looks again when a worker took the schema up, or ended it, at the same moment.
func (s *Store) cancel(ctx context.Context, r CancelRequest, id int64) (answer Cancelled, err error) {
	for range maxTries {
		err = s.transact(ctx, func(t *tx) error {
			var err error
			answer, err = t.cancel(r, id)
			return err
		})
		if !errors.Is(err, errNotWaiting) {
			break
		}
	}
	return answer, err
}

// cancel locks the run before the schema, as all transactions do. The first who asked
// stays the one who cancelled.
func (t *tx) cancel(r CancelRequest, id int64) (Cancelled, error) {
	answer := Cancelled{SchemaID: id, State: CancelUnknown}
	var row runRow
	n, err := t.query(&row, "SELECT "+runColumns+" FROM schemacast_runs WHERE active_schema_id = ?"+t.store.dialect.forUpdate, id)
	if err != nil {
		return answer, err
	}
	if n == 0 {
		return t.cancelWaiting(r, answer)
	}
	if r.TenantID != "" && row.TenantID != r.TenantID {
		return answer, nil
	}
	answer.TenantID = row.TenantID
	if row.CancelledBy == "" {
		row.CancelledBy = r.By
	}
	held := false
	_, err = t.query(&held, "UPDATE schemacast_runs SET cancelled_by = ? WHERE id = ? RETURNING state = 'running' AND heartbeat_ms >= "+
		t.store.dialect.now+" - ?", row.CancelledBy, row.ID, t.store.cfg.StaleAfter.Milliseconds())
	if err != nil {
		return answer, err
	}
	if held {
		answer.State, answer.Fence = CancelStopping, row.Fence
		return answer, nil
	}
	answer.State = CancelDone
	return answer, t.fail(&row, row.cancellation())
}

// cancelWaiting cancels a wish that is no more than the app's row.
func (t *tx) cancelWaiting(r CancelRequest, answer Cancelled) (Cancelled, error) {
	record, err := ignoreNoRow(t.selectSchema(answer.SchemaID, false))
	if err != nil || record == nil || r.TenantID != "" && record.TenantID != r.TenantID {
		return answer, err
	}
	answer.TenantID = record.TenantID
	ended, err := t.endWaiting(record.ID, math.MaxInt64, (&runRow{CancelledBy: r.By}).cancellation())
	if err != nil {
		return answer, err
	}
	if ended {
		answer.State = CancelDone
		return answer, nil
	}
	answer.State, answer.Reason = CancelNothingOpen, record.stateInWords()
	return answer, nil
}

// cancellation is the failure of a run that somebody cancelled.
func (r *runRow) cancellation() run.Failure {
	return run.Failure{Code: run.CodeCancelled, Text: "cancelled by " + r.CancelledBy}
}
