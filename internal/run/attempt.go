package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/failpoint"
	"github.com/schemacast/schemacast/internal/schema"
)

// maxPasses is how often one attempt analyses: the schema, or the entity it was
// mapped to, may change under it. The store bounds changes of fields on its own,
// over all attempts.
const maxPasses = 4

// attempt is one claim of a run, from the claim to its end.
type attempt struct {
	handler *Handler
	claim   *Claim
	started time.Time
	log     *slog.Logger
	// cancel ends the work; its argument is the reason.
	cancel context.CancelCauseFunc
	stops  []func()
}

// newAttempt starts the heartbeat of a claim, and returns the context of its work,
// which has the reason of its end as its cause. The work is detached from asynq's
// context, which ends without a reason: when Redis lost the lease, the database
// claim may still be good and the tokens are paid already; when somebody asked to
// cancel, the database knows. The heartbeat finds out at once. Only the time limit
// is asynq's, less what it takes to record that it was exceeded.
func (h *Handler) newAttempt(ctx context.Context, claim *Claim) (*attempt, context.Context) {
	detached := context.WithoutCancel(ctx)
	if isBackfill(ctx) {
		detached = analysis.WithBackfill(detached)
	}
	claim.describe(ctx)
	detached = withIDs(detached,
		slog.Int64(keySchema, claim.Schema.ID), slog.String(keyTenant, claim.Schema.TenantID), slog.String(keyRun, claim.RunID))
	work, cancel := context.WithCancelCause(detached)
	a := &attempt{handler: h, claim: claim, started: time.Now(), cancel: cancel}
	a.log = slog.New(h.log.Handler().WithAttrs(idsOf(detached))).With("attempt", claim.Attempt)
	stopDrain := context.AfterFunc(h.drain.hurried, func() { cancel(ErrDraining) })
	a.stops = append(a.stops, func() { stopDrain() }, func() { cancel(nil) })
	if deadline, ok := ctx.Deadline(); ok {
		margin := min(30*time.Second, time.Until(deadline)/10)
		limited, stop := context.WithDeadlineCause(work, deadline.Add(-margin), errTimeout)
		work = limited
		a.stops = append(a.stops, stop)
	}
	if limit := h.cfg.AnalysisTimeout; limit > 0 {
		limited, stop := context.WithTimeoutCause(work, limit, errTimeout)
		work = limited
		a.stops = append(a.stops, stop)
	}
	a.stops = append(a.stops, a.startHeartbeat(work, ctx.Done()))
	return a, work
}

// age is the time since the first claim of the run.
func (a *attempt) age() time.Duration { return a.claim.Age + time.Since(a.started) }

// end stops what the attempt started, and waits for it.
func (a *attempt) end() {
	for i := len(a.stops) - 1; i >= 0; i-- {
		a.stops[i]()
	}
}

// run analyses and commits, and starts over where the store says that the ground
// moved.
func (a *attempt) run(ctx context.Context) error {
	if a.claim.Attempt > a.handler.cfg.MaxAttempts {
		return a.conclude(ctx, errWorkersLost)
	}
	target, checkpoint := a.claim.Schema, a.claim.Checkpoint
	moved := errFieldsChanging
	for range maxPasses {
		result, err := a.analyse(ctx, target, &checkpoint)
		if err != nil {
			return a.conclude(ctx, err)
		}
		outcome, err := a.commit(ctx, target, result)
		if err != nil {
			return a.conclude(ctx, err)
		}
		switch outcome.State {
		case OutcomeFieldsChanged:
			moved, target = errFieldsChanging, outcome.Schema
		case OutcomeEntityGone:
			// The saved answer chose the entity that is gone.
			moved, checkpoint = errEntityGone, nil
			if outcome.Schema.ID != 0 {
				target = outcome.Schema
			}
		default:
			failpoint.Reach("run.committed")
			a.log.InfoContext(ctx, "run ended", "outcome", string(outcome.State), "duration", time.Since(a.started))
			a.handler.cfg.Observer.Ended(End{Class: classCompleted, Final: true, Outcome: outcome.State, Code: outcome.Code, Age: a.age()})
			return nil
		}
		a.log.InfoContext(ctx, "analysing again", "outcome", string(outcome.State))
	}
	return a.conclude(ctx, moved)
}

// analyse runs the analyzer once. Its error is the reason for which the work was
// stopped, where that is why it ended.
func (a *attempt) analyse(ctx context.Context, s schema.Schema, checkpoint *[]byte) (*analysis.Result, error) {
	ctx, done := step(ctx, "analyse")
	reporter := a.startProgress(ctx)
	defer reporter.stop()
	begun := time.Now()
	result, err := a.analyseRecovering(ctx, analysis.Request{
		Schema:     s,
		Checkpoint: *checkpoint,
		Progress:   reporter.report,
		Save: func(ctx context.Context, raw []byte, usage analysis.Usage) error {
			*checkpoint = raw
			return a.save(ctx, raw, usage)
		},
	})
	a.handler.cfg.Observer.Analysed(result, time.Since(begun))
	cause := context.Cause(ctx)
	done(cmp.Or(cause, err))
	var cancelled *CancelledError
	switch {
	case err != nil && cause != nil:
		return nil, cause
	case err != nil:
		return nil, err
	case errors.Is(cause, ErrClaimLost), errors.As(cause, &cancelled):
		return nil, cause
	case result == nil:
		return nil, errors.New("the analyzer returned no result and no error")
	}
	// A result that came in time for a drain or a time limit is committed: it is paid.
	return result, nil
}

func (a *attempt) analyseRecovering(ctx context.Context, r analysis.Request) (result *analysis.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			logPanic(ctx, a.log, "analysis", p)
			result, err = nil, &panicError{}
		}
	}()
	failpoint.Reach("run.analysing")
	return a.handler.analyzer.Analyze(ctx, r)
}

// save stores an answer that was paid for, so neither a drain nor a database that
// blinks makes it give up.
func (a *attempt) save(ctx context.Context, raw []byte, usage analysis.Usage) error {
	failpoint.Reach("run.answered")
	err := a.handler.persist(context.WithoutCancel(ctx), func(ctx context.Context) error {
		return a.handler.store.Checkpoint(ctx, a.claim, raw, usage)
	})
	if errors.Is(err, ErrClaimLost) {
		a.cancel(ErrClaimLost)
	}
	if err != nil {
		return &storeError{op: "store checkpoint", err: err}
	}
	failpoint.Reach("run.checkpointed")
	return nil
}

// commit offers the result for as long as CommitTimeout, also at shutdown.
func (a *attempt) commit(ctx context.Context, s schema.Schema, result *analysis.Result) (Outcome, error) {
	decision := Decision{
		Schema:  s,
		Result:  result,
		Confirm: a.handler.confirms,
		Rematch: func(added []schema.Entity) analysis.Recommendation {
			return a.handler.analyzer.Rematch(s, result.Recommendation, added)
		},
	}
	var outcome Outcome
	begun := time.Now()
	ctx, done := step(ctx, "commit")
	err := a.handler.persist(context.WithoutCancel(ctx), func(ctx context.Context) (err error) {
		outcome, err = a.commitRecovering(ctx, decision)
		return err
	})
	if err == nil {
		a.handler.cfg.Observer.Committed(outcome.State, time.Since(begun))
	}
	done(err)
	var crash *panicError
	if err != nil && !errors.As(err, &crash) {
		return Outcome{}, &storeError{op: "commit", err: err}
	}
	return outcome, err
}

// commitRecovering guards against a Rematch that panics inside the transaction.
func (a *attempt) commitRecovering(ctx context.Context, d Decision) (outcome Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			logPanic(ctx, a.log, "commit", p)
			outcome, err = Outcome{}, &panicError{}
		}
	}()
	return a.handler.store.Commit(ctx, a.claim, d)
}

// logPanic keeps the stack, but the value only where the runtime made it: others
// may quote data of a tenant.
func logPanic(ctx context.Context, log *slog.Logger, where string, value any) {
	text := fmt.Sprintf("%T", value)
	var fault runtime.Error
	if err, ok := value.(error); ok && errors.As(err, &fault) {
		text = fault.Error()
	}
	log.ErrorContext(ctx, "panic", "where", where, "value", text, "stack", string(debug.Stack()))
}
