package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	row, err := t.takeOpenRun(r)
	if err != nil {
		return nil, err
	}
	fresh := row == nil
	if fresh {
		if row, err = t.startRun(r); err != nil {
			return nil, err
		}
	}
	if row.TenantID != r.TenantID && r.TenantID != "" {
		return nil, &run.TenantError{SchemaID: r.SchemaID}
	}
	record, err := ignoreNoRow(t.selectSchema(r.SchemaID, true))
	if err != nil {
		return nil, err
	}
	if fresh && (record == nil || !record.waits()) {
		// Another run began and ended between the look at the row and the insert.
		return nil, run.ErrNothingToDo
	}
	if failure, event := t.cannotGoOn(row, record); failure != nil {
		return nil, t.endClaimed(row, record, *failure, event)
	}
	return t.own(row, record)
}

// takeOpenRun takes the open run of the schema when nobody holds it, or its owner
// is gone. It returns nil when there is no open run. Ownership comes only from the
// number of rows that this UPDATE changed.
func (t *tx) takeOpenRun(r claimCall) (*runRow, error) {
	now := t.store.dialect.now
	stale := t.store.cfg.StaleAfter.Milliseconds()
	var row runRow
	n, err := t.query(&row, "UPDATE schemacast_runs SET fence = fence + 1, state = 'running', owner = ?, claim_id = ?, attempts = attempts + 1, heartbeat_ms = "+now+
		" WHERE active_schema_id = ? AND (state = 'requested' OR heartbeat_ms < "+now+" - ?) RETURNING "+runColumns,
		r.Owner, r.id, r.SchemaID, stale)
	if err != nil {
		return nil, fmt.Errorf("take the open run: %w", err)
	}
	if n == 1 {
		return &row, t.endLostAttempts(&row)
	}
	return nil, t.busy(r.SchemaID)
}

// busy returns a *run.BusyError when the schema has an open run.
func (t *tx) busy(schemaID int64) error {
	var ms int64
	n, err := t.query(&ms, "SELECT heartbeat_ms + ? - "+t.store.dialect.now+" FROM schemacast_runs WHERE active_schema_id = ?",
		t.store.cfg.StaleAfter.Milliseconds(), schemaID)
	if err != nil {
		return fmt.Errorf("look for an open run: %w", err)
	}
	if n == 0 {
		return nil
	}
	return &run.BusyError{Retry: max(time.Duration(ms)*time.Millisecond, 0)}
}

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

// startRun makes the run of a row that the app inserted and nobody asked for
// otherwise.
func (t *tx) startRun(r claimCall) (*runRow, error) {
	record, err := t.selectSchema(r.SchemaID, false)
	switch {
	case errors.Is(err, errNoRow):
		return nil, run.ErrUnknownSchema
	case err != nil:
		return nil, err
	case record.TenantID != r.TenantID && r.TenantID != "":
		return nil, &run.TenantError{SchemaID: r.SchemaID}
	case !record.waits():
		// A run may have been started between the look for one and the look at the row.
		return nil, cmp.Or(t.busy(r.SchemaID), run.ErrNothingToDo)
	}
	now := t.store.dialect.now
	var row runRow
	n, err := t.query(&row, "INSERT INTO schemacast_runs (id, schema_id, active_schema_id, tenant_id, state, owner, claim_id, fence, attempts, heartbeat_ms, requested_ms) "+
		"VALUES (?, ?, ?, ?, 'running', ?, ?, 1, 1, "+now+", "+now+") ON CONFLICT (active_schema_id) DO NOTHING RETURNING "+runColumns,
		ulid.Make().String(), record.ID, record.ID, record.TenantID, r.Owner, r.id)
	if err != nil {
		return nil, fmt.Errorf("insert the run: %w", err)
	}
	if n == 0 {
		return nil, &run.BusyError{Retry: t.store.cfg.StaleAfter}
	}
	return &row, nil
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
	if err := t.endRun(r, ending{state: stateFailed, outcome: string(f.Code), failure: f}); err != nil {
		return err
	}
	if writeRow {
		if err := t.markFailed(record.ID, f); err != nil {
			return err
		}
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
func (t *tx) own(r *runRow, record *schemaRow) (*run.Claim, error) {
	now := t.store.dialect.now
	human, err := t.humanState(record)
	if err != nil {
		return nil, err
	}
	var kept struct {
		Checkpoint []byte
		AgeMs      int64
		WaitedMs   int64
	}
	n, err := t.query(&kept, "UPDATE schemacast_runs SET claimed_state = CASE WHEN claimed_state = '' THEN ? ELSE claimed_state END, "+
		"started_ms = COALESCE(started_ms, "+now+") WHERE id = ? RETURNING checkpoint, "+now+" - started_ms AS age_ms, started_ms - requested_ms AS waited_ms", human, r.ID)
	if err != nil || n != 1 {
		return nil, fmt.Errorf("record the claim of run %s: %w", r.ID, errors.Join(err, unlessOne(n)))
	}
	if _, err := t.exec("INSERT INTO schemacast_attempts (run_id, fence, owner, started_ms) VALUES (?, ?, ?, "+now+")", r.ID, r.Fence, r.Owner); err != nil {
		return nil, fmt.Errorf("record the attempt of run %s: %w", r.ID, err)
	}
	err = t.execOne("set schema to processing", "UPDATE schemas SET ai_analysis_status = 'processing', updated_at = "+t.store.dialect.appNow+" WHERE id = ?", record.ID)
	if err != nil {
		return nil, err
	}
	parsed, fieldsErr := record.schema()
	parsed.AnalysisStatus = schema.AnalysisProcessing
	claim := &run.Claim{
		RunID: r.ID, Fence: r.Fence, Attempt: r.Attempts, Age: time.Duration(max(kept.AgeMs, 0)) * time.Millisecond,
		Force: r.Force, Schema: parsed, Checkpoint: kept.Checkpoint, Recovered: r.Recovered,
	}
	if r.StartedMs == nil {
		claim.Waited = time.Duration(max(kept.WaitedMs, 0)) * time.Millisecond
		if err := t.emitStarted(r, parsed); err != nil {
			return nil, err
		}
	}
	return claim, fieldsErr
}

func unlessOne(n int64) error {
	if n == 1 {
		return nil
	}
	return fmt.Errorf("%d rows changed instead of one", n)
}
