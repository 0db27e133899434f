package schema

import (
	"encoding/json"
	"time"
)

// EventKind is what an event tells.
type EventKind string

// The kinds of events. Started, completed and failed are the three that the app's
// listener knows; progress travels under a name of its own.
const (
	EventStarted   EventKind = "started"
	EventProgress  EventKind = "progress"
	EventCompleted EventKind = "completed"
	EventFailed    EventKind = "failed"
)

// Terminal says that no event of the same run follows.
func (k EventKind) Terminal() bool { return k == EventCompleted || k == EventFailed }

// Event is one change of a schema's analysis, written in the transaction that made
// the change. Exactly one of the four parts is set, as Kind says.
type Event struct {
	ID          string // ULID; what a client dedupes by
	SchemaID    int64
	TenantID    string
	RunID       string // ULID of the run
	RequestedBy string // who asked for the run, empty for the app itself
	Seq         int64  // counts up per schema, from 1, without gaps
	Kind        EventKind
	OccurredAt  time.Time // the database's clock, milliseconds, UTC
	// Traceparent is the W3C trace context in which the change was made, empty without one.
	Traceparent string

	Started   *Started
	Progress  *Progress
	Completed *Completed
	Failed    *Failed
}

// Started tells that a worker took up a run. It is sent once a run, however many
// attempts follow.
type Started struct {
	Name       string // empty when the schema has none yet
	Hash       string
	TenantName string
	Fields     json.RawMessage // the column detected_fields, verbatim
}

// Progress tells how far a long analysis is.
type Progress struct {
	Stage string // match, ask, verify
	Done  int
	Total int // 0 when it is not known
}

// Completed tells the state after the commit.
type Completed struct {
	Schema        CompletedSchema
	Entity        *CompletedEntity // nil when the schema is mapped to no entity
	MappingsCount int
}

// CompletedSchema is the bronze side of a completed event.
type CompletedSchema struct {
	ID         int64
	Hash       string
	Name       string
	Kind       Kind
	Status     Status
	TenantName string
	Fields     json.RawMessage
	CreatedAt  time.Time
}

// CompletedEntity is the silver side of a completed event.
type CompletedEntity struct {
	ID     int64
	Name   string
	Hash   string
	Kind   Kind
	Fields json.RawMessage
}

// Failed tells that a run ended without a result.
type Failed struct {
	Code  string // machine-readable, see package run
	Error string // one short sentence without data of the tenant
}
