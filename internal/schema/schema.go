// Package schema is the vocabulary of Schemacast: schemas, fields, canonical
// entities, field mappings and the events that tell about them. It also detects
// the fields of raw records and hashes a shape, as the app's ingestion does.
//
// It holds facts only. It reads no database, sends nothing, and imports no other
// package of this module; everybody may import it.
package schema

import (
	"encoding/json"
	"time"
)

// Kind is the role of a row in the app's table of schemas (its column "type").
type Kind string

// The kinds of rows that the app knows.
const (
	// KindInput is a bronze schema: one per distinct shape of records.
	KindInput Kind = "input"
	// KindStruct is a silver schema: a canonical entity.
	KindStruct Kind = "struct"
	// KindEntity is an input that a human mapped by hand. Despite its name it is
	// not an entity: it is never matched against and never overwritten.
	KindEntity Kind = "entity"
)

// Status says whether records of a schema may flow (the app's column "status").
type Status string

// The values of Status.
const (
	StatusPending   Status = "pending"
	StatusConfirmed Status = "confirmed"
	StatusRejected  Status = "rejected"
)

// AnalysisStatus is where the analysis of a schema stands (the app's column
// "ai_analysis_status").
type AnalysisStatus string

// The values of AnalysisStatus.
const (
	AnalysisPending    AnalysisStatus = "pending"
	AnalysisProcessing AnalysisStatus = "processing"
	AnalysisCompleted  AnalysisStatus = "completed"
	AnalysisFailed     AnalysisStatus = "failed"
	AnalysisDisabled   AnalysisStatus = "disabled"
)

// Schema is one bronze schema as the app stored it.
type Schema struct {
	ID             int64
	TenantID       string
	TenantName     string // "Unknown" when the tenant's row is missing
	Hash           string // 16 hex digits of the shape, see InputHash
	Name           string // empty until analysed or named
	Kind           Kind
	Status         Status
	AnalysisStatus AnalysisStatus
	Fields         []Field         // parsed from RawFields, see ParseFields
	RawFields      json.RawMessage // the column detected_fields, verbatim
	RawSamples     json.RawMessage // the column sample_data, verbatim; see SampleRows
	CreatedAt      time.Time       // UTC, whole seconds; zero when the app left it null
}

// Entity is one canonical entity (silver schema) of a tenant.
type Entity struct {
	ID          int64
	TenantID    string
	Name        string
	Description string // what the entity is, where anybody said so
	Hash        string
	Fields      []Field
	RawFields   json.RawMessage // the column detected_fields, verbatim
}

// Mapping says how one field of an entity is filled from fields of a schema.
type Mapping struct {
	// Sources names the source fields, none for a constant. They are dotted paths
	// as detection wrote them.
	Sources []string
	// Target names the field of the entity.
	Target string
	// Op is how the value is made.
	Op Op
	// Formula is the JSONata expression over a source record. It is never empty in
	// a verified mapping, also where Op is OpDirect.
	Formula string
	// Confidence is between 0 and 1.
	Confidence float64
	// Why is one short sentence of evidence for a reviewer.
	Why string
	// Engine made this mapping.
	Engine Engine
	// Review says why a human should look at it: a code, empty when nothing is
	// doubtful.
	Review string
}

// Op is how a mapping makes its value. The words are those that the app stores as
// "transformation".
type Op string

// The operations of a mapping.
const (
	OpDirect           Op = "direct"
	OpFormatConversion Op = "format_conversion"
	OpCombine          Op = "combine"
	OpSplit            Op = "split"
	OpConstant         Op = "constant"
	OpFormula          Op = "formula"
)

// Engine is who decided.
type Engine string

// The engines.
const (
	EngineLLM     Engine = "llm"
	EngineOffline Engine = "offline"
)
