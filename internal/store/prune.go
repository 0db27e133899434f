package store

import (
	"context"
	"fmt"
	"time"

	"github.com/schemacast/schemacast/internal/run"
)

var _ run.Archive = (*Store)(nil)

// Prune implements run.Archive. The newest run of a schema stays for as long as the
// app keeps the schema: it says what the last analysis did, which entity it mapped
// to, and that there was one at all. So there are never more of them than schemas.
// Streams stay, since a client must never see a counter go back.
func (s *Store) Prune(ctx context.Context, r run.Retention) (run.Pruned, error) {
	var pruned run.Pruned
	for _, kind := range []struct {
		name    string
		keep    time.Duration
		deleted *int64
		prune   func(t *tx, before int64) (int64, error)
	}{
		{"events", r.Events, &pruned.Events, (*tx).pruneEvents},
		{"answers", r.Answers, &pruned.Answers, (*tx).pruneAnswers},
		{"runs", r.Runs, &pruned.Runs, (*tx).pruneRuns},
		{"accounts", r.Runs, new(int64), (*tx).pruneSpending},
	} {
		if kind.keep <= 0 {
			continue
		}
		err := s.transact(ctx, func(t *tx) error {
			now, err := t.now()
			if err != nil {
				return err
			}
			*kind.deleted, err = kind.prune(t, now.Add(-kind.keep).UnixMilli())
			return err
		})
		if err != nil {
			return pruned, fmt.Errorf("prune old %s: %w", kind.name, err)
		}
	}
	return pruned, nil
}

func (t *tx) pruneEvents(before int64) (int64, error) {
	return t.exec("DELETE FROM schemacast_events WHERE id IN (SELECT id FROM schemacast_events WHERE sent_ms < ? ORDER BY sent_ms LIMIT ?"+
		t.store.dialect.skipLocked+")", before, t.store.cfg.bounds.pruneBatch)
}

func (t *tx) pruneAnswers(before int64) (int64, error) {
	return t.exec("DELETE FROM schemacast_answers WHERE key IN (SELECT key FROM schemacast_answers WHERE created_ms < ? ORDER BY created_ms LIMIT ?"+
		t.store.dialect.skipLocked+")", before, t.store.cfg.bounds.pruneBatch)
}

// pruneSpending deletes the accounts of days. They are for people, as long as runs are.
func (t *tx) pruneSpending(before int64) (int64, error) {
	return t.exec("DELETE FROM schemacast_spending WHERE day < ?", before/dayMs)
}

// pruneRuns walks over the old runs in the order in which they ended. Most of them
// stay, so it goes on where the call before stopped, and after the last one begins
// again at the first.
func (t *tx) pruneRuns(before int64) (int64, error) {
	bounds := t.store.cfg.bounds
	from, _, err := t.number(prunedKey)
	if err != nil {
		return 0, err
	}
	var upTo int64
	n, err := t.query(&upTo, "SELECT ended_ms FROM schemacast_runs WHERE ended_ms >= ? AND ended_ms < ? ORDER BY ended_ms LIMIT 1 OFFSET ?", from, before, bounds.pruneLook)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		upTo = before - 1
	} else {
		upTo = max(upTo, from+1) // so that it always goes on
	}
	var found []struct {
		ID      string
		EndedMs int64
	}
	_, err = t.query(&found, "SELECT r.id, r.ended_ms FROM schemacast_runs r WHERE r.ended_ms >= ? AND r.ended_ms <= ? "+
		"AND ((SELECT 1 FROM schemas s WHERE s.id = r.schema_id) IS NULL OR "+
		"(SELECT 1 FROM schemacast_runs n WHERE n.schema_id = r.schema_id AND (n.requested_ms, n.id) > (r.requested_ms, r.id) LIMIT 1) IS NOT NULL) "+
		"ORDER BY r.ended_ms LIMIT ?", from, upTo, bounds.pruneBatch)
	if err != nil {
		return 0, err
	}
	next := upTo
	if n == 0 {
		next = 0
	}
	if len(found) == bounds.pruneBatch {
		next = found[bounds.pruneBatch-1].EndedMs
	}
	if next != from {
		if err := t.setNumber(prunedKey, next); err != nil {
			return 0, err
		}
	}
	ids := make([]string, len(found))
	for i, r := range found {
		ids[i] = r.ID
	}
	return t.deleteRuns(ids)
}

// deleteRuns deletes ended runs with their attempts, and returns the number of runs.
func (t *tx) deleteRuns(ids []string) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	if _, err := t.exec("DELETE FROM schemacast_attempts WHERE run_id IN ?", ids); err != nil {
		return 0, fmt.Errorf("delete attempts: %w", err)
	}
	return t.exec("DELETE FROM schemacast_runs WHERE id IN ? AND active_schema_id IS NULL", ids)
}
