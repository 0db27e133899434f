package run

import (
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
)

// Observer hears what a Handler does, to count it. Its methods are called by many
// goroutines and must not block.
type Observer interface {
	// Claimed tells of a claim that was given, and how long it took to get.
	Claimed(c *Claim, took time.Duration)
	// Refused tells of a task without a claim.
	Refused(why Refusal)
	// Analysed tells of one pass of the analyzer; result is nil where it failed.
	Analysed(result *analysis.Result, took time.Duration)
	// Committed tells of one commit that was answered.
	Committed(outcome OutcomeState, took time.Duration)
	// Ended tells of the end of an attempt, or of a run at its claim.
	Ended(e End)
}

// Refusal is why a task got no claim.
type Refusal string

// The refusals.
const (
	RefusedNothing     Refusal = "nothing_to_do" // the run has ended, or another worker took it
	RefusedBusy        Refusal = "busy"          // another worker owns the run
	RefusedTenantFull  Refusal = "tenant_full"   // the tenant has as many runs going on as it may
	RefusedUnavailable Refusal = "unavailable"   // the database did not answer
	RefusedUnknown     Refusal = "unknown"       // the schema is not there, maybe not yet
	RefusedRejected    Refusal = "rejected"      // the task was wrong and is archived
	RefusedVersion     Refusal = "version"       // it waits for a newer worker
	RefusedFailed      Refusal = "failed"        // the claim failed, the log says why
)

// End is how an attempt ended.
type End struct {
	// Class says what the end means: completed, or what was done about the error, as
	// retry, snooze, permanent, lost, cancelled, drain.
	Class string
	// Code is why the attempt failed, empty when it did not.
	Code Code
	// Final says that the run ended with it, Outcome how.
	Final   bool
	Outcome OutcomeState
	// Age is the time since the first claim of the run, 0 when it is not known.
	Age time.Duration
}

// Codes returns all codes of failures.
func Codes() []Code {
	return []Code{
		CodeLLMUnavailable, CodeLLMRateLimited, CodeLLMQuota, CodeLLMBudget, CodeLLMBadOutput, CodeLLMRefused, CodeLLMTooLarge,
		CodeLLMConfig, CodeBadFields, CodeBadPayload, CodeUnknownVersion, CodeSchemaGone, CodeFieldsChanging, CodeEntityGone,
		CodeCancelled, CodeSuperseded, CodeDatabase, CodeTimeout, CodePanic, CodeWorkerLost, CodePoison, CodeTaskArchived, CodeInternal,
	}
}

// classCompleted is the class of an attempt with a result.
const classCompleted = "completed"

// nobody is the Observer of a Handler without one.
type nobody struct{}

func (nobody) Claimed(*Claim, time.Duration) {}

func (nobody) Refused(Refusal) {}

func (nobody) Analysed(*analysis.Result, time.Duration) {}

func (nobody) Committed(OutcomeState, time.Duration) {}

func (nobody) Ended(End) {}
