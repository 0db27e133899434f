package run

import (
	"context"
	"errors"
	"time"

	"github.com/schemacast/schemacast/internal/failpoint"
)

// graceBeats is for how many heartbeats a claim is kept after its work was told to
// end. After that the analysis counts as hung, and the run is left to others.
const graceBeats = 6

// heartbeat keeps a claim alive and sees when it is lost or cancelled.
type heartbeat struct {
	attempt *attempt
	work    context.Context
	// doubtful is asynq's context ending: lease lost, or somebody asked to cancel.
	doubtful <-chan struct{}
	failing  bool
}

// startHeartbeat returns the function that stops it.
func (a *attempt) startHeartbeat(work context.Context, doubtful <-chan struct{}) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(work))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		(&heartbeat{attempt: a, work: work, doubtful: doubtful}).loop(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

func (b *heartbeat) loop(ctx context.Context) {
	ticker := time.NewTicker(b.attempt.handler.cfg.Heartbeat)
	defer ticker.Stop()
	left := graceBeats
	for left > 0 {
		select {
		case <-ctx.Done():
			return
		case <-b.doubtful:
			b.doubtful = nil
		case <-ticker.C:
			if b.work.Err() != nil {
				left--
			}
		}
		if !b.beat(ctx) {
			break
		}
	}
	b.waitForHung(ctx)
}

// waitForHung counts an analysis that does not end, until it does.
func (b *heartbeat) waitForHung(ctx context.Context) {
	grace := time.NewTimer(graceBeats * b.attempt.handler.cfg.Heartbeat)
	defer grace.Stop()
	select {
	case <-ctx.Done():
		return
	case <-grace.C:
	}
	b.attempt.log.ErrorContext(ctx, "analysis ignores that it was told to end; the slot stays taken")
	b.attempt.handler.hung.Add(1)
	defer b.attempt.handler.hung.Add(-1)
	<-ctx.Done()
}

// beat renews the claim, and says whether there is still one to renew. A database
// that is down for a while does not end the work: the fence decides at the commit.
func (b *heartbeat) beat(ctx context.Context) (owned bool) {
	a := b.attempt
	defer func() {
		if p := recover(); p != nil {
			logPanic(ctx, a.log, "heartbeat", p)
			owned = true
		}
	}()
	callCtx, cancel := context.WithTimeout(ctx, a.handler.cfg.StoreTimeout)
	defer cancel()
	failpoint.Reach("run.beating")
	err := a.handler.store.Beat(callCtx, a.claim)
	var cancelled *CancelledError
	switch {
	case err == nil:
		if b.failing {
			a.log.InfoContext(ctx, "heartbeat is back")
		}
		b.failing = false
	case errors.Is(err, ErrClaimLost):
		a.cancel(ErrClaimLost)
		return false
	case errors.As(err, &cancelled):
		a.cancel(cancelled)
	case ctx.Err() == nil && !b.failing:
		b.failing = true
		a.log.WarnContext(ctx, "heartbeat failed", "error", err)
	}
	return true
}
