package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// Abandon implements run.Backlog. A time without a fraction stands for its whole
// second, since asynq keeps no more of the times of its tasks.
func (s *Store) Abandon(ctx context.Context, o run.Orphan, putAway time.Time, f run.Failure) (bool, error) {
	until := putAway.UnixMilli()
	if putAway.Nanosecond() == 0 {
		until += 999
	}
	abandoned := false
	err := s.transact(ctx, func(t *tx) error {
		var err error
		if o.RunID != "" {
			abandoned, err = t.abandonRun(o, until, f)
		} else {
			abandoned, err = t.endWaiting(o.SchemaID, until, f)
		}
		return err
	})
	if errors.Is(err, errNotWaiting) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("abandon the analysis of schema %d: %w", o.SchemaID, err)
	}
	return abandoned, nil
}

func (t *tx) abandonRun(o run.Orphan, until int64, f run.Failure) (bool, error) {
	var found struct {
		AskedMs int64
		Held    bool
	}
	row := runRow{}
	n, err := t.query(&row, "SELECT "+runColumns+" FROM schemacast_runs WHERE id = ? AND active_schema_id = ?"+t.store.dialect.forUpdate, o.RunID, o.SchemaID)
	if err != nil || n == 0 || row.Fence != o.Fence {
		return false, err
	}
	_, err = t.query(&found, "SELECT CASE WHEN asked_ms > requested_ms THEN asked_ms ELSE requested_ms END AS asked_ms, "+
		"state = 'running' AND heartbeat_ms >= "+t.store.dialect.now+" - ? AS held FROM schemacast_runs WHERE id = ?", t.store.cfg.StaleAfter.Milliseconds(), o.RunID)
	if err != nil || found.Held || found.AskedMs > until {
		return false, err
	}
	return true, t.fail(&row, f)
}

// errNotWaiting rolls a transaction back whose schema just began, or ceased, to be
// worked on.
var errNotWaiting = errors.New("the schema does not wait without a run any more")

// endWaiting ends the wish of a row that waits and has no run, by a run that fails at
// once, so that there is a history and an event. False when there is no such wish, or
// it came after a time. Inserting the run comes first, as in a claim, so that one of
// the two finds what the other did.
func (t *tx) endWaiting(schemaID, until int64, f run.Failure) (bool, error) {
	record, err := ignoreNoRow(t.selectSchema(schemaID, false))
	if err != nil || record == nil || !record.waits() || parseAppTime(record.CreatedAt).UnixMilli() > until {
		return false, err
	}
	now := t.store.dialect.now
	var row runRow
	n, err := t.query(&row, "INSERT INTO schemacast_runs (id, schema_id, active_schema_id, tenant_id, state, requested_ms) "+
		"VALUES (?, ?, ?, ?, 'requested', "+now+") ON CONFLICT (active_schema_id) DO NOTHING RETURNING "+runColumns,
		ulid.Make().String(), record.ID, record.ID, record.TenantID)
	if err != nil {
		return false, err
	}
	if n == 0 {
		return false, errNotWaiting
	}
	record, err = ignoreNoRow(t.selectSchema(schemaID, true))
	if err != nil {
		return false, err
	}
	if record == nil || !record.waits() {
		return false, errNotWaiting
	}
	return true, t.fail(&row, f)
}

// stateInWords says in which state a row without an open run is.
func (r *schemaRow) stateInWords() string {
	if schema.Kind(r.Type) == schema.KindStruct {
		return "it is a canonical entity, which is not analysed"
	}
	switch status := schema.AnalysisStatus(r.AIAnalysisStatus); status {
	case schema.AnalysisPending:
		return "nobody asked for its analysis: a human set it to " + r.Status
	case schema.AnalysisProcessing:
		return "another program than the workers says that it is analysing it"
	case schema.AnalysisCompleted, schema.AnalysisFailed:
		return "its analysis has " + string(status)
	default:
		return "its analysis is " + r.AIAnalysisStatus
	}
}
