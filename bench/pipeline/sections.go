package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// section is a part of the measurements.
type section struct {
	name, what string
	run        func(context.Context, *report) error
}

var sections = []section{
	{"loop", "a worker and the bare Go loop in turns, the model answers at once", measureLoop},
	{"php", "a worker and the queue worker that it replaces in turns, the model answers at once", besidePHP(0)},
	{"php-thinking", "the same, the model thinks for 200 ms", besidePHP(200 * time.Millisecond)},
	{"latency", "from the request to its events at a subscribed client", measureLatency},
	{"memory", "a worker with 64 runs at a time, the model thinks for 2 s", measureMemory},
	{"concurrency", "runs at a time against the model's thinking time", measureConcurrency},
	{"workers", "one, two and four workers", measureWorkers},
	{"entities", "as a tenant has more entities", measureEntities},
	{"fields", "as schemas get wider", measureFields},
	{"backlog", "as more tasks wait", measureBacklog},
}

// barSections are those that docs/performance.md holds figures against.
var barSections = []string{"loop", "php", "latency", "memory"}

func sectionNames() []string {
	names := make([]string, len(sections))
	for i, s := range sections {
		names[i] = s.name
	}
	return names
}

// rounds and scaled make a quick run quick.
func (r *report) rounds() int {
	if r.g.quick {
		return 1
	}
	return r.g.settings.rounds
}

func (r *report) scaled(n int) int {
	if r.g.quick {
		return max(4, n/200)
	}
	return n
}

func (r *report) worker(env ...string) side { return workerSide{ground: r.g, env: env} }

// slots is the concurrency of the comparison with the loop, the worker's default.
const slots = 32

func measureLoop(ctx context.Context, r *report) error {
	worker := trial{work: usual.of(r.scaled(2000)), side: r.worker(fmt.Sprintf("WORKER_CONCURRENCY=%d", slots))}
	loop := trial{work: worker.work, side: loopSide{ground: r.g, concurrency: slots}}
	for range r.rounds() {
		w, err := r.g.try(ctx, worker)
		if err != nil {
			return fmt.Errorf("worker: %w", err)
		}
		l, err := r.g.try(ctx, loop)
		if err != nil {
			return fmt.Errorf("loop: %w", err)
		}
		r.add("worker", "schemas/s", w.rate)
		r.add("bare loop", "schemas/s", l.rate)
		r.add("worker / bare loop", "", w.rate/l.rate).atLeast(0.7)
		r.addShares("worker", w.cpu)
		r.addShares("loop", l.cpu)
		r.add("worker: allocations", "/schema", w.allocs)
		r.add("worker: allocated", "KiB/schema", w.allocKiB)
		r.add("worker: memory at its peak", "MiB", w.peakMiB)
		r.add("worker: questions", "/schema", w.calls)
		r.add("worker: tokens", "/schema", w.tokens)
	}
	return nil
}

func besidePHP(latency time.Duration) func(context.Context, *report) error {
	return func(ctx context.Context, r *report) error {
		php, err := r.g.newPHP(ctx)
		if errors.Is(err, errNoPHP) && r.g.quick {
			r.printf("  left out: %v\n", err)
			return nil
		}
		if err != nil {
			return err
		}
		for range r.rounds() {
			if err := r.besidePHP(ctx, php, latency); err != nil {
				return err
			}
		}
		return nil
	}
}

// besidePHP is one round: a worker, and one and two processes of PHP.
func (r *report) besidePHP(ctx context.Context, php side, latency time.Duration) error {
	w, err := r.g.try(ctx, trial{work: usual.of(r.scaled(1200)), side: r.worker(), latency: latency})
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	r.add(fmt.Sprintf("worker, model %s", latency), "schemas/s", w.rate)
	for _, processes := range []int{1, 2} {
		schemas := 300 * processes
		if latency > 0 {
			schemas = 40 * processes
		}
		p, err := r.g.try(ctx, trial{work: usual.of(r.scaled(schemas)), side: php, processes: processes, latency: latency})
		if err != nil {
			return fmt.Errorf("%d processes of PHP: %w", processes, err)
		}
		r.add(fmt.Sprintf("PHP, %d processes, model %s", processes, latency), "schemas/s", p.rate)
		ratio := r.add(fmt.Sprintf("worker / PHP, %d processes, model %s", processes, latency), "", w.rate/p.rate)
		if processes == 2 && latency == 0 {
			ratio.atLeast(5)
		}
	}
	return nil
}

func measureMemory(ctx context.Context, r *report) error {
	const concurrency = 64
	for range r.rounds() {
		w, err := r.g.try(ctx, trial{
			work: usual.of(max(concurrency*2, r.scaled(concurrency*8))), latency: r.thinks(2 * time.Second),
			side: r.worker(fmt.Sprintf("WORKER_CONCURRENCY=%d", concurrency)),
		})
		if err != nil {
			return err
		}
		r.add("memory at its peak", "MiB", w.peakMiB).atMost(96)
		r.add("goroutines at their most", "", w.goroutines)
		r.add("throughput", "schemas/s", w.rate)
	}
	return nil
}

// thinks shortens the model's thinking of a quick run.
func (r *report) thinks(d time.Duration) time.Duration {
	if r.g.quick {
		return d / 20
	}
	return d
}

func measureConcurrency(ctx context.Context, r *report) error {
	for _, latency := range []time.Duration{200 * time.Millisecond, 2 * time.Second, 15 * time.Second} {
		for _, concurrency := range []int{8, 16, 32, 64, 128, 256} {
			if r.g.quick && concurrency > 16 {
				continue
			}
			// Several rounds of all slots, more where they are short.
			schemas := min(concurrency*max(3, int(8*time.Second/latency)), 4000)
			w, err := r.g.try(ctx, trial{
				work: usual.of(r.scaled(schemas)), side: r.worker(fmt.Sprintf("WORKER_CONCURRENCY=%d", concurrency)), latency: r.thinks(latency),
			})
			if err != nil {
				return fmt.Errorf("%d at a time, model %s: %w", concurrency, latency, err)
			}
			r.add(fmt.Sprintf("model %s, %d at a time", latency, concurrency), "schemas/s", w.rate)
			r.add(fmt.Sprintf("model %s, %d at a time: share of the possible", latency, concurrency), "", w.rate/(float64(concurrency)/latency.Seconds()))
			r.add(fmt.Sprintf("model %s, %d at a time: memory", latency, concurrency), "MiB", w.peakMiB)
		}
	}
	return nil
}

func measureWorkers(ctx context.Context, r *report) error {
	for _, latency := range []time.Duration{0, 2 * time.Second} {
		for _, processes := range []int{1, 2, 4} {
			schemas := 3000
			if latency > 0 {
				schemas = 32 * processes * 6
			}
			w, err := r.g.try(ctx, trial{
				work: usual.of(r.scaled(schemas)), side: r.worker(), processes: processes, latency: r.thinks(latency),
			})
			if err != nil {
				return fmt.Errorf("%d workers, model %s: %w", processes, latency, err)
			}
			r.add(fmt.Sprintf("model %s, %d workers", latency, processes), "schemas/s", w.rate)
		}
	}
	return nil
}

func measureEntities(ctx context.Context, r *report) error {
	for _, entities := range []int{10, 100, 1000, 10_000} {
		if r.g.quick && entities > 100 {
			continue
		}
		load := work{tenants: 1, entities: entities, fields: 11, schemas: r.scaled(1000)}
		w, err := r.g.try(ctx, trial{work: load, side: r.worker()})
		if err != nil {
			return fmt.Errorf("%d entities: %w", entities, err)
		}
		r.grown(fmt.Sprintf("%d entities", entities), w)
	}
	return nil
}

func measureFields(ctx context.Context, r *report) error {
	for _, fields := range []int{10, 60, 500, 5000} {
		if r.g.quick && fields > 60 {
			continue
		}
		load := work{tenants: 1, entities: 10, fields: fields, schemas: max(4, r.scaled(10_000/fields))}
		w, err := r.g.try(ctx, trial{work: load, side: r.worker()})
		if err != nil {
			return fmt.Errorf("%d fields: %w", fields, err)
		}
		r.grown(fmt.Sprintf("%d fields", fields), w)
	}
	return nil
}

func (r *report) grown(what string, w result) {
	total := 0.0
	for _, ms := range w.cpu {
		total += ms
	}
	r.add(what+": throughput", "schemas/s", w.rate)
	r.add(what+": processor time of the worker", "ms/schema", w.cpu["worker"])
	r.add(what+": processor time of all", "ms/schema", total)
	r.add(what+": memory at its peak", "MiB", w.peakMiB)
	r.add(what+": questions", "/schema", w.calls)
	r.add(what+": tokens", "/schema", w.tokens)
}
