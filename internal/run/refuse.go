package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/schemacast/schemacast/internal/task"
)

// What happens to tasks for which there is no claim. Their waiting is counted by
// asynq's own retry count, since there is no run that could count.
const (
	// A producer may enqueue shortly before its transaction is visible.
	unknownSchemaTries = 10
	unknownSchemaDelay = time.Second
	// A rolling deploy may take an hour until a worker knows a new version.
	deployTries = 60
	deployDelay = time.Minute
	// Another owner is looked after every few seconds: it may end well before its
	// claim would become stale.
	busyLeast = 500 * time.Millisecond
	busyMost  = 3 * time.Second
)

// refused answers a claim that was not given.
func (h *Handler) refused(ctx context.Context, r ClaimRequest, err error) error {
	h.cfg.Observer.Refused(refusalOf(err))
	log := h.log.With(keySchema, r.SchemaID)
	var busy *BusyError
	var ended *EndedError
	var tenant *TenantError
	var full *TenantBusyError
	switch {
	case err == nil:
		return again(backoff(0), "the store gave no claim and no reason")
	case errors.Is(err, ErrNothingToDo), errors.Is(err, ErrClaimLost):
		log.DebugContext(ctx, "nothing to do")
		return nil
	case errors.As(err, &ended):
		h.cfg.Observer.Ended(End{Class: string(classPermanent), Code: ended.Failure.Code, Final: true, Outcome: OutcomeFailed})
		log.WarnContext(ctx, "run ended at its claim", "code", ended.Failure.Code, "reason", ended.Failure.Text)
		return nil
	case errors.As(err, &busy):
		return snooze(jitter(min(max(busy.Retry, busyLeast), busyMost)), "another worker owns the run")
	case errors.As(err, &full):
		if r.TenantID != "" {
			h.gate.refused(r.TenantID)
		}
		return h.waitForTenant(ctx, r.TenantID)
	case errors.Is(err, ErrUnavailable):
		// The handler has waited already. It is not counted: an outage may last for longer
		// than asynq's budget.
		return snooze(jitter(databaseDelay), ErrUnavailable.Error()+"; trying again")
	case errors.Is(err, ErrUnknownSchema):
		if h.retried(ctx) < unknownSchemaTries {
			return again(unknownSchemaDelay, fmt.Sprintf("schema %d does not exist yet", r.SchemaID))
		}
		return h.archive(ctx, log, fmt.Sprintf(
			"schema %d does not exist; enqueue an id of the table of schemas, after its transaction is committed", r.SchemaID))
	case errors.As(err, &tenant):
		return h.archive(ctx, log, fmt.Sprintf(
			"schema %d belongs to another tenant than the task says; correct tenant_id in the producer, or leave it out", r.SchemaID))
	default:
		// asynq counts these, so that the delay grows. It can count to 1000, which takes
		// days at up to ten minutes each.
		log.ErrorContext(ctx, "claim failed", "error", err)
		return again(backoff(h.retried(ctx)), "the claim failed, the worker's log says why; trying again")
	}
}

// refusalOf names the reason for which there is no claim.
func refusalOf(err error) Refusal {
	var busy *BusyError
	var full *TenantBusyError
	var ended *EndedError
	var tenant *TenantError
	switch {
	case errors.Is(err, ErrNothingToDo), errors.Is(err, ErrClaimLost), errors.As(err, &ended):
		return RefusedNothing
	case errors.As(err, &busy):
		return RefusedBusy
	case errors.As(err, &full):
		return RefusedTenantFull
	case errors.Is(err, ErrUnavailable):
		return RefusedUnavailable
	case errors.Is(err, ErrUnknownSchema), errors.As(err, &tenant):
		return RefusedUnknown
	default:
		return RefusedFailed
	}
}

// unexpected is err unless it is one of the ordinary reasons for which a task gets no claim.
func unexpected(err error) error {
	if why := refusalOf(err); why == RefusedFailed || why == RefusedUnavailable {
		return err
	}
	return nil
}

// undecodable answers a payload that is not one of ours, or not yet.
func (h *Handler) undecodable(ctx context.Context, err error) error {
	var version *task.VersionError
	if !errors.As(err, &version) {
		return h.archive(ctx, h.log, err.Error())
	}
	if version.SchemaID <= 0 || h.retried(ctx) < deployTries {
		return h.waitForDeploy(ctx, err.Error())
	}
	// The schema is readable, so whoever looks at it shall see why nothing happened.
	claim, claimErr := h.claim(ctx, ClaimRequest{SchemaID: version.SchemaID})
	if claim == nil {
		return h.refused(ctx, ClaimRequest{SchemaID: version.SchemaID}, claimErr)
	}
	a, work := h.newAttempt(ctx, claim)
	defer a.end()
	return a.conclude(work, err)
}

// waitForDeploy gives a task back until a worker that knows it runs.
func (h *Handler) waitForDeploy(ctx context.Context, reason string) error {
	if h.retried(ctx) < deployTries {
		h.cfg.Observer.Refused(RefusedVersion)
		return again(deployDelay, reason+"; waiting for a newer worker")
	}
	return h.archive(ctx, h.log, reason+"; no newer worker took it within an hour, deploy one or correct the producer")
}

// rejection begins the text of every task that the handler archives. The sweeper reads it
// back: it is the task that was wrong, and not a decision about its schema.
const rejection = "rejected: "

func (h *Handler) archive(ctx context.Context, log *slog.Logger, reason string) error {
	h.cfg.Observer.Refused(RefusedRejected)
	err := &archiveError{text: clean(rejection + reason)}
	log.WarnContext(ctx, "task archived", "reason", err.text)
	return err
}
