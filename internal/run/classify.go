package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/task"
)

// class is what to do about an error that ended an attempt.
type class string

const (
	classRetry     class = "retry"     // again later; the attempt is used
	classSnooze    class = "snooze"    // again later; it was nobody's fault, the attempt is kept
	classPermanent class = "permanent" // it will not get better: the run fails
	classLost      class = "lost"      // somebody else owns the run: change nothing
	classCancelled class = "cancelled" // somebody asked to stop: the run fails
	classDrain     class = "drain"     // this worker stops: the claim is released
	classGaveUp    class = "gave_up"   // again would be too often, or too late: the run fails
)

// How long to wait where a server did not say, and what is believed of what it
// says.
const (
	rateLimitDelay = 20 * time.Second
	rateLimitMost  = 10 * time.Minute
	quotaLeast     = 30 * time.Minute
	quotaMost      = time.Hour
	budgetMost     = 15 * time.Minute // somebody may raise it before the day is over
	databaseDelay  = 5 * time.Second
	// doubtLimit is the budget of refusals and unusable answers: asking the same
	// again rarely helps, and costs tokens. It is compared with the attempts that the
	// run used for any reason, so there is at most one more.
	doubtLimit = 2
)

// errTimeout is the cause of the end of an analysis that took too long.
var errTimeout = errors.New("the analysis took longer than its time limit")

// errEntityGone says that the chosen entity kept changing under the analysis.
var errEntityGone = errors.New("the chosen entity kept changing while the schema was analysed")

// errFieldsChanging says the same of the schema's fields.
var errFieldsChanging = errors.New("the fields kept changing while the schema was analysed")

// errWorkersLost is a run whose attempts ended without a word, as those do whose
// process is killed.
var errWorkersLost = errors.New("every attempt ended with the loss of its worker")

// panicError is an analysis that panicked.
type panicError struct{}

func (*panicError) Error() string { return "the analysis crashed; the worker's log has the stack" }

// storeError is a store that answered no to what it must accept.
type storeError struct {
	op  string
	err error
}

func (e *storeError) Error() string { return e.op + ": " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// verdict is what classify makes of an error.
type verdict struct {
	class   class
	failure Failure
	// delay until the next attempt, 0 to back off by the number of attempts.
	delay time.Duration
	// limit of attempts, 0 for the handler's.
	limit int
}

// classify is the only place that decides what an error means for its run. The
// failure's text is written into the app's row and sent to browsers, so errors that
// are not made for that get a sentence of ours.
func classify(err error) verdict {
	var cancelled *CancelledError
	var fields *schema.FieldsError
	var version *task.VersionError
	var crash *panicError
	var storage *storeError
	model := analysis.ModelErrorOf(err)
	switch {
	case errors.Is(err, ErrClaimLost):
		return verdict{class: classLost}
	case errors.As(err, &cancelled):
		return verdict{class: classCancelled, failure: failure(CodeCancelled, cancelled.Error())}
	case errors.Is(err, ErrDraining):
		return verdict{class: classDrain, failure: failure(CodeWorkerLost, ErrDraining.Error())}
	case errors.Is(err, errTimeout):
		return verdict{class: classRetry, failure: failure(CodeTimeout, errTimeout.Error())}
	case errors.Is(err, ErrUnavailable):
		return verdict{class: classSnooze, failure: failure(CodeDatabase, ErrUnavailable.Error()), delay: jitter(databaseDelay)}
	case model != nil:
		return classifyModel(model)
	case errors.As(err, &fields):
		return verdict{class: classPermanent, failure: failure(CodeBadFields, fields.Error())}
	case errors.As(err, &version):
		return verdict{class: classPermanent, failure: failure(CodeUnknownVersion,
			fmt.Sprintf("no worker knows version %d of the task; deploy a newer one and ask again", version.Version))}
	case errors.As(err, &crash):
		return verdict{class: classRetry, failure: failure(CodePanic, crash.Error())}
	case errors.Is(err, errEntityGone):
		return verdict{class: classRetry, failure: failure(CodeEntityGone, errEntityGone.Error())}
	case errors.Is(err, errFieldsChanging):
		return verdict{class: classRetry, failure: failure(CodeFieldsChanging, errFieldsChanging.Error())}
	case errors.Is(err, errWorkersLost):
		return verdict{class: classPermanent, failure: failure(CodeWorkerLost, errWorkersLost.Error())}
	case errors.As(err, &storage):
		return verdict{class: classRetry, failure: failure(CodeDatabase, "the database refused the result; the worker's log says why")}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return verdict{class: classRetry, failure: failure(CodeTimeout, "a part of the analysis took too long")}
	default:
		return verdict{class: classRetry, failure: failure(CodeInternal, "the analysis failed; the worker's log says why")}
	}
}

func classifyModel(e *analysis.ModelError) verdict {
	v := verdict{class: classRetry, failure: failure(CodeLLMUnavailable, e.Error())}
	switch e.Kind {
	case analysis.ModelRateLimited:
		v.class, v.failure.Code = classSnooze, CodeLLMRateLimited
		v.delay = jitter(min(orElse(e.RetryAfter, rateLimitDelay), rateLimitMost))
	case analysis.ModelQuota:
		v.class, v.failure.Code = classSnooze, CodeLLMQuota
		v.delay = jitter(min(max(e.RetryAfter, quotaLeast), quotaMost))
	case analysis.ModelBudget:
		v.class, v.failure.Code = classSnooze, CodeLLMBudget
		v.delay = jitter(min(orElse(e.RetryAfter, budgetMost), budgetMost))
	case analysis.ModelBadAnswer:
		v.failure.Code, v.limit = CodeLLMBadOutput, doubtLimit
	case analysis.ModelRefused:
		v.failure.Code, v.limit = CodeLLMRefused, doubtLimit
	case analysis.ModelTooLarge:
		v.class, v.failure.Code = classPermanent, CodeLLMTooLarge
	case analysis.ModelConfig:
		v.class, v.failure.Code = classPermanent, CodeLLMConfig
	case analysis.ModelUnavailable:
		// A server, or the breaker in front of it, that says when to come back will be
		// there again: that is waiting, not failing.
		if e.RetryAfter > 0 {
			v.class = classSnooze
			v.delay = jitter(min(e.RetryAfter, rateLimitMost))
		}
	}
	return v
}

// failure caps and cleans the text: it goes into a row and to browsers.
func failure(code Code, text string) Failure {
	return Failure{Code: code, Text: clean(text)}
}

func orElse(d, fallback time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return fallback
}
