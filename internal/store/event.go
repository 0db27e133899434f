package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
	"go.opentelemetry.io/otel/propagation"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// emitStarted writes the started event of a run. SQLite takes any text for JSON; what
// is none is left out, so that the run can start, and fail in clear words.
func (t *tx) emitStarted(r *runRow, s schema.Schema) error {
	fields := s.RawFields
	if !json.Valid(fields) {
		fields = nil
	}
	return t.emit(r, schema.Event{Kind: schema.EventStarted, Started: &schema.Started{
		Name: s.Name, Hash: s.Hash, TenantName: s.TenantName, Fields: fields,
	}})
}

// emitFailed writes the failed event of a run.
func (t *tx) emitFailed(r *runRow, f run.Failure) error {
	return t.emit(r, schema.Event{Kind: schema.EventFailed, Failed: &schema.Failed{Code: string(f.Code), Error: f.Text}})
}

// emit puts an event into the outbox, in the transaction of the change that it
// tells of. The row of the stream stays locked until the commit, so events of one
// schema are committed in the order of their seq.
func (t *tx) emit(r *runRow, e schema.Event) error { return t.emitWith(r, e, nil) }

// emitWith is emit, and notes in the stream what the run wrote, if anything.
func (t *tx) emitWith(r *runRow, e schema.Event, mine *ownWork) error {
	var work []any
	if mine != nil {
		var err error
		if work, err = mine.noted(); err != nil {
			return fmt.Errorf("encode what the run wrote: %w", err)
		}
	}
	e.Traceparent = traceparent(t.Statement.Context)
	payload, err := encodeEvent(e)
	if err != nil {
		return fmt.Errorf("encode the %s event: %w", e.Kind, err)
	}
	t.countUp(r, work)
	t.later("write the "+string(e.Kind)+" event", "INSERT INTO schemacast_events (id, schema_id, seq, tenant_id, run_id, requested_by, kind, payload, occurred_ms) "+
		"VALUES (?, ?, (SELECT last_seq FROM schemacast_streams WHERE schema_id = ?), ?, ?, ?, ?, ?, "+t.store.dialect.now+")",
		ulid.Make().String(), r.SchemaID, r.SchemaID, r.TenantID, r.ID, r.RequestedBy, string(e.Kind), payload)
	t.nudged = append(t.nudged, r.SchemaID)
	return nil
}

// traceparent is the trace context of whoever makes the change, so that the sending of
// its event is found in the same trace. Only the API of OpenTelemetry is known here.
func traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// countUp counts the stream up and, when nobody else holds it, leases it to the
// relay of this process, which is nudged after the commit. A longer lease that the
// relay took itself stays: it counts on it while it sends. work are the values of
// the columns that hold what our last run wrote, nil where these stay.
func (t *tx) countUp(r *runRow, work []any) {
	now := t.store.dialect.now
	me, lease := t.store.cfg.RelayOwner, int64(0)
	if me != "" {
		lease = t.store.cfg.RelayLease.Milliseconds()
	}
	var columns, values, set string
	if work != nil {
		columns, values = ", own_name, own_mappings, last_mapping, doubtful", ", ?, ?, ?, ?"
		set = ", own_name = excluded.own_name, own_mappings = excluded.own_mappings, last_mapping = excluded.last_mapping, doubtful = excluded.doubtful"
	}
	free := "(schemacast_streams.lease_owner = '' OR schemacast_streams.lease_until_ms < " + now +
		" OR schemacast_streams.lease_owner = excluded.lease_owner AND schemacast_streams.lease_until_ms < excluded.lease_until_ms)"
	t.later("count the stream up", "INSERT INTO schemacast_streams (schema_id, tenant_id, last_seq, due_ms, lease_owner, lease_until_ms"+columns+") VALUES (?, ?, 1, "+now+", ?, "+now+" + ?"+values+") "+
		"ON CONFLICT (schema_id) DO UPDATE SET last_seq = schemacast_streams.last_seq + 1, "+
		"due_ms = CASE WHEN schemacast_streams.sent_seq < schemacast_streams.last_seq THEN schemacast_streams.due_ms ELSE excluded.due_ms END, "+
		"lease_until_ms = CASE WHEN "+free+" THEN excluded.lease_until_ms ELSE schemacast_streams.lease_until_ms END, "+
		"lease_owner = CASE WHEN "+free+" THEN excluded.lease_owner ELSE schemacast_streams.lease_owner END"+set,
		append([]any{r.SchemaID, r.TenantID, me, lease}, work...)...)
}

// eventPayload is how the parts of an event are stored. It is internal: how an
// event looks on the wire is decided when it is sent.
type eventPayload struct {
	Started   *startedPayload   `json:"started,omitempty"`
	Progress  *progressPayload  `json:"progress,omitempty"`
	Completed *completedPayload `json:"completed,omitempty"`
	Failed    *failedPayload    `json:"failed,omitempty"`
	// Traceparent is here and not in a column: nobody looks for it.
	Traceparent string `json:"traceparent,omitempty"`
}

type startedPayload struct {
	Name       string          `json:"name"`
	Hash       string          `json:"hash"`
	TenantName string          `json:"tenant_name"`
	Fields     json.RawMessage `json:"fields"`
}

type progressPayload struct {
	Stage string `json:"stage"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

type completedPayload struct {
	Schema        schemaPayload  `json:"schema"`
	Entity        *entityPayload `json:"entity,omitempty"`
	MappingsCount int            `json:"mappings_count"`
}

type schemaPayload struct {
	ID         int64           `json:"id"`
	Hash       string          `json:"hash"`
	Name       string          `json:"name"`
	Kind       schema.Kind     `json:"kind"`
	Status     schema.Status   `json:"status"`
	TenantName string          `json:"tenant_name"`
	Fields     json.RawMessage `json:"fields"`
	CreatedAt  time.Time       `json:"created_at"`
}

type entityPayload struct {
	ID     int64           `json:"id"`
	Name   string          `json:"name"`
	Hash   string          `json:"hash"`
	Kind   schema.Kind     `json:"kind"`
	Fields json.RawMessage `json:"fields"`
}

type failedPayload struct {
	Code  string `json:"code"`
	Error string `json:"error"`
}

func encodeEvent(e schema.Event) (string, error) {
	p := eventPayload{Traceparent: e.Traceparent}
	if e.Started != nil {
		v := startedPayload(*e.Started)
		p.Started = &v
	}
	if e.Progress != nil {
		v := progressPayload(*e.Progress)
		p.Progress = &v
	}
	if e.Completed != nil {
		p.Completed = &completedPayload{Schema: schemaPayload(e.Completed.Schema), MappingsCount: e.Completed.MappingsCount}
		if e.Completed.Entity != nil {
			v := entityPayload(*e.Completed.Entity)
			p.Completed.Entity = &v
		}
	}
	if e.Failed != nil {
		v := failedPayload(*e.Failed)
		p.Failed = &v
	}
	encoded, err := json.Marshal(p)
	return string(encoded), err
}

func decodeEvent(payload string, e *schema.Event) error {
	var p eventPayload
	if err := json.Unmarshal([]byte(payload), &p); err != nil {
		return err
	}
	e.Traceparent = p.Traceparent
	if p.Started != nil {
		v := schema.Started(*p.Started)
		e.Started = &v
	}
	if p.Progress != nil {
		v := schema.Progress(*p.Progress)
		e.Progress = &v
	}
	if p.Completed != nil {
		e.Completed = &schema.Completed{Schema: schema.CompletedSchema(p.Completed.Schema), MappingsCount: p.Completed.MappingsCount}
		if p.Completed.Entity != nil {
			v := schema.CompletedEntity(*p.Completed.Entity)
			e.Completed.Entity = &v
		}
	}
	if p.Failed != nil {
		v := schema.Failed(*p.Failed)
		e.Failed = &v
	}
	return nil
}
