package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/schemacast/schemacast/internal/run"
)

// The states of a run.
const (
	stateRequested = "requested" // open, owned by nobody
	stateRunning   = "running"   // open, owned
	stateCompleted = "completed"
	stateFailed    = "failed"
)

// The outcomes of an attempt that are no outcome of its run.
const (
	attemptRetry    = "retry"
	attemptSnoozed  = "snoozed" // it was nobody's fault, and is not counted
	attemptReleased = "released"
	attemptLost     = "lost"
)

// runRow is a row of schemacast_runs, without the checkpoint, which can be large.
type runRow struct {
	ID           string
	SchemaID     int64
	TenantID     string
	State        string
	RequestedBy  string
	Force        bool
	Fence        int64
	Owner        string
	Attempts     int
	Restarts     int
	CancelledBy  string
	ClaimedState string
	Outcome      string
	ErrorCode    string
	ErrorText    string
	StartedMs    *int64
	// Killed is how many processes went away while they worked on the run. It is no
	// column: a claim that takes the run from a lost owner counts them.
	Killed int
	// Recovered says that a claim took the run from an owner who went away. It is no
	// column either.
	Recovered bool
}

const runColumns = "id, schema_id, tenant_id, state, requested_by, force, fence, owner, attempts, restarts, cancelled_by, " +
	"claimed_state, outcome, error_code, error_text, started_ms"

// owned locks the run of a claim and returns it when the claim is current.
func (t *tx) owned(c *run.Claim) (*runRow, error) {
	row, err := t.runOf(c)
	if err != nil {
		return nil, err
	}
	if row.State != stateRunning {
		return nil, run.ErrClaimLost
	}
	return row, nil
}

// runOf locks the run of a claim whatever its state, as long as nobody claimed it
// later.
func (t *tx) runOf(c *run.Claim) (*runRow, error) {
	var row runRow
	var found int64
	if err := t.ask(t.runByID(&row, &found, c.RunID)); err != nil {
		return nil, fmt.Errorf("read run %s: %w", c.RunID, err)
	}
	if found == 0 || row.Fence != c.Fence {
		return nil, run.ErrClaimLost
	}
	return &row, nil
}

// runByID asks for a run and locks it.
func (t *tx) runByID(row *runRow, found *int64, id string) question {
	return question{dest: row, n: found, sql: "SELECT " + runColumns + " FROM schemacast_runs WHERE id = ?" + t.store.dialect.forUpdate, args: []any{id}}
}

// ending is how a run ends.
type ending struct {
	state    string
	outcome  string
	failure  run.Failure
	entityID *int64
	// engine and model made the result; empty without one.
	engine, model string
}

// endRun closes a run, which the transaction holds, and its attempt. The checkpoint goes:
// it was kept for another attempt only, and it may hold data of the tenant.
func (t *tx) endRun(r *runRow, e ending) {
	now := t.store.dialect.now
	t.later("end run "+r.ID, "UPDATE schemacast_runs SET state = ?, outcome = ?, error_code = ?, error_text = ?, entity_id = ?, engine = ?, model = ?, "+
		"active_schema_id = NULL, owner = '', checkpoint = NULL, ended_ms = "+now+" WHERE id = ?",
		e.state, e.outcome, string(e.failure.Code), e.failure.Text, e.entityID, e.engine, e.model, r.ID)
	t.endAttempt(r, e.outcome, e.failure)
}

func (t *tx) endAttempt(r *runRow, outcome string, f run.Failure) {
	t.later("record the attempt of run "+r.ID, "UPDATE schemacast_attempts SET ended_ms = "+t.store.dialect.now+
		", outcome = ?, error_code = ?, error_text = ? WHERE run_id = ? AND fence = ? AND ended_ms IS NULL",
		outcome, string(f.Code), f.Text, r.ID, r.Fence)
}

// endKeptAttempt ends an attempt that is not counted. Nothing but time bounds how many of
// these a run has, so one that ended as the attempt before it did takes its place: the row
// tells of both.
func (t *tx) endKeptAttempt(r *runRow, outcome string, f run.Failure) error {
	t.endAttempt(r, outcome, f)
	var before struct{ StartedMs, Times int64 }
	n, err := t.query(&before, "DELETE FROM schemacast_attempts WHERE run_id = ? AND outcome = ? AND error_code = ? AND "+
		"fence = (SELECT max(fence) FROM schemacast_attempts WHERE run_id = ? AND fence < ?) RETURNING started_ms, times",
		r.ID, outcome, string(f.Code), r.ID, r.Fence)
	if err == nil && n > 0 {
		_, err = t.exec("UPDATE schemacast_attempts SET started_ms = ?, times = times + ? WHERE run_id = ? AND fence = ?",
			before.StartedMs, before.Times, r.ID, r.Fence)
	}
	if err != nil {
		return fmt.Errorf("fold the attempts of run %s: %w", r.ID, err)
	}
	return nil
}

// wasCancelled says whether a cancel ended the run.
func (r *runRow) wasCancelled() bool {
	return r.State == stateFailed && r.Outcome == string(run.CodeCancelled)
}

// digest identifies a text.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// ignoreNoRow turns "no such row" into a nil row.
func ignoreNoRow[T any](row *T, err error) (*T, error) {
	if errors.Is(err, errNoRow) {
		return nil, nil
	}
	return row, err
}
