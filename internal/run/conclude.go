package run

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// conclude ends an attempt that has no result: it records the reason in the
// database and says to asynq what becomes of the task. Where the run ended, well or
// not, the task is acknowledged: an archived one would block its id.
func (a *attempt) conclude(ctx context.Context, err error) error {
	v := classify(err)
	a.logEnd(ctx, v, err)
	switch v.class {
	case classLost:
		a.ended(ctx, v.class, "", false)
		return nil
	case classDrain:
		return a.record(ctx, "release claim", v, func(ctx context.Context) error {
			return a.handler.store.Release(ctx, a.claim)
		}, snooze(0, v.failure.Text))
	case classSnooze:
		if a.claim.Age < a.handler.cfg.GiveUpAfter {
			return a.giveBack(ctx, v, true)
		}
		v.class = classGaveUp
		v.failure.Text = clean(fmt.Sprintf("gave up after %s: %s", a.claim.Age.Round(time.Minute), v.failure.Text))
	case classRetry:
		if a.claim.Attempt < a.limit(v) {
			return a.giveBack(ctx, v, false)
		}
		v.class = classGaveUp
		if a.claim.Attempt > 1 {
			v.failure.Text = clean(fmt.Sprintf("gave up after %d attempts: %s", a.claim.Attempt, v.failure.Text))
		}
	case classPermanent, classCancelled, classGaveUp:
	}
	return a.record(ctx, "fail run", v, func(ctx context.Context) error {
		return a.handler.store.Fail(ctx, a.claim, v.failure)
	}, nil)
}

func (a *attempt) limit(v verdict) int {
	if v.limit > 0 {
		return min(v.limit, a.handler.cfg.MaxAttempts)
	}
	return a.handler.cfg.MaxAttempts
}

// giveBack leaves the run open for another attempt.
func (a *attempt) giveBack(ctx context.Context, v verdict, keep bool) error {
	delay := orElse(v.delay, backoff(a.claim.Attempt))
	reason := string(v.failure.Code) + ": " + v.failure.Text
	then := again(delay, reason)
	if keep {
		then = snooze(delay, reason)
	}
	return a.record(ctx, "give run back", v, func(ctx context.Context) error {
		return a.handler.store.Retry(ctx, a.claim, v.failure, keep)
	}, then)
}

// record writes the end of an attempt and returns then. If it can not be written,
// the claim becomes stale and the next delivery of the task finds the run.
func (a *attempt) record(ctx context.Context, what string, v verdict, write func(context.Context) error, then error) error {
	inner, done := step(ctx, what)
	err := a.handler.persist(context.WithoutCancel(inner), write)
	done(err)
	switch {
	case err == nil:
		a.ended(ctx, v.class, v.failure.Code, then == nil)
		return then
	case errors.Is(err, ErrClaimLost):
		a.ended(ctx, classLost, "", false)
		a.log.InfoContext(ctx, "claim lost at the end of an attempt")
		return nil
	default:
		a.log.ErrorContext(ctx, "end of an attempt not recorded", "step", what, "error", err)
		return snooze(jitter(databaseDelay), "the end of an attempt was not recorded, the worker's log says why; trying again")
	}
}

// ended tells the observer, and the span of the task, of an attempt without a result.
func (a *attempt) ended(ctx context.Context, c class, code Code, final bool) {
	switch c {
	case classRetry, classPermanent, classGaveUp:
		trace.SpanFromContext(ctx).SetStatus(codes.Error, string(code))
	case classSnooze, classLost, classCancelled, classDrain:
	}
	e := End{Class: string(c), Code: code, Final: final, Age: a.age()}
	if final {
		e.Outcome = OutcomeFailed
		if c == classCancelled {
			e.Outcome = OutcomeCancelled
		}
	}
	a.handler.cfg.Observer.Ended(e)
}

func (a *attempt) logEnd(ctx context.Context, v verdict, err error) {
	attrs := []any{"class", string(v.class), "code", string(v.failure.Code), "error", err}
	switch v.class {
	case classLost, classDrain, classCancelled, classSnooze:
		a.log.InfoContext(ctx, "attempt ended", attrs...)
	default:
		a.log.WarnContext(ctx, "attempt ended", attrs...)
	}
}

// persist offers a write to the store until it is taken, refused, or CommitTimeout
// is over. Only a database that is not available is asked again; the store itself
// repeats transactions that lost against another one. A shutdown that hurries ends
// the waiting after the try in hand.
func (h *Handler) persist(ctx context.Context, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.CommitTimeout)
	defer cancel()
	const first, most = 100 * time.Millisecond, 3 * time.Second
	for wait := first; ; wait = min(2*wait, most) {
		err := h.try(ctx, write)
		if !transient(err) {
			return err
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-h.drain.hurried.Done():
			timer.Stop()
			return err
		}
	}
}

// try makes one call, and names its own timeout for what it is.
func (h *Handler) try(ctx context.Context, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.StoreTimeout)
	defer cancel()
	err := write(ctx)
	if err != nil && errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		return fmt.Errorf("%w: no answer within %s", ErrUnavailable, h.cfg.StoreTimeout)
	}
	return err
}

func transient(err error) bool { return errors.Is(err, ErrUnavailable) }
