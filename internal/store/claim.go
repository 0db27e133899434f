package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// abandonedAfter is how long a row may be "processing" without any run of ours
// before it counts as abandoned by the job that this service replaced: that job
// was killed after five minutes.
const abandonedAfter = 6 * time.Minute

// Claim implements run.Claims.
func (s *Store) Claim(ctx context.Context, r run.ClaimRequest) (*run.Claim, error) {
	var claim *run.Claim
	var refused error
	call := claimCall{ClaimRequest: r, id: ulid.Make().String()}
	lost := s.unanswered.take(r)
	err := s.transact(ctx, func(t *tx) error {
		claim, refused = nil, nil
		if err := t.freeUnanswered(r, lost); err != nil {
			return err
		}
		var err error
		claim, err = t.claim(call)
		// These two go with a change that has to be committed.
		var ended *run.EndedError
		var fields *schema.FieldsError
		if errors.As(err, &ended) || errors.As(err, &fields) {
			refused, err = err, nil
		}
		return err
	})
	if err != nil {
		if claim != nil {
			lost = call.id // all was written, so it may be committed
		}
		s.unanswered.keep(r, lost)
		return nil, fmt.Errorf("claim schema %d: %w", r.SchemaID, err)
	}
	return claim, refused
}

// claimCall is one call of Claim.
type claimCall struct {
	run.ClaimRequest
	id string
}

func (t *tx) claim(r claimCall) (*run.Claim, error) {
	if r.TenantSlots > 0 {
		if err := t.takeTenantSlot(r.ClaimRequest); err != nil {
			return nil, err
		}
	}
	row, candidate, err := t.takeOpenRun(r)
	if err != nil {
		return nil, err
	}
	var before []question
	fresh := row == nil
	if fresh {
		if err := t.mayStart(r, candidate); err != nil {
			return nil, err
		}
		row = &runRow{}
		before = []question{t.startRun(r, candidate, row)}
	}
	record, mine, err := t.lockSchema(r.SchemaID, before)
	if err != nil {
		return nil, err
	}
	switch {
	case row.ID == "": // another run was started meanwhile
		return nil, &run.BusyError{Retry: t.store.cfg.StaleAfter}
	case row.TenantID != r.TenantID && r.TenantID != "":
		return nil, &run.TenantError{SchemaID: r.SchemaID}
	case fresh && (record == nil || !record.waits()):
		// Another run began and ended between the look at the row and the insert.
		return nil, run.ErrNothingToDo
	}
	if failure, event := t.cannotGoOn(row, record); failure != nil {
		return nil, t.endClaimed(row, record, *failure, event)
	}
	return t.own(row, record, mine, fresh)
}

// takeOpenRun takes the open run of the schema when nobody holds it, or its owner
// is gone. Ownership comes only from the number of rows that this UPDATE changed. Without
// an open run it returns what decides whether one may be started: the row, nil when
// there is none, of which it reads no more than that.
func (t *tx) takeOpenRun(r claimCall) (*runRow, *schemaRow, error) {
	d := t.store.dialect
	stale := t.store.cfg.StaleAfter.Milliseconds()
	var row runRow
	var candidate schemaRow
	var taken, open, found, heldFor int64
	err := t.ask(
		question{dest: &row, n: &taken, sql: "UPDATE schemacast_runs SET fence = fence + 1, state = 'running', owner = ?, claim_id = ?, " +
			"attempts = attempts + 1, heartbeat_ms = " + d.now +
			" WHERE active_schema_id = ? AND (state = 'requested' OR heartbeat_ms < " + d.now + " - ?) RETURNING " + runColumns,
			args: []any{r.Owner, r.id, r.SchemaID, stale}},
		t.heldFor(r.SchemaID, &heldFor, &open),
		question{dest: &candidate, n: &found, sql: "SELECT id, tenant_id, type, status, ai_analysis_status, COALESCE(" + d.age("updated_at") +
			", 0) AS untouched_for FROM schemas WHERE id = ?", args: []any{r.SchemaID}},
	)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("take the open run: %w", err)
	case taken == 1:
		return &row, nil, t.endLostAttempts(&row)
	case open > 0:
		return nil, nil, busy(heldFor)
	case found == 0:
		return nil, nil, nil
	}
	return nil, &candidate, nil
}

// heldFor asks for how much longer the open run of a schema is its owner's, in
// milliseconds.
func (t *tx) heldFor(schemaID int64, ms, open *int64) question {
	return question{dest: ms, n: open, sql: "SELECT heartbeat_ms + ? - " + t.store.dialect.now + " FROM schemacast_runs WHERE active_schema_id = ?",
		args: []any{t.store.cfg.StaleAfter.Milliseconds(), schemaID}}
}

func busy(ms int64) error { return &run.BusyError{Retry: max(time.Duration(ms)*time.Millisecond, 0)} }

// endLostAttempts closes the attempt of an owner that went away without a word, and
// counts the processes that did so with this run. Whoever claims it now has lost it
// before because the database was away, and lives.
func (t *tx) endLostAttempts(r *runRow) error {
	if r.Fence == 1 {
		return nil
	}
	n, err := t.exec("UPDATE schemacast_attempts SET ended_ms = "+t.store.dialect.now+", outcome = ?, error_code = ? "+
		"WHERE run_id = ? AND fence < ? AND ended_ms IS NULL", attemptLost, string(run.CodeWorkerLost), r.ID, r.Fence)
	if err == nil && n > 0 {
		r.Recovered = true
		_, err = t.query(&r.Killed, "SELECT count(DISTINCT owner) FROM schemacast_attempts WHERE run_id = ? AND outcome = ? AND owner <> ?",
			r.ID, attemptLost, r.Owner)
	}
	if err != nil {
		return fmt.Errorf("record lost attempts of run %s: %w", r.ID, err)
	}
	return nil
}

// mayStart says why no run may be started for a row, nil when it may: the app inserted it
// and nobody asked for it otherwise.
func (t *tx) mayStart(r claimCall, candidate *schemaRow) error {
	switch {
	case candidate == nil:
		return run.ErrUnknownSchema
	case candidate.TenantID != r.TenantID && r.TenantID != "":
		return &run.TenantError{SchemaID: r.SchemaID}
	case candidate.waits():
		return nil
	}
	// A run may have been started between the look for one and the look at the row.
	var ms, open int64
	if err := t.ask(t.heldFor(r.SchemaID, &ms, &open)); err != nil {
		return fmt.Errorf("look for an open run: %w", err)
	}
	if open > 0 {
		return busy(ms)
	}
	return run.ErrNothingToDo
}

// startRun inserts a run and reads it into row, which stays empty when another one is open.
// It is written as it is when no human has touched the schema, which mostly is so.
func (t *tx) startRun(r claimCall, candidate *schemaRow, row *runRow) question {
	now := t.store.dialect.now
	return question{dest: row, sql: "INSERT INTO schemacast_runs (id, schema_id, active_schema_id, tenant_id, state, owner, claim_id, fence, attempts, heartbeat_ms, requested_ms, started_ms, claimed_state) " +
		"VALUES (?, ?, ?, ?, 'running', ?, ?, 1, 1, " + now + ", " + now + ", " + now + ", ?) ON CONFLICT (active_schema_id) DO NOTHING RETURNING " + runColumns,
		args: []any{
			ulid.Make().String(), candidate.ID, candidate.ID, candidate.TenantID, r.Owner, r.id, stateDigest(candidate, &ownWork{}),
		}}
}

// lockSchema locks a row, which is nil when there is none, and what our last run wrote for
// it. The order of locks is run, tenant, row: before comes what has to, and after what may.
func (t *tx) lockSchema(id int64, before []question, after ...question) (*schemaRow, *ownWork, error) {
	var record schemaRow
	var found int64
	work := t.ownWork(id)
	err := t.ask(slices.Concat(before, []question{t.schemaByID(&record, &found, id, true)}, work.questions[:], after)...)
	if err != nil {
		return nil, nil, fmt.Errorf("read schema %d and what our last run wrote: %w", id, err)
	}
	mine, err := work.read()
	if found == 0 {
		return nil, mine, err
	}
	return &record, mine, err
}

// waits says whether the app's row asks for an analysis by itself: freshly
// inserted, or left half done by the job that this service replaced.
func (r *schemaRow) waits() bool {
	if schema.Kind(r.Type) != schema.KindInput || schema.Status(r.Status) != schema.StatusPending {
		return false
	}
	switch schema.AnalysisStatus(r.AIAnalysisStatus) {
	case schema.AnalysisPending:
		return true
	case schema.AnalysisProcessing:
		return time.Duration(r.UntouchedFor)*time.Second > abandonedAfter
	default:
		return false
	}
}

// movedText is what people read about a run whose schema was given to another tenant: its
// events and entities would be those of the old one.
const movedText = "the schema belongs to another tenant now; ask again to analyse it there"

// cannotGoOn says why a run that was just taken has to end, and whether the row and
// the watchers must hear of it. A nil failure means that it can go on.
func (t *tx) cannotGoOn(r *runRow, record *schemaRow) (failure *run.Failure, writeRow bool) {
	ended := func(code run.Code, text string) *run.Failure { return &run.Failure{Code: code, Text: text} }
	switch {
	case record == nil:
		return ended(run.CodeSchemaGone, "the schema was deleted before its analysis was finished"), false
	case r.CancelledBy != "":
		f := r.cancellation()
		return &f, true
	case record.TenantID != r.TenantID:
		return ended(run.CodeSuperseded, movedText), true
	case schema.Kind(record.Type) == schema.KindStruct:
		return ended(run.CodeSuperseded, "the row is a canonical entity, which is not analysed"), false
	case !record.underAnalysis():
		return ended(run.CodeSuperseded, "somebody else set the analysis to "+record.AIAnalysisStatus+" meanwhile"), false
	case r.Killed >= t.store.cfg.MaxLost:
		return ended(run.CodePoison, fmt.Sprintf("its analysis ended the worker %d times; the logs of those workers say how; ask again when that is mended",
			r.Killed)), true
	case r.Attempts > t.store.cfg.MaxAttempts:
		return ended(run.CodeWorkerLost, fmt.Sprintf("given up after %d attempts whose workers died; ask again to retry", t.store.cfg.MaxAttempts)), true
	}
	return nil, false
}

func (r *schemaRow) underAnalysis() bool {
	status := schema.AnalysisStatus(r.AIAnalysisStatus)
	return status == schema.AnalysisPending || status == schema.AnalysisProcessing
}

// endClaimed ends a run that can not go on. It always returns an error, an
// *run.EndedError when all went well.
func (t *tx) endClaimed(r *runRow, record *schemaRow, f run.Failure, writeRow bool) error {
	t.endRun(r, ending{state: stateFailed, outcome: string(f.Code), failure: f})
	if writeRow {
		t.markFailed(record.ID, f)
	}
	// Watchers who never saw the run start have nothing to be told of, unless the
	// row changed.
	if writeRow || r.StartedMs != nil {
		if err := t.emitFailed(r, f); err != nil {
			return err
		}
	}
	return &run.EndedError{Failure: f}
}

// own records the new attempt. The first one of a run also records what humans had
// decided by then, and tells the watchers: what they decide between two attempts is
// as much theirs as what they decide during one.
func (t *tx) own(r *runRow, record *schemaRow, mine *ownWork, fresh bool) (*run.Claim, error) {
	now := t.store.dialect.now
	t.later("record the attempt of run "+r.ID, "INSERT INTO schemacast_attempts (run_id, fence, owner, started_ms) VALUES (?, ?, ?, "+now+")", r.ID, r.Fence, r.Owner)
	t.later("set the schema to processing", "UPDATE schemas SET ai_analysis_status = 'processing', updated_at = "+t.store.dialect.appNow+" WHERE id = ?", record.ID)
	parsed, fieldsErr := record.schema()
	parsed.AnalysisStatus = schema.AnalysisProcessing
	claim := &run.Claim{RunID: r.ID, Fence: r.Fence, Attempt: r.Attempts, Force: r.Force, Schema: parsed, Recovered: r.Recovered}
	if first := fresh || r.StartedMs == nil; first {
		if err := t.emitStarted(r, parsed); err != nil {
			return nil, err
		}
	}
	state := stateDigest(record, mine)
	if fresh && state == r.ClaimedState {
		return claim, fieldsErr
	}
	if err := t.continueRun(r, claim, state, fresh); err != nil {
		return nil, err
	}
	return claim, fieldsErr
}

// continueRun notes the human state at the first claim, and reads what earlier ones left.
func (t *tx) continueRun(r *runRow, claim *run.Claim, state string, fresh bool) error {
	now := t.store.dialect.now
	var kept struct {
		Checkpoint []byte
		AgeMs      int64
		WaitedMs   int64
	}
	n, err := t.query(&kept, "UPDATE schemacast_runs SET claimed_state = CASE WHEN ? OR claimed_state = '' THEN ? ELSE claimed_state END, "+
		"started_ms = COALESCE(started_ms, "+now+") WHERE id = ? RETURNING checkpoint, "+now+" - started_ms AS age_ms, started_ms - requested_ms AS waited_ms",
		fresh, state, r.ID)
	if err != nil || n != 1 {
		return fmt.Errorf("record the claim of run %s: %w", r.ID, errors.Join(err, unlessOne(n)))
	}
	claim.Checkpoint, claim.Age = kept.Checkpoint, time.Duration(max(kept.AgeMs, 0))*time.Millisecond
	if r.StartedMs == nil {
		claim.Waited = time.Duration(max(kept.WaitedMs, 0)) * time.Millisecond
	}
	return nil
}

func unlessOne(n int64) error {
	if n == 1 {
		return nil
	}
	return fmt.Errorf("%d rows changed instead of one", n)
}
