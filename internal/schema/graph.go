package schema

import "errors"

// ErrUnknownTenant says that no tenant has the id that was asked for.
var ErrUnknownTenant = errors.New("no tenant has this id")

// Graph is what a dashboard draws of one tenant, all of it as it was at one moment.
type Graph struct {
	// Seq counts the events of the tenant, all schemas together. It never falls: of
	// two graphs the one with the larger Seq is the newer, and with the same they
	// differ in nothing that an event tells.
	Seq int64
	// Schemas are the tenant's schemas, newest first.
	Schemas []GraphSchema
	// Entities are the tenant's canonical entities: those that Mappings lead to, then
	// the others, newest first.
	Entities []Entity
	// Mappings lead from Schemas to Entities.
	Mappings []GraphMapping
	// Truncated says that the tenant has more than is shown.
	Truncated bool
}

// GraphSchema is one schema of a Graph. RawFields, RawSamples and the samples of its
// Fields are left out.
type GraphSchema struct {
	Schema
	// Seq is the number of its newest event, 0 when there was none. An event with a
	// larger one tells of a later change.
	Seq int64
	// RunID is its newest run's, empty when there was none.
	RunID string
	// Error is why that run failed, or why its last attempt did while it is open.
	// Empty otherwise.
	Error string
}

// GraphMapping is one mapping as the app's table holds it, by a run or by a human.
type GraphMapping struct {
	SchemaID int64
	EntityID int64
	// Source names a source field, several with commas between them, none for a
	// constant.
	Source string
	// Target names the field of the entity.
	Target string
	// Type is direct or formula, the app's words.
	Type string
	// Formula is a JSONata expression, empty for a direct mapping.
	Formula string
	// Confidence is between 0 and 1, nil where no analysis proposed this mapping.
	Confidence *float64
}
