package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"

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
}

// Requested is the answer for one schema.
type Requested struct {
	SchemaID int64
	TenantID string
	State    RequestState
	Reason   string // with RequestRefused: what stands against it, and the cure
}

// Request records that somebody wants schemas analysed: each row becomes pending
// and gets an open run, in one transaction. A run that is open already serves as
// well. The answers are in the order of the ids.
func (s *Store) Request(ctx context.Context, r Request) ([]Requested, error) {
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
const requestParameters = 6

func (t *tx) request(r Request, ids []int64) ([]Requested, error) {
	var rows []schemaRow
	_, err := t.query(&rows, "SELECT id, tenant_id, type, status, ai_analysis_status FROM schemas WHERE id IN ?", ids)
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
	opened, err := t.openRuns(r, open)
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
		switch reason := row.standsAgainst(r.Force); {
		case reason != "":
			answers[i].State, answers[i].Reason = RequestRefused, reason
		case opened[id]:
			answers[i].State = RequestAccepted
		default:
			answers[i].State = RequestAlreadyOpen
		}
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
		values[i] = "(?, ?, ?, ?, 'requested', ?, ?, " + now + ")"
		args = append(args, ulid.Make().String(), row.ID, row.ID, row.TenantID, clip(r.By, maxVarchar), r.Force)
	}
	var ids []int64
	_, err := t.query(&ids, "INSERT INTO schemacast_runs (id, schema_id, active_schema_id, tenant_id, state, requested_by, force, requested_ms) VALUES "+
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
