package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/task"
)

// The series that the database and Redis have to be asked for. They are of the whole
// installation: each worker tells the same, so take the max of them, not the sum.
var (
	descRuns       = desc("runs_open", "Open runs of the installation. More than 10,000 requested ones are an estimate.", "state", "queue")
	descOldest     = desc("runs_requested_oldest_seconds", "For how long the oldest run that nobody has taken up waits.", "queue")
	descSilent     = desc("runs_silent", "Running runs whose worker has not been heard of for 30 s.")
	descTasks      = desc("queue_tasks", "Tasks in Redis, by state.", "queue", "state")
	descTaskOldest = desc("queue_oldest_seconds", "For how long the next task has been due.", "queue")
	descPaused     = desc("queue_paused", "1 for a queue that somebody has paused.", "queue")
	descRead       = desc("gauges_up", "1 when the last question to this source was answered. Its gauges are left out otherwise.", "source")
	descReadTook   = desc("gauges_read_seconds", "How long that question took.", "source")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("schemacast_"+name, help, labels, nil)
}

func gauge(d *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func count(d *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// gauges ask the database and Redis, when somebody scrapes and not too often.
type gauges struct {
	cfg     Config
	sources []*source
}

// source is one server that is asked.
type source struct {
	name string
	ask  func(context.Context) ([]prometheus.Metric, error)

	mu   sync.Mutex // held while it is asked, so that scrapes wait for one answer
	at   time.Time
	last []prometheus.Metric
}

func newGauges(cfg Config, s Sources) *gauges {
	g := &gauges{cfg: cfg}
	if s.Load != nil {
		g.sources = append(g.sources, &source{name: "database", ask: func(ctx context.Context) ([]prometheus.Metric, error) {
			load, err := s.Load(ctx)
			return ofLoad(load), err
		}})
	}
	if s.Depths != nil {
		g.sources = append(g.sources, &source{name: "redis", ask: func(ctx context.Context) ([]prometheus.Metric, error) {
			depths, err := s.Depths(ctx)
			return ofDepths(depths), err
		}})
	}
	return g
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRuns, descOldest, descSilent, descTasks, descTaskOldest, descPaused, descRead, descReadTook} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	var group sync.WaitGroup
	for _, s := range g.sources {
		group.Go(func() {
			for _, metric := range s.read(g.cfg.CacheFor, g.cfg.Timeout) {
				out <- metric
			}
		})
	}
	group.Wait()
}

// read returns what the source said lately, or asks it. A failure stands as long as an
// answer: a server in trouble is not asked more often.
func (s *source) read(cacheFor, timeout time.Duration) []prometheus.Metric {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsZero() && time.Since(s.at) < cacheFor {
		return s.last
	}
	// A collector is given no context.
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	began := time.Now()
	metrics, err := s.ask(ctx)
	if err != nil {
		metrics = nil // old numbers would look like true ones
	}
	s.at = time.Now()
	s.last = append(metrics, gauge(descRead, truth(err == nil), s.name), gauge(descReadTook, s.at.Sub(began).Seconds(), s.name))
	return s.last
}

func ofLoad(l run.Load) []prometheus.Metric {
	metrics := []prometheus.Metric{gauge(descRuns, float64(l.Running), "running", "any"), gauge(descSilent, float64(l.Silent))}
	for queue, w := range map[string]run.Waiting{task.QueueInteractive: l.Interactive, task.QueueBackfill: l.Backfill} {
		metrics = append(metrics, gauge(descRuns, float64(w.Runs), "requested", queue), gauge(descOldest, w.Oldest.Seconds(), queue))
	}
	return metrics
}

func ofDepths(depths []task.Depth) (metrics []prometheus.Metric) {
	for _, d := range depths {
		for state, n := range map[string]int64{
			"pending": d.Pending, "active": d.Active, "scheduled": d.Scheduled, "retry": d.Retry, "archived": d.Archived,
		} {
			metrics = append(metrics, gauge(descTasks, float64(n), d.Queue, state))
		}
		metrics = append(metrics, gauge(descTaskOldest, d.Oldest.Seconds(), d.Queue), gauge(descPaused, truth(d.Paused), d.Queue))
	}
	return metrics
}
