package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// Checkpoint implements run.Results. The same checkpoint of the same claim, offered
// again after a lost reply, counts its usage once. A cancelled run keeps its answer
// too, since it is paid.
func (s *Store) Checkpoint(ctx context.Context, c *run.Claim, checkpoint []byte, usage analysis.Usage) error {
	sum := digest(fmt.Sprintf("%d %+v %x", c.Fence, usage, sha256.Sum256(checkpoint)))
	const update = "UPDATE schemacast_runs SET checkpoint = ?, checkpoint_sum = ?, calls = calls + ?, cached_calls = cached_calls + ?, " +
		"prompt_tokens = prompt_tokens + ?, cached_tokens = cached_tokens + ?, completion_tokens = completion_tokens + ?, " +
		"reasoning_tokens = reasoning_tokens + ?, tokens_estimated = tokens_estimated OR ?, " +
		"cost_micros = cost_micros + ?, priced_calls = priced_calls + ?, heartbeat_ms = %s " +
		"WHERE id = ? AND fence = ? AND state = 'running' AND checkpoint_sum <> ?"
	sql, args := fmt.Sprintf(update, s.dialect.now), []any{
		checkpoint, sum, usage.Calls, usage.CachedCalls, usage.PromptTokens, usage.CachedTokens, usage.CompletionTokens,
		usage.ReasoningTokens, usage.Estimated, usage.CostMicros, usage.PricedCalls, c.RunID, c.Fence, sum,
	}
	// Mostly there is nothing else to do, for which one statement needs no transaction.
	var stored int64
	if err := s.single(ctx, question{n: &stored, sql: sql, args: args}); err == nil && stored == 1 {
		return nil
	}
	err := s.transact(ctx, func(t *tx) error {
		n, err := t.exec(sql, args...)
		if err != nil || n == 1 {
			return err
		}
		_, err = t.owned(c) // it is stored already, unless the claim is lost
		return err
	})
	if err != nil && !errors.Is(err, run.ErrClaimLost) {
		return fmt.Errorf("checkpoint run %s: %w", c.RunID, err)
	}
	return err
}

// Progress implements run.Results.
func (s *Store) Progress(ctx context.Context, c *run.Claim, p schema.Progress) error {
	err := s.transact(ctx, func(t *tx) error {
		row, err := t.owned(c)
		if err != nil {
			return err
		}
		return t.emit(row, schema.Event{Kind: schema.EventProgress, Progress: &p})
	})
	if err != nil && !errors.Is(err, run.ErrClaimLost) {
		return fmt.Errorf("record progress of run %s: %w", c.RunID, err)
	}
	return err
}

// Fail implements run.Results. Failing the same claim again is a success that
// changes nothing. What somebody cancelled fails as cancelled, whatever else went
// wrong.
func (s *Store) Fail(ctx context.Context, c *run.Claim, f run.Failure) error {
	err := s.transact(ctx, func(t *tx) error {
		row, err := t.runOf(c)
		if err != nil {
			return err
		}
		if row.State == stateFailed {
			return nil
		}
		if row.State != stateRunning {
			return run.ErrClaimLost
		}
		if row.CancelledBy != "" {
			f = row.cancellation()
		}
		return t.fail(row, f)
	})
	if err != nil && !errors.Is(err, run.ErrClaimLost) {
		return fmt.Errorf("fail run %s: %w", c.RunID, err)
	}
	return err
}

// fail ends a run that its caller owns without a result.
func (t *tx) fail(r *runRow, f run.Failure) error {
	f.Text = clip(f.Text, maxErrorText)
	t.endRun(r, ending{state: stateFailed, outcome: string(f.Code), failure: f})
	t.markFailed(r.SchemaID, f)
	return t.emitFailed(r, f)
}

// markFailed writes a failure into the app's row, unless the row is gone or
// somebody else changed its state. Its status stays what it is.
func (t *tx) markFailed(schemaID int64, f run.Failure) {
	now := t.store.dialect.appNow
	t.later("mark the schema as failed", "UPDATE schemas SET ai_analysis_status = 'failed', ai_analysis_error = ?, ai_analyzed_at = "+now+", updated_at = "+now+
		" WHERE id = ? AND ai_analysis_status IN ('pending', 'processing')", clip(f.Text, maxErrorText), schemaID)
}
