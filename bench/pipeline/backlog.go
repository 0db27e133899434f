package main

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// backlogSide works on the first schemas of a site, behind which many others wait.
type backlogSide struct {
	side
	ground  *ground
	waiting int
}

// enqueue puts the tasks of the site into the queue, and behind them tasks that ask for them
// again: what they name does not matter, for nobody gets there.
func (b backlogSide) enqueue(ctx context.Context, s *site) error {
	if err := b.side.enqueue(ctx, s); err != nil {
		return err
	}
	if b.waiting == 0 {
		return nil
	}
	// Rows and open runs of a backlog, as enqueue backfill makes them.
	for _, statement := range []string{
		`INSERT INTO schemas (id, created_at, updated_at, hash, tenant_id, sample_data, detected_fields, ai_analysis_status)
			SELECT $1 + n, now(), now(), 'waits-' || n, $2, '{}', '[{"name":"id","type":"string","required":true}]', 'pending' FROM generate_series(1, $3::bigint) n`,
		`INSERT INTO schemacast_runs (id, schema_id, active_schema_id, tenant_id, state, requested_ms)
			SELECT lpad(n::text, 26, '0'), $1 + n, $1 + n, $2, 'requested', 0 FROM generate_series(1, $3::bigint) n`,
	} {
		if _, err := s.db.Exec(ctx, statement, s.last(), s.tenants[0], b.waiting); err != nil {
			return fmt.Errorf("make the backlog: %w", err)
		}
	}
	if _, err := s.db.Exec(ctx, "ANALYZE schemas, schemacast_runs"); err != nil {
		return err
	}
	behind := &site{work: work{schemas: b.waiting}, tenants: s.tenants[:1], first: s.first}
	return b.ground.enqueueTasks(ctx, behind, queueName, s.last()+1, s.last()+int64(b.waiting))
}

func (b backlogSide) command(ctx context.Context, s *site) (*exec.Cmd, error) {
	return b.side.command(ctx, s)
}

func measureBacklog(ctx context.Context, r *report) error {
	for _, waiting := range []int{10, 1000, 100_000, 1_000_000} {
		if r.g.quick && waiting > 1000 {
			continue
		}
		w, err := r.g.try(ctx, trial{
			work: usual.of(r.scaled(3000)), side: backlogSide{side: r.worker(), ground: r.g, waiting: waiting}, patience: 10 * time.Minute,
		})
		if err != nil {
			return fmt.Errorf("%d tasks wait: %w", waiting, err)
		}
		r.add(fmt.Sprintf("%d tasks wait", waiting), "schemas/s", w.rate)
		r.add(fmt.Sprintf("%d tasks wait: memory of a worker", waiting), "MiB", w.peakMiB)
	}
	return nil
}
