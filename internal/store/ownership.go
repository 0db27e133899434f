package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/schemacast/schemacast/internal/run"
)

// Beat implements run.Claims.
func (s *Store) Beat(ctx context.Context, c *run.Claim) error {
	var cancelledBy string
	err := s.transact(ctx, func(t *tx) error {
		n, err := t.query(&cancelledBy, "UPDATE schemacast_runs SET heartbeat_ms = "+s.dialect.now+
			" WHERE id = ? AND fence = ? AND state = 'running' RETURNING cancelled_by", c.RunID, c.Fence)
		if err == nil && n == 0 {
			return run.ErrClaimLost
		}
		return err
	})
	switch {
	case errors.Is(err, run.ErrClaimLost):
		return err
	case err != nil:
		return fmt.Errorf("beat for run %s: %w", c.RunID, err)
	case cancelledBy != "":
		return &run.CancelledError{By: cancelledBy}
	}
	return nil
}

// Retry implements run.Claims.
func (s *Store) Retry(ctx context.Context, c *run.Claim, f run.Failure, keepAttempt bool) error {
	if keepAttempt {
		return s.giveBack(ctx, c, attemptSnoozed, f)
	}
	return s.giveBack(ctx, c, attemptRetry, f)
}

// Release implements run.Claims.
func (s *Store) Release(ctx context.Context, c *run.Claim) error {
	return s.giveBack(ctx, c, attemptReleased, run.Failure{})
}

// giveBack ends the attempt and leaves the run open, owned by nobody; one that somebody
// cancelled ends instead. Giving the same claim back again is a success that changes
// nothing: after a lost reply its owner must not take the run for another's, and
// acknowledge the task that it still needs. Only a retry counts against the budget.
func (s *Store) giveBack(ctx context.Context, c *run.Claim, outcome string, f run.Failure) error {
	uncounted := 1
	if outcome == attemptRetry {
		uncounted = 0
	}
	err := s.transact(ctx, func(t *tx) error {
		row, err := t.runOf(c)
		if err != nil {
			return err
		}
		switch {
		case row.State == stateRequested, row.wasCancelled():
			return nil
		case row.State != stateRunning:
			return run.ErrClaimLost
		case row.CancelledBy != "":
			return t.fail(row, row.cancellation())
		}
		t.later("give run "+c.RunID+" back", "UPDATE schemacast_runs SET state = 'requested', owner = '', heartbeat_ms = 0, attempts = attempts - ?, "+
			"error_code = ?, error_text = ? WHERE id = ?", uncounted, string(f.Code), f.Text, c.RunID)
		if outcome != attemptRetry {
			return t.endKeptAttempt(row, outcome, f)
		}
		t.endAttempt(row, outcome, f)
		return nil
	})
	if err != nil && !errors.Is(err, run.ErrClaimLost) {
		return fmt.Errorf("give run %s back: %w", c.RunID, err)
	}
	return err
}
