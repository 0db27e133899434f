package store

import (
	"context"
	"fmt"
	"time"

	"github.com/schemacast/schemacast/internal/run"
)

var _ run.Loads = (*Store)(nil)

// countedRuns is up to where runs are counted one by one: a hundred pages of an index.
const countedRuns = 10_000

// Load implements run.Loads. It is one query, each part of which reads at most
// countedRuns entries of an index. What is more is estimated by the size of the index of
// waiting runs, as PostgreSQL noted it when it last cleaned up or analysed the table.
func (s *Store) Load(ctx context.Context) (run.Load, error) {
	var row struct{ Interactive, Backfill, InteractiveMs, BackfillMs, Running, Silent, Estimate, NowMs int64 }
	// The order is that of an index: without it PostgreSQL may read the table from its
	// beginning, where the runs of last month are.
	counted := func(condition, order string) string {
		return "(SELECT count(*) FROM (SELECT 1 FROM schemacast_runs WHERE " + condition + " ORDER BY " + order + " LIMIT ?) AS counted)"
	}
	const waiting = "state = 'requested' AND queue = ?"
	const order = "requested_ms, id"
	const oldest = "COALESCE((SELECT requested_ms FROM schemacast_runs WHERE " + waiting + " ORDER BY " + order + " LIMIT 1), 0)"
	err := s.db.WithContext(ctx).Raw("SELECT "+counted(waiting, order)+" AS interactive, "+counted(waiting, order)+" AS backfill, "+
		oldest+" AS interactive_ms, "+oldest+" AS backfill_ms, "+counted("state = 'running'", "tenant_id")+" AS running, "+
		counted("state = 'running' AND heartbeat_ms < "+s.dialect.now+" - ?", "tenant_id")+" AS silent, "+
		s.dialect.waitingEstimate+" AS estimate, "+s.dialect.now+" AS now_ms",
		queueInteractive, countedRuns, queueBackfill, countedRuns, queueInteractive, queueBackfill, countedRuns,
		s.cfg.StaleAfter.Milliseconds(), countedRuns).Scan(&row).Error
	if err != nil {
		return run.Load{}, fmt.Errorf("count the open runs: %w", translate(err))
	}
	of := func(counted, beyond, since int64) run.Waiting {
		w := run.Waiting{Runs: counted, Estimated: counted == countedRuns}
		if w.Estimated {
			w.Runs += max(0, beyond)
		}
		if since > 0 {
			w.Oldest = max(0, time.Duration(row.NowMs-since)*time.Millisecond)
		}
		return w
	}
	load := run.Load{Running: row.Running, Silent: row.Silent}
	// The index is of both queues. What was not counted belongs to the backfill, where it can.
	beyond := row.Estimate - row.Interactive - row.Backfill
	load.Backfill = of(row.Backfill, beyond, row.BackfillMs)
	if load.Backfill.Estimated {
		beyond = 0
	}
	load.Interactive = of(row.Interactive, beyond, row.InteractiveMs)
	return load, nil
}
