package store

import (
	"context"
	"fmt"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
)

// maxAttemptsShown bounds the attempts of a run in its history: one that waited long, and
// for several things in turn, has hundreds.
const maxAttemptsShown = 100

// Run is what is known of one run, for people. Times are zero for what did not happen
// yet, by the database's clock.
type Run struct {
	ID          string
	TenantID    string
	State       string // requested, running, completed or failed
	Outcome     run.OutcomeState
	RequestedBy string // empty for a row that the app inserted
	Force       bool
	Queue       string // empty for the interactive one
	CancelledBy string
	Requested   time.Time
	Started     time.Time
	Ended       time.Time
	Usage       analysis.Usage
	Engine      string
	Model       string
	Failure     run.Failure // of the run, or of its last attempt while it is open
	EntityID    int64       // 0 when the schema was mapped to none
	// AttemptCount is how often the run was claimed, and Attempts the last of these,
	// oldest first, in at most 100 entries.
	AttemptCount int
	Attempts     []Attempt
}

// Attempt is one claim of a run, or several in a row that were given back for the same
// reason and did not count.
type Attempt struct {
	Number  int64 // the fence; counts every claim of the run, from 1. Of several, the last
	Times   int   // how many claims it stands for
	Owner   string
	Started time.Time // of several, the first
	Ended   time.Time // zero while it goes on
	Outcome string    // retry, snoozed, released, lost, or that of the run
	Failure run.Failure
}

// History returns the newest runs of a schema, at most limit, newest first. They stay
// known after the app deleted its row. Its error is run.ErrUnknownSchema when there
// is neither a row nor a run, or they belong to another tenant than tenantID, where
// that is given.
func (s *Store) History(ctx context.Context, schemaID int64, tenantID string, limit int) ([]Run, error) {
	var runs []Run
	err := s.snapshot(ctx, func(t *tx) error {
		rows, err := t.historyRows(schemaID, tenantID, limit)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return t.knownSchema(schemaID, tenantID)
		}
		runs = make([]Run, len(rows))
		for i, row := range rows {
			runs[i] = row.run()
		}
		return t.readAttempts(runs)
	})
	if err != nil {
		return nil, fmt.Errorf("read the history of schema %d: %w", schemaID, err)
	}
	return runs, nil
}

// historyRow is a row of schemacast_runs as its history shows it.
type historyRow struct {
	ID, TenantID, State, Outcome, RequestedBy, Queue, CancelledBy, Engine, Model, ErrorCode, ErrorText string

	Force            bool
	Calls            int
	CachedCalls      int
	PromptTokens     int
	CachedTokens     int
	CompletionTokens int
	ReasoningTokens  int
	TokensEstimated  bool
	CostMicros       int64
	PricedCalls      int
	EntityID         *int64
	RequestedMs      int64
	StartedMs        *int64
	EndedMs          *int64
}

func (t *tx) historyRows(schemaID int64, tenantID string, limit int) ([]historyRow, error) {
	query := "SELECT id, tenant_id, state, outcome, requested_by, force, queue, cancelled_by, engine, model, calls, cached_calls, prompt_tokens, " +
		"cached_tokens, completion_tokens, reasoning_tokens, tokens_estimated, cost_micros, priced_calls, entity_id, error_code, error_text, requested_ms, started_ms, ended_ms FROM schemacast_runs WHERE schema_id = ?"
	args := []any{schemaID}
	if tenantID != "" {
		query += " AND tenant_id = ?"
		args = append(args, tenantID)
	}
	var rows []historyRow
	_, err := t.query(&rows, query+" ORDER BY requested_ms DESC, id DESC LIMIT ?", append(args, limit)...)
	return rows, err
}

func (r historyRow) run() Run {
	return Run{
		ID: r.ID, TenantID: r.TenantID, State: r.State, Outcome: run.OutcomeState(r.Outcome),
		RequestedBy: r.RequestedBy, Force: r.Force, Queue: r.Queue, CancelledBy: r.CancelledBy,
		Requested: timeOf(&r.RequestedMs), Started: timeOf(r.StartedMs), Ended: timeOf(r.EndedMs),
		Usage: analysis.Usage{
			Calls: r.Calls, CachedCalls: r.CachedCalls, PromptTokens: r.PromptTokens, CachedTokens: r.CachedTokens,
			CompletionTokens: r.CompletionTokens, ReasoningTokens: r.ReasoningTokens, Estimated: r.TokensEstimated,
			CostMicros: r.CostMicros, PricedCalls: r.PricedCalls,
		},
		Engine: r.Engine, Model: r.Model, EntityID: orZero(r.EntityID),
		Failure: run.Failure{Code: run.Code(r.ErrorCode), Text: r.ErrorText},
	}
}

// knownSchema is nil for a schema that exists and may be seen.
func (t *tx) knownSchema(schemaID int64, tenantID string) error {
	var owner string
	n, err := t.query(&owner, "SELECT tenant_id FROM schemas WHERE id = ?", schemaID)
	if err == nil && (n == 0 || tenantID != "" && owner != tenantID) {
		return run.ErrUnknownSchema
	}
	return err
}

// readAttempts adds the last attempts to each run.
func (t *tx) readAttempts(runs []Run) error {
	byID := make(map[string]*Run, len(runs))
	ids := make([]string, len(runs))
	for i := range runs {
		byID[runs[i].ID], ids[i] = &runs[i], runs[i].ID
	}
	var rows []struct {
		RunID, Owner, Outcome, ErrorCode, ErrorText string

		Fence     int64
		Times     int
		StartedMs int64
		EndedMs   *int64
		Total     int
	}
	_, err := t.query(&rows, "SELECT * FROM (SELECT run_id, fence, times, owner, started_ms, ended_ms, outcome, error_code, error_text, "+
		"sum(times) OVER (PARTITION BY run_id) AS total, row_number() OVER (PARTITION BY run_id ORDER BY fence DESC) AS place "+
		"FROM schemacast_attempts WHERE run_id IN ?) AS a WHERE place <= ? ORDER BY run_id, fence", ids, maxAttemptsShown)
	if err != nil {
		return fmt.Errorf("read the attempts: %w", err)
	}
	for _, r := range rows {
		of := byID[r.RunID]
		of.AttemptCount = r.Total
		of.Attempts = append(of.Attempts, Attempt{
			Number: r.Fence, Times: r.Times, Owner: r.Owner, Started: timeOf(&r.StartedMs), Ended: timeOf(r.EndedMs),
			Outcome: r.Outcome, Failure: run.Failure{Code: run.Code(r.ErrorCode), Text: r.ErrorText},
		})
	}
	return nil
}

// timeOf reads a time of our own tables, zero for none.
func timeOf(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms).UTC()
}
