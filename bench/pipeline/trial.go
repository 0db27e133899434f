package main

import (
	"context"
	"fmt"
	"time"
)

// trial is one measurement.
type trial struct {
	work
	side      side
	processes int
	latency   time.Duration // of the model
	patience  time.Duration
}

// result is what a trial measured.
type result struct {
	rate float64 // schemas a second, from the first start to the last end at a subscribed client
	cpu  cpuShares
	// Of the first process, where it is a worker:
	peakMiB    float64
	goroutines float64 // at their most
	allocs     float64 // for each schema
	allocKiB   float64
	// Of the runs in the database, where there are:
	calls, tokens float64 // for each schema
}

// try makes a site, queues everything, starts the processes and waits for the last event.
func (g *ground) try(ctx context.Context, t trial) (result, error) {
	if t.processes == 0 {
		t.processes = 1
	}
	if t.patience == 0 {
		t.patience = 5 * time.Minute
	}
	s, err := g.newSite(ctx, t.work)
	if err != nil {
		return result{}, err
	}
	defer func() { _ = g.closeSite(ctx, s) }()
	if err := g.redis.FlushAll(ctx).Err(); err != nil {
		return result{}, err
	}
	g.model.latency.Store(int64(t.latency))
	l, err := listen(ctx, g.soketi, s.tenants, t.schemas)
	if err != nil {
		return result{}, err
	}
	defer l.close()
	if err := t.side.enqueue(ctx, s); err != nil {
		return result{}, err
	}
	return g.run(ctx, t, s, l)
}

func (g *ground) run(ctx context.Context, t trial, s *site, l *listener) (result, error) {
	var processes []*process
	defer func() {
		for _, p := range processes {
			p.stop()
		}
	}()
	before := readCPU()
	for range t.processes {
		cmd, err := t.side.command(ctx, s)
		if err != nil {
			return result{}, err
		}
		p, err := g.launch(cmd)
		if err != nil {
			return result{}, err
		}
		processes = append(processes, p)
	}
	watch := watchWorker(ctx, processes[0])
	if err := l.wait(ctx, t.patience); err != nil {
		watch.stop()
		return result{}, fmt.Errorf("%w; the process said: %s", err, processes[0].logged())
	}
	r := result{rate: float64(t.schemas) / l.span().Seconds(), cpu: readCPU().since(before, t.schemas)}
	watch.into(ctx, &r, t.schemas)
	err := s.db.QueryRow(ctx, "SELECT COALESCE(avg(calls), 0), COALESCE(avg(prompt_tokens + completion_tokens), 0) FROM schemacast_runs WHERE state = 'completed' AND tenant_id <> 'earlier'").
		Scan(&r.calls, &r.tokens)
	return r, err
}
