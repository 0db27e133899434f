package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// RequestState is what became of the wish to have a schema analysed.
type RequestState string

// The states of a request.
const (
	RequestAccepted    RequestState = "accepted"     // a run is open now
	RequestAlreadyOpen RequestState = "already_open" // a run was open before
	RequestUnknown     RequestState = "unknown"      // no such schema, or it belongs to another tenant
	RequestRefused     RequestState = "refused"      // see Requested.Reason
)

// Request asks for the analysis of schemas that exist.
type Request struct {
	SchemaIDs []int64
	// TenantID restricts the request to one tenant when not empty.
	TenantID string
	// By says who asks; it stays on the run and on its events.
	By string
	// Force allows the run to replace what humans decided.
	Force bool
	// Queue is the one that the task goes into: "schemas-backfill", or empty for the
	// interactive one. A run that waits in the backfill moves to the interactive one
	// when somebody asks for it there.
	Queue string
}

// Requested is the answer for one schema.
type Requested struct {
	SchemaID int64
	TenantID string
	State    RequestState
	// Reason says, with RequestRefused, what stands against it, and the cure; with
	// RequestAlreadyOpen, what of the request came too late.
	Reason string
}

// Request records that somebody wants schemas analysed: each row becomes pending
// and gets an open run, in one transaction. A run that is open already serves as
// well. The answers are in the order of the ids.
func (s *Store) Request(ctx context.Context, r Request) ([]Requested, error) {
	if r.Queue != queueInteractive && r.Queue != queueBackfill {
		return nil, fmt.Errorf("request the analysis of %d schemas: the queue %q is unknown; use %q, or leave it empty", len(r.SchemaIDs), r.Queue, queueBackfill)
	}
	var answers []Requested
	for ids := range slices.Chunk(r.SchemaIDs, maxParameters/requestParameters) {
		var part []Requested
		err := s.transact(ctx, func(t *tx) error {
			var err error
			part, err = t.request(r, ids)
			return err
		})
		if err != nil {
			return answers, fmt.Errorf("request the analysis of %d schemas: %w", len(ids), err)
		}
		answers = append(answers, part...)
	}
	return answers, nil
}

// requestParameters is the number of parameters that one inserted run takes.
const requestParameters = 7

func (t *tx) request(r Request, ids []int64) ([]Requested, error) {
	var rows []schemaRow
	_, err := t.query(&rows, "SELECT id, tenant_id, type, status, ai_analysis_status FROM schemas WHERE id IN ? ORDER BY id", ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*schemaRow, len(rows))
	var open []*schemaRow
	for i := range rows {
		row := &rows[i]
		if r.TenantID != "" && row.TenantID != r.TenantID {
			continue
		}
		byID[row.ID] = row
		if row.standsAgainst(r.Force) == "" {
			open = append(open, row)
		}
	}
	states, err := t.openOrRaise(r, open)
	if err != nil {
		return nil, err
	}
	answers := make([]Requested, len(ids))
	for i, id := range ids {
		answers[i] = Requested{SchemaID: id, State: RequestUnknown}
		row := byID[id]
		if row == nil {
			continue
		}
		answers[i].TenantID = row.TenantID
		if reason := row.standsAgainst(r.Force); reason != "" {
			answers[i].State, answers[i].Reason = RequestRefused, reason
			continue
		}
		answers[i].State, answers[i].Reason = states[id].State, states[id].Reason
	}
	return answers, nil
}

// standsAgainst says why a row is not analysed, empty when nothing is in the way.
func (r *schemaRow) standsAgainst(force bool) string {
	switch {
	case schema.Kind(r.Type) == schema.KindStruct:
		return "it is a canonical entity; name the schema that should be mapped to it"
	case force:
		return ""
	case schema.Status(r.Status) == schema.StatusRejected:
		return "a human rejected it; use --force to analyse it all the same"
	case schema.AnalysisStatus(r.AIAnalysisStatus) == schema.AnalysisDisabled:
		return "its analysis is disabled; use --force to analyse it all the same"
	}
	return ""
}

// openOrRaise opens a run for each row, or adds the request to the one that is open
// already. One that ended between the two looks is opened after all.
func (t *tx) openOrRaise(r Request, rows []*schemaRow) (map[int64]Requested, error) {
	states := make(map[int64]Requested, len(rows))
	for range maxTries {
		opened, err := t.openRuns(r, rows)
		if err != nil {
			return nil, err
		}
		var rest []*schemaRow
		for _, row := range rows {
			if opened[row.ID] {
				states[row.ID] = Requested{State: RequestAccepted}
			} else {
				rest = append(rest, row)
			}
		}
		if rows, err = t.raise(r, rest, states); err != nil || len(rows) == 0 {
			return states, err
		}
	}
	return nil, fmt.Errorf("the runs of %d schemas, schema %d among them, end faster than others can be requested: %w", len(rows), rows[0].ID, run.ErrUnavailable)
}

// Why a request adds nothing to the run that is open.
const (
	forceTooLate = "a worker analyses it now, without --force; ask again when that has ended"
	inTheEnd     = "its analysis was cancelled and is about to end; ask again when it has"
)

// raise notes that somebody asked again for what is open: force and the better queue
// go to a run that nobody works on yet. It returns the rows without an open run.
func (t *tx) raise(r Request, rows []*schemaRow, states map[int64]Requested) ([]*schemaRow, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	var raised []struct {
		SchemaID    int64
		Force       bool
		CancelledBy string
	}
	_, err := t.query(&raised, "UPDATE schemacast_runs SET asked_ms = "+t.store.dialect.now+
		", force = force OR (state = 'requested' AND ?), queue = CASE WHEN ? = '' AND state = 'requested' THEN '' ELSE queue END "+
		"WHERE active_schema_id IN ? RETURNING schema_id, force, cancelled_by", r.Force, r.Queue, ids)
	if err != nil {
		return nil, fmt.Errorf("note the request on open runs: %w", err)
	}
	for _, row := range raised {
		state := Requested{State: RequestAlreadyOpen}
		switch {
		case row.CancelledBy != "":
			state.Reason = inTheEnd
		case r.Force && !row.Force:
			state.Reason = forceTooLate
		}
		states[row.SchemaID] = state
	}
	var gone []*schemaRow
	for _, row := range rows {
		if _, found := states[row.ID]; !found {
			gone = append(gone, row)
		}
	}
	return gone, nil
}

// openRuns inserts a run for each row that has no open one, and sets those rows
// pending. It inserts before it updates: claims lock in that order.
func (t *tx) openRuns(r Request, rows []*schemaRow) (map[int64]bool, error) {
	opened := make(map[int64]bool, len(rows))
	if len(rows) == 0 {
		return opened, nil
	}
	now := t.store.dialect.now
	var args []any
	values := make([]string, len(rows))
	for i, row := range rows {
		values[i] = "(?, ?, ?, ?, 'requested', ?, ?, ?, " + now + ")"
		args = append(args, ulid.Make().String(), row.ID, row.ID, row.TenantID, clip(r.By, maxVarchar), r.Force, r.Queue)
	}
	var ids []int64
	_, err := t.query(&ids, "INSERT INTO schemacast_runs (id, schema_id, active_schema_id, tenant_id, state, requested_by, force, queue, requested_ms) VALUES "+
		strings.Join(values, ", ")+" ON CONFLICT (active_schema_id) DO NOTHING RETURNING schema_id", args...)
	if err != nil || len(ids) == 0 {
		return opened, err
	}
	for _, id := range ids {
		opened[id] = true
	}
	_, err = t.exec("UPDATE schemas SET ai_analysis_status = 'pending', updated_at = "+t.store.dialect.appNow+" WHERE id IN ?", ids)
	return opened, err
}
