package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
)

// Store is the durable state of runs. Its transactions are the truth; a task in
// Redis is only a hint that there is work.
type Store interface {
	Claims
	Results
}

// Claims is the part of Store that gives and takes ownership.
type Claims interface {
	// Claim takes up the open run of a schema, or makes one when the row is freshly
	// pending. The first claim of a run emits its started event. Errors:
	// ErrUnknownSchema, *TenantError, ErrNothingToDo, *BusyError,
	// *EndedError when the claim itself had to end the run, and
	// *schema.FieldsError together with a Claim, so that the run can be failed.
	Claim(ctx context.Context, r ClaimRequest) (*Claim, error)
	// Beat says that the owner lives. ErrClaimLost when it is not the owner any
	// more, *CancelledError when somebody asked to cancel the run.
	Beat(ctx context.Context, c *Claim) error
	// Retry ends the attempt and leaves the run open for another one. With
	// keepAttempt the attempt does not count against the budget. Giving the same claim
	// back again, by Retry or Release, is a success that changes nothing.
	Retry(ctx context.Context, c *Claim, f Failure, keepAttempt bool) error
	// Release gives an unfinished claim back, as a drain does: the attempt does not
	// count.
	Release(ctx context.Context, c *Claim) error
}

// Results is the part of Store that records what a claim's owner found out. Every
// method answers ErrClaimLost, and changes nothing, when the claim is not current.
type Results interface {
	// Checkpoint stores a raw answer before it is interpreted.
	Checkpoint(ctx context.Context, c *Claim, checkpoint []byte, usage analysis.Usage) error
	// Progress emits a progress event.
	Progress(ctx context.Context, c *Claim, p schema.Progress) error
	// Commit writes a result, the state and the event in one transaction. Committing
	// the same claim again is a success that changes nothing.
	Commit(ctx context.Context, c *Claim, d Decision) (Outcome, error)
	// Fail ends the run without a result: row failed, one failed event.
	Fail(ctx context.Context, c *Claim, f Failure) error
}

// ClaimRequest names the schema that a task is about.
type ClaimRequest struct {
	SchemaID int64
	TenantID string // checked against the row when not empty
	Owner    string // of the worker process, unique among all
	// TenantSlots is how many runs of one tenant may go on at a time, over all
	// workers; 0 for any number. The claim is refused with *TenantBusyError.
	TenantSlots int
}

// Claim is the ownership of one attempt of a run. It is valid as long as its fence
// is the run's.
type Claim struct {
	RunID   string
	Fence   int64
	Attempt int // from 1; counts what used the budget, this one included
	// Age is the time since the first claim of the run: how long it has been waiting
	// and working.
	Age        time.Duration
	Waited     time.Duration // from the request to the first claim; 0 in later ones
	Recovered  bool          // from an owner that went away without a word
	Force      bool          // whoever asked allows replacing what humans made
	Schema     schema.Schema
	Checkpoint []byte // saved by an earlier attempt, nil when there is none
}

// Decision is what a commit writes.
type Decision struct {
	// Schema is what was analysed. A commit offered again after a lost reply must not
	// write the result of old fields onto new ones, so they are compared with these.
	Schema schema.Schema
	Result *analysis.Result
	// Confirm says whether a recommendation opens the data path: the row's status
	// becomes confirmed. It is asked about the one that is committed, which Rematch
	// may have changed.
	Confirm func(analysis.Recommendation) bool
	// Rematch decides again, offline, when entities appeared that the analysis did
	// not see. It gets only those, must be pure, and returns the recommendation to
	// commit.
	Rematch func(added []schema.Entity) analysis.Recommendation
}

// Outcome is how a commit ended.
type Outcome struct {
	State OutcomeState
	// Schema is the row as it is now, set with OutcomeFieldsChanged.
	Schema schema.Schema
	// Code is why the run ended without a result, empty where it did not.
	Code Code
}

// OutcomeState is the kind of an Outcome.
type OutcomeState string

// The outcomes of a commit.
const (
	OutcomeCompleted     OutcomeState = "completed"
	OutcomeKeptHuman     OutcomeState = "kept_human"     // a human decided meanwhile; only the recommendation was stored
	OutcomeFieldsChanged OutcomeState = "fields_changed" // nothing was written; analyse Outcome.Schema
	OutcomeEntityGone    OutcomeState = "entity_gone"    // nothing was written; the entity was deleted or changed, analyse again
	OutcomeSchemaGone    OutcomeState = "schema_gone"    // the row was deleted; the run has ended
	OutcomeFailed        OutcomeState = "failed"         // the fields changed too often, or nobody wants the result any more; the run has ended
	OutcomeCancelled     OutcomeState = "cancelled"      // somebody cancelled it before the commit; the run has ended
)

// Failure is why an attempt or run ended without a result.
type Failure struct {
	Code Code
	Text string // one short sentence for humans; no data of the tenant, no secrets
}

// Code is the machine-readable reason of a failure.
type Code string

// The codes of failures. They are part of the failed event and of metrics.
const (
	CodeLLMUnavailable Code = "llm_unavailable"
	CodeLLMRateLimited Code = "llm_rate_limited"
	CodeLLMQuota       Code = "llm_quota"
	CodeLLMBudget      Code = "llm_budget"
	CodeLLMBadOutput   Code = "llm_bad_output"
	CodeLLMRefused     Code = "llm_refused"
	CodeLLMTooLarge    Code = "llm_too_large"
	CodeLLMConfig      Code = "llm_config"
	CodeBadFields      Code = "bad_fields"
	CodeBadPayload     Code = "bad_payload"
	CodeUnknownVersion Code = "unknown_version"
	CodeSchemaGone     Code = "schema_gone"
	CodeFieldsChanging Code = "fields_changing"
	CodeEntityGone     Code = "entity_gone"
	CodeCancelled      Code = "cancelled"
	CodeSuperseded     Code = "superseded"
	CodeDatabase       Code = "database"
	CodeTimeout        Code = "timeout"
	CodePanic          Code = "panic"
	CodeWorkerLost     Code = "worker_lost"
	CodePoison         Code = "poison"        // its analysis killed several workers
	CodeTaskArchived   Code = "task_archived" // an operator, or asynq, put its task away
	CodeInternal       Code = "internal"
)

// Errors of Store that callers tell apart.
var (
	// ErrUnknownSchema: no such row, maybe not committed yet by its producer.
	ErrUnknownSchema = errors.New("no schema with this id")
	// ErrNothingToDo: the row is in a state that asks for no analysis.
	ErrNothingToDo = errors.New("the schema does not wait for an analysis")
	// ErrClaimLost: another attempt owns the run, or it has ended.
	ErrClaimLost = errors.New("the claim is not current any more")
	// ErrUnavailable: the database did not answer, or refused for now; nothing was
	// decided and the call may be repeated.
	ErrUnavailable = errors.New("the database is not available")
)

// TenantError says that the task names another tenant than the row.
type TenantError struct{ SchemaID int64 }

func (e *TenantError) Error() string {
	return "the task names another tenant than the one that the schema belongs to"
}

// BusyError says that another owner holds the run and lives.
type BusyError struct {
	// Retry is when the owner would count as gone.
	Retry time.Duration
}

func (e *BusyError) Error() string { return "another worker owns the run" }

// TenantBusyError says that the tenant has as many runs going on as it may.
type TenantBusyError struct{ Slots int }

func (e *TenantBusyError) Error() string {
	return fmt.Sprintf("the tenant has %d runs going on, as many as it may", e.Slots)
}

// EndedError says that the claim found that the run can not go on, and ended it.
type EndedError struct{ Failure Failure }

func (e *EndedError) Error() string { return "the run was ended: " + e.Failure.Text }

// CancelledError says that somebody asked to cancel the run.
type CancelledError struct{ By string }

func (e *CancelledError) Error() string { return "cancelled by " + e.By }
