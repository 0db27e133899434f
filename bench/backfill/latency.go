package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/task"
)

const (
	// probeEvery is how often somebody asks for an analysis.
	probeEvery = 100 * time.Millisecond
	// idleFor is how long the phases last that have no end of their own.
	idleFor = 20 * time.Second
)

// idle ends after a while.
func idle(ctx context.Context) <-chan struct{} {
	timed, cancel := context.WithTimeout(ctx, idleFor)
	context.AfterFunc(timed, cancel)
	return timed.Done()
}

// probes are interactive requests.
type probes struct {
	*bench
	n int
}

func (b *bench) newProbes() *probes { return &probes{bench: b} }

// measure asks until done ends, and prints how long it took from a request to its start,
// both by the database's clock. Analyses that have not started a second after the end
// count with what they have waited.
func (p *probes) measure(ctx context.Context, phase string, done <-chan struct{}) error {
	producer, err := task.NewProducer(p.redis, task.ProducerConfig{Name: "bench"})
	if err != nil {
		return err
	}
	var ids []int64
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for ended := false; !ended; {
		id, err := p.ask(ctx, producer)
		if err != nil {
			return err
		}
		ids = append(ids, id)
		select {
		case <-done:
			ended = true
		case <-ticker.C:
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Second):
	}
	rows, err := p.db.Query(ctx, "SELECT COALESCE(started_ms, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) - requested_ms "+
		"FROM schemacast_runs WHERE schema_id = ANY ($1)", ids)
	if err != nil {
		return err
	}
	defer rows.Close()
	var waits []int64
	for rows.Next() {
		var ms int64
		if err := rows.Scan(&ms); err != nil {
			return err
		}
		waits = append(waits, ms)
	}
	slices.Sort(waits)
	at := func(q float64) int64 { return waits[int(q*float64(len(waits)-1))] }
	_, _ = fmt.Fprintf(p.out, "interactive start, %s: p50 %d ms, p95 %d ms, p99 %d ms, max %d ms of %d; load %s\n",
		phase, at(.5), at(.95), at(.99), at(1), len(waits), load())
	return rows.Err()
}

func (p *probes) ask(ctx context.Context, producer *task.Producer) (int64, error) {
	p.n++
	name := fmt.Sprintf("probe_%d", p.n)
	stored, err := p.store.Add(ctx, store.NewSchema{
		TenantID: "tenant-0", By: "bench", Fields: []schema.Field{{Name: name, Type: "float"}},
		Encoded: []byte(`[{"name":"` + name + `","type":"float","required":true}]`), Samples: []byte(`{"` + name + `":1}`),
	})
	if err != nil {
		return 0, err
	}
	_, err = producer.Enqueue(ctx, task.Request{Payload: task.PayloadOf(stored.SchemaID, "tenant-0")})
	return stored.SchemaID, err
}

func (b *bench) startWorker(ctx context.Context) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "worker"), "--env-file=")
	cmd.Env, cmd.Stderr = b.env, os.Stderr
	return cmd, cmd.Start()
}
