// Package metrics counts what a worker does and shows it to Prometheus, at /metrics.
//
// It is the only room that knows Prometheus: the others tell it through their own
// Observer, or have a Status, which it reads when it is scraped. It decides nothing.
//
// It guarantees that the number of its series is bounded, whatever happens: labels have
// known values, and what is not known is "other"; no label names a tenant, a schema, a run
// or a person. A scrape asks the database and Redis at most once each CacheFor, with one
// short question each, and waits for neither longer than Timeout.
package metrics

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/llm"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/task"
)

var (
	_ run.Observer = (*Metrics)(nil)
	_ llm.Observer = (*Metrics)(nil)
)

// Config says what is counted.
type Config struct {
	// Version and Commit are of the program.
	Version, Commit string
	// Models are the language models that may be asked, empty for the offline engine.
	Models []string
	// Slots is how many runs of each queue go on at a time in this process.
	Slots map[string]int
	// CacheFor is how long what the database and Redis said stands. Defaults to 15 s.
	CacheFor time.Duration
	// Timeout bounds each of these questions. Defaults to 3 s.
	Timeout time.Duration
}

// Sources are asked when somebody scrapes. Each may be nil, and has no series then.
type Sources struct {
	// Load counts the open runs.
	Load func(context.Context) (run.Load, error)
	// Depths tells what is in the queues.
	Depths func(context.Context) ([]task.Depth, error)
	// Parts says which parts of the worker are fine, by their names in /readyz. Its answer
	// may be a second old.
	Parts func(context.Context) []Part
	// Running is how many runs are worked on.
	Running  func() int
	Relay    func() broadcast.Status
	Sweeper  func() run.SweeperStatus
	Doctor   func() run.DoctorStatus
	Watch    func() run.WatchStatus
	Question func() error // of the model: why no question is put to it, nil when one is
}

// Part is a part of a worker, as /readyz names it.
type Part struct {
	Name string
	// Up says that the part is fine, Down that the worker can not work without it, as it is.
	// Neither is a part that fails without keeping the worker from its work.
	Up, Down bool
}

// Metrics are the series of one worker.
type Metrics struct {
	cfg      Config
	registry *prometheus.Registry
	models   map[string]bool
	counters
}

// New returns the metrics of a worker; Watch adds those that are read from its parts.
func New(cfg Config) (*Metrics, error) {
	if cfg.CacheFor <= 0 {
		cfg.CacheFor = 15 * time.Second
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 3 * time.Second
	}
	m := &Metrics{cfg: cfg, registry: prometheus.NewRegistry(), models: map[string]bool{}, counters: newCounters()}
	for _, model := range cfg.Models {
		m.models[model] = true
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "schemacast_build_info", Help: "Always 1; the labels say which build runs.",
		ConstLabels: prometheus.Labels{"version": cfg.Version, "commit": cfg.Commit, "go_version": runtime.Version()},
	})
	build.Set(1)
	slots := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "schemacast_worker_slots", Help: "Runs that this worker works on at a time, at most.",
	}, []string{"queue"})
	for queue, n := range cfg.Slots {
		slots.WithLabelValues(queue).Set(float64(n))
	}
	var problems []error
	for _, c := range append(m.all(), build, slots,
		collectors.NewGoCollector(), collectors.NewBuildInfoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	) {
		problems = append(problems, m.registry.Register(c))
	}
	m.begin()
	return m, errors.Join(problems...)
}

// Watch adds what is read from the parts of a worker.
func (m *Metrics) Watch(s Sources) error {
	return errors.Join(m.registry.Register(newGauges(m.cfg, s)), m.registry.Register(newParts(s)))
}

// Gather returns what a scrape would, for tests.
func (m *Metrics) Gather() prometheus.Gatherer { return m.registry }

// Handler serves the series. More than four scrapes at a time are refused.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 2*m.cfg.Timeout + time.Second, EnableOpenMetrics: true,
	})
}
