package store

import (
	"fmt"
	"slices"
	"time"
)

// restless is for how long after a change of an app's row another one may carry the same
// time, which has whole seconds.
const restless = 2 * time.Second

// tenantState is what a change of anything in a tenant's graph changes too.
type tenantState struct {
	Schemas, Entities         int
	SchemaTimes, NewestSchema int64 // seconds
	seq                       int64
	mappings                  mappingState
	runs                      openRunsState
	at                        time.Time
}

// since is the moment of the state. That the mappings were looked at before makes a delta
// from it longer, and leaves nothing out.
func (s *tenantState) since() graphSince { return graphSince{at: s.at, prints: s.mappings.prints} }

// openRunsState changes when a run is taken, given back or asked for again, of which no
// event tells.
type openRunsState struct{ Open, Running, Fences, Asked int64 }

// readState reads the tables in bulk: a tenth of a second for 100,000 schemas, and ten times
// that for a million mappings, which are therefore not looked at each time. The app's tables
// are not ours to put an index on.
func (t *tx) readState(tenantID string) (*tenantState, error) {
	d := t.store.dialect
	state := &tenantState{}
	_, err := t.query(state, "SELECT count(*) FILTER (WHERE type <> 'struct') AS schemas, "+
		"count(*) FILTER (WHERE type = 'struct' AND status = 'confirmed') AS entities, "+
		"CAST(COALESCE(sum("+d.epoch("updated_at")+"), 0) AS bigint) AS schema_times, "+
		"COALESCE(max("+d.epoch("updated_at")+"), 0) AS newest_schema FROM schemas WHERE tenant_id = ?", tenantID)
	if err != nil {
		return nil, fmt.Errorf("count the schemas: %w", err)
	}
	_, err = t.query(&state.runs, "SELECT count(*) AS open, count(*) FILTER (WHERE state = 'running') AS running, "+
		"CAST(COALESCE(sum(fence), 0) AS bigint) AS fences, CAST(COALESCE(sum(asked_ms), 0) AS bigint) AS asked "+
		"FROM schemacast_runs WHERE tenant_id = ? AND state IN ('requested', 'running')", tenantID)
	if err != nil {
		return nil, fmt.Errorf("count the open runs: %w", err)
	}
	if state.at, err = t.now(); err != nil {
		return nil, err
	}
	state.mappings, err = t.mappingState(tenantID, state.at)
	return state, err
}

// tag names the state. While a row may still change within the second of its last change,
// no two tags are the same.
func (s *tenantState) tag() string {
	text := fmt.Sprintf("%d %d %d %d %d %v %d %v", s.seq, s.Schemas, s.Entities, s.SchemaTimes, s.NewestSchema,
		s.runs, s.mappings.times, s.mappings.prints)
	if isRestless(s.NewestSchema, s.at) || s.mappings.restless {
		text += s.at.String()
	}
	return digest(text)[:20]
}

// isRestless says whether another change may still get the time of the newest one. That is
// no question for a clock that is far ahead: it would be so for ever.
func isRestless(newest int64, now time.Time) bool {
	age := now.Sub(time.Unix(newest, 0))
	return age < restless && age > -time.Hour
}

// The newest runs that typical looks at: of all tenants, and of the tenant.
const (
	typicalLook = 5000
	typicalRuns = 200
)

// typical is the median time of the tenant's newest completed runs, 0 when there is none
// among the newest of all tenants: there is an index on the end of runs alone.
func (t *tx) typical(tenantID string) (time.Duration, error) {
	var took []int64
	_, err := t.query(&took, "SELECT ended_ms - started_ms FROM (SELECT tenant_id, state, started_ms, ended_ms FROM schemacast_runs "+
		"WHERE ended_ms IS NOT NULL ORDER BY ended_ms DESC LIMIT ?) AS r "+
		"WHERE tenant_id = ? AND state = 'completed' AND started_ms IS NOT NULL ORDER BY ended_ms DESC LIMIT ?", typicalLook, tenantID, typicalRuns)
	if err != nil || len(took) == 0 {
		return 0, err
	}
	slices.Sort(took)
	return time.Duration(took[len(took)/2]) * time.Millisecond, nil
}
