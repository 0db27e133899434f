package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/task"
)

var _ run.Backlog = (*Store)(nil)

// The values of the column queue.
const (
	queueInteractive = ""
	queueBackfill    = task.QueueBackfill
)

// orphanRow is an open run that nobody works on.
type orphanRow struct {
	ID          string
	SchemaID    int64
	TenantID    string
	Fence       int64
	Queue       string
	RequestedMs int64
}

const orphanColumns = "id, schema_id, tenant_id, fence, queue, requested_ms"

// beginning is the place in the order of orphans after which a page begins.
type beginning struct {
	queue       string
	requestedMs int64
	id          string
}

// Orphans implements run.Backlog.
func (s *Store) Orphans(ctx context.Context, after *run.Orphan, grace time.Duration, limit int) ([]run.Orphan, error) {
	from := beginning{requestedMs: -1}
	if after != nil {
		from = beginning{id: after.RunID, requestedMs: after.Requested.UnixMilli()}
		if after.Backfill {
			from.queue = queueBackfill
		}
	}
	var orphans []run.Orphan
	err := s.transact(ctx, func(t *tx) error {
		rows, err := t.orphans(from, grace, limit)
		orphans = domainOrphans(rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for runs that nobody works on: %w", err)
	}
	return orphans, nil
}

// orphans merges the runs that wait in either queue, of which there may be millions,
// with those whose owner is gone, of which there are never more than workers had
// slots. The clock is read first: PostgreSQL can not look for a clock in an index.
func (t *tx) orphans(from beginning, grace time.Duration, limit int) ([]orphanRow, error) {
	now, err := t.now()
	if err != nil {
		return nil, err
	}
	stale := now.Add(-t.store.cfg.StaleAfter).UnixMilli()
	var rows []orphanRow
	_, err = t.query(&rows, "SELECT "+orphanColumns+" FROM schemacast_runs WHERE state = 'running' AND heartbeat_ms < ? "+
		"AND (queue, requested_ms, id) > (?, ?, ?) ORDER BY queue, requested_ms, id LIMIT ?",
		stale, from.queue, from.requestedMs, from.id, limit)
	if err != nil {
		return nil, err
	}
	for _, queue := range []string{queueInteractive, queueBackfill} {
		if queue < from.queue {
			continue
		}
		begin := from
		if queue > from.queue {
			begin = beginning{queue: queue, requestedMs: -1}
		}
		var waiting []orphanRow
		_, err := t.query(&waiting, "SELECT "+orphanColumns+" FROM schemacast_runs WHERE state = 'requested' AND queue = ? AND requested_ms <= ? "+
			"AND (requested_ms, id) > (?, ?) ORDER BY requested_ms, id LIMIT ?",
			queue, now.Add(-grace).UnixMilli(), begin.requestedMs, begin.id, limit)
		if err != nil {
			return nil, err
		}
		rows = append(rows, waiting...)
		if len(waiting) == limit {
			break // nothing of the later queue fits in
		}
	}
	slices.SortFunc(rows, func(a, b orphanRow) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.RequestedMs, b.RequestedMs), cmp.Compare(a.ID, b.ID))
	})
	return rows[:min(limit, len(rows))], nil
}

// Requested implements run.Backlog.
func (s *Store) Requested(ctx context.Context, schemaIDs []int64) ([]run.Orphan, error) {
	var orphans []run.Orphan
	for ids := range slices.Chunk(schemaIDs, maxParameters) {
		var rows []orphanRow
		err := s.db.WithContext(ctx).Raw("SELECT "+orphanColumns+" FROM schemacast_runs WHERE active_schema_id IN ? AND state = 'requested' ORDER BY requested_ms, id", ids).
			Scan(&rows).Error
		if err != nil {
			return nil, fmt.Errorf("look for runs of %d schemas: %w", len(ids), translate(err))
		}
		orphans = append(orphans, domainOrphans(rows)...)
	}
	return orphans, nil
}

func domainOrphans(rows []orphanRow) []run.Orphan {
	orphans := make([]run.Orphan, len(rows))
	for i, r := range rows {
		orphans[i] = run.Orphan{
			SchemaID: r.SchemaID, TenantID: r.TenantID, RunID: r.ID, Fence: r.Fence,
			Backfill: r.Queue == queueBackfill, Requested: time.UnixMilli(r.RequestedMs).UTC(),
		}
	}
	return orphans
}
