package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/schemacast/schemacast/internal/task"
)

// probeEvery is how often somebody asks for an analysis.
const probeEvery = 100 * time.Millisecond

// measureLatency asks one worker for single analyses, alone and while a backfill keeps it
// busy.
func measureLatency(ctx context.Context, r *report) error {
	for range r.rounds() {
		for _, busy := range []bool{false, true} {
			if err := r.probe(ctx, busy); err != nil {
				return err
			}
		}
	}
	return nil
}

// probe measures one worker. The schemas of the site are the probes, and behind them those of
// the backfill.
func (r *report) probe(ctx context.Context, busy bool) error {
	g, probes, backfill := r.g, max(20, r.scaled(100)), 0
	if busy {
		backfill = max(100, r.scaled(5000))
	}
	s, err := g.newSite(ctx, usual.of(probes+backfill))
	if err != nil {
		return err
	}
	defer func() { _ = g.closeSite(ctx, s) }()
	if err := g.redis.FlushAll(ctx).Err(); err != nil {
		return err
	}
	g.model.latency.Store(0)
	l, err := listen(ctx, g.soketi, s.tenants, probes+backfill)
	if err != nil {
		return err
	}
	defer l.close()
	if busy {
		if err := g.enqueueTasks(ctx, s, task.QueueBackfill, s.first+int64(probes), s.last()); err != nil {
			return err
		}
	}
	// Rows that nobody has asked for yet are left to the probes, not to the sweeper.
	if _, err := s.db.Exec(ctx, "UPDATE schemas SET created_at = '2001-01-01' WHERE type = 'input'"); err != nil {
		return err
	}
	cmd, err := (workerSide{ground: g}).command(ctx, s)
	if err != nil {
		return err
	}
	p, err := g.launch(cmd)
	if err != nil {
		return err
	}
	defer p.stop()
	if err := awaitReady(ctx, p); err != nil {
		return err
	}
	asked, err := r.ask(ctx, s, probes)
	if err != nil {
		return err
	}
	return r.addLatencies(ctx, s, l, asked, busy)
}

// ask asks for the first schemas of a site, one after the other, and returns when.
func (r *report) ask(ctx context.Context, s *site, probes int) (map[int64]time.Time, error) {
	asked := make(map[int64]time.Time, probes)
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for id := s.first; id < s.first+int64(probes); id++ {
		asked[id] = time.Now()
		if err := r.g.enqueueTasks(ctx, s, queueName, id, id); err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
	return asked, nil
}

// addLatencies waits a moment for the last events, and notes the figures. One that has not
// come counts with what it has waited.
func (r *report) addLatencies(ctx context.Context, s *site, l *listener, asked map[int64]time.Time, busy bool) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(2 * time.Second):
	}
	committed := map[int64]time.Time{}
	rows, err := s.db.Query(ctx, "SELECT schema_id, ended_ms FROM schemacast_runs WHERE state = 'completed'")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, ms int64
		if err := rows.Scan(&id, &ms); err != nil {
			return err
		}
		committed[id] = time.UnixMilli(ms)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var started, ended, sent []float64
	now := time.Now()
	since := func(at, from time.Time) float64 {
		if at.IsZero() {
			at = now
		}
		return max(0, float64(at.Sub(from).Microseconds())/1000)
	}
	for id, at := range asked {
		started = append(started, since(l.started[id], at))
		ended = append(ended, since(l.ended[id], at))
		if commit, ok := committed[id]; ok {
			sent = append(sent, since(l.ended[id], commit))
		}
	}
	state := "idle"
	if busy {
		state = "busy with a backfill"
	}
	r.addQuantiles(state+": request to started", started, 150, !busy)
	r.addQuantiles(state+": request to completed", ended, 0, false)
	r.addQuantiles(state+": commit to completed", sent, 50, !busy)
	return nil
}

func (r *report) addQuantiles(name string, values []float64, bar float64, barred bool) {
	if len(values) == 0 {
		return
	}
	slices.Sort(values)
	for _, q := range []int{50, 95, 99} {
		f := r.add(fmt.Sprintf("%s, p%d", name, q), "ms", values[(len(values)-1)*q/100])
		if barred && q == 95 {
			f.atMost(bar)
		}
	}
}
