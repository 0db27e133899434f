package schema

import (
	"errors"
	"time"
)

// ErrUnknownTenant says that no tenant has the id that was asked for.
var ErrUnknownTenant = errors.New("no tenant has this id")

// ErrBadCursor says that a GraphQuery's Cursor is none that a page of the same tenant
// gave out.
var ErrBadCursor = errors.New("the cursor was not given out for this tenant; leave it out to read from the start")

// GraphQuery asks for one page of what a dashboard draws of a tenant.
type GraphQuery struct {
	TenantID string
	// Limit is the number of schemas, or of entities after the last schemas, that a page
	// holds at most. Defaults to 500; more than 1000 counts as 1000.
	Limit int
	// Cursor is GraphPage.Next of the page before. Defaults to the first page.
	Cursor string
	// Since is GraphPage.Since of an earlier answer: only what changed after it is wanted,
	// deletions aside. What can not be told from it is answered in full. Defaults to all.
	Since string
	// Known is GraphPage.Tag of what the caller has. When nothing changed since, the first
	// page stays empty, and Unchanged.
	Known string
}

// GraphPage is one page, all of it as it was at one moment.
type GraphPage struct {
	// Tag identifies the state of the whole tenant. It changes with every change, and
	// sometimes without one. Empty where Cursor was given.
	Tag string
	// Unchanged says that Tag is GraphQuery.Known; nothing but Tag is set then.
	Unchanged bool
	// Seq counts the events of the tenant, all schemas together. It never falls.
	Seq int64
	// Since is what a later query has as its Since: the moment of the first page.
	Since string
	// Delta says that the page holds changes only.
	Delta bool
	// Next is the cursor of the next page, empty on the last one.
	Next string
	// Totals count what the tenant has, as of the first page.
	Totals GraphTotals
	// Typical is the median time from start to end of the tenant's newest completed runs,
	// 0 when there is none. As of the first page.
	Typical time.Duration
	// Schemas are newest first, each with all its Links.
	Schemas []GraphSchema
	// Entities are those that Links lead to, or, once there are no more schemas, those that
	// nothing leads to; of a delta, those that changed.
	Entities []Entity
	// Links are one for each schema and entity.
	Links []GraphLink
}

// GraphTotals count a tenant's rows.
type GraphTotals struct{ Schemas, Entities int }

// GraphSchema is one schema of a page. RawFields, RawSamples and the samples of its Fields
// are left out.
type GraphSchema struct {
	Schema
	// Seq is the number of its newest event, 0 when there was none. An event with a
	// larger one tells of a later change.
	Seq int64
	// Run is its newest run, nil when there was none.
	Run *GraphRun
	// Error is why that run failed, or why its last attempt did while it is open.
	// Empty otherwise.
	Error string
	// Confidence is that of the decision for an entity, nil where the app's row has none.
	Confidence *float64
	// NeedsReview says that something about the analysis is doubtful.
	NeedsReview bool
	// Engine made the analysis, empty when there was none.
	Engine Engine
	// AnalyzedAt is when it ended, zero when there was none; UTC, whole seconds.
	AnalyzedAt time.Time
}

// GraphRun is where a run stands. Times are zero for what did not happen yet.
type GraphRun struct {
	ID          string
	State       string // requested, running, completed or failed
	Attempts    int
	MaxAttempts int // the budget that Attempts count against
	Requested   time.Time
	Started     time.Time
	Ended       time.Time
	// Error and Code are of the run, or of its last attempt while it is open.
	Error string
	Code  string
}

// GraphLink sums up the mappings from one schema to one entity.
type GraphLink struct {
	SchemaID int64
	EntityID int64
	// Fields is the number of mappings, never 0.
	Fields int
	// Confidence is the mean and Low the smallest of those that an analysis proposed, nil
	// where there is none of them.
	Confidence *float64
	Low        *float64
	// ByHand is the number of mappings that no analysis proposed.
	ByHand int
}
