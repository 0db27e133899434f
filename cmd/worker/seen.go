package main

import (
	"context"
	"log/slog"

	"github.com/schemacast/schemacast/internal/admin"
	"github.com/schemacast/schemacast/internal/buildinfo"
	"github.com/schemacast/schemacast/internal/config"
	"github.com/schemacast/schemacast/internal/llm"
	"github.com/schemacast/schemacast/internal/metrics"
	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/tracing"
)

// seen is what a worker shows of its work: numbers and spans.
type seen struct {
	metrics *metrics.Metrics
	tracing *tracing.Tracing
}

func newSeen(ctx context.Context, cfg *config.Config, owner string, logger *slog.Logger) (*seen, error) {
	c := metrics.Config{
		Version: buildinfo.Version(), Commit: buildinfo.Commit(),
		Slots: map[string]int{task.QueueInteractive: cfg.Worker.Concurrency, task.QueueBackfill: cfg.Worker.Backfill},
	}
	if !cfg.Analysis.Offline {
		c.Models = []string{cfg.Analysis.Model}
	}
	counted, err := metrics.New(c)
	if err != nil {
		return nil, err
	}
	headers := make(map[string]string, len(cfg.Traces.Headers))
	for name, value := range cfg.Traces.Headers {
		headers[name] = value.Reveal()
	}
	traces, err := tracing.New(ctx, tracing.Config{
		URL: cfg.Traces.URL, Headers: headers, Service: cfg.Traces.ServiceName, Version: buildinfo.Version(), Instance: owner,
		Logger: logger,
	})
	return &seen{metrics: counted, tracing: traces}, err
}

// watch lets the metrics read what the parts know, when somebody scrapes.
func (w *worker) watch(model *llm.Client) error {
	inspector, err := task.NewInspector(w.limits)
	if err != nil {
		return err
	}
	sources := metrics.Sources{
		Load: w.db.Load, Depths: inspector.Depths, Running: w.service.Running, Relay: w.relay.Status,
		Sweeper: w.keepers.sweeper.Status, Doctor: w.keepers.doctor.Status, Watch: w.keepers.watch.Status,
		Parts: func(ctx context.Context) []metrics.Part { return partsOf(w.health.Report(ctx)) },
	}
	if model != nil {
		sources.Question = model.Available
	}
	return w.seen.metrics.Watch(sources)
}

func partsOf(r admin.Report) []metrics.Part {
	parts := make([]metrics.Part, len(r.Checks))
	for i, c := range r.Checks {
		parts[i] = metrics.Part{Name: c.Name, Up: c.Status == admin.StatusOK, Down: c.Status == admin.StatusDown}
	}
	return parts
}
