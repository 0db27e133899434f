package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/task"
)

// The series that the parts of this process know.
var (
	descReady     = desc("worker_ready", "1 while the worker can work, as /readyz says.")
	descPart      = desc("part_up", "1 for each part of the worker that is fine, as /readyz says.", "part")
	descRunning   = desc("worker_runs", "Runs that this worker works on.")
	descModel     = desc("llm_available", "0 while no question is put to the model, because it failed again and again.")
	descEvents    = desc("events_total", "Events that this worker's relay is done with, or gave back unsent (deferred).", "result")
	descSuspects  = desc("events_suspect", "Events that fail while others pass, and are tried by themselves.")
	descBroadcast = desc("broadcast_state", "1 for the state in which the relay is.", "state")
	descOutbox    = desc("outbox_events", "Events of the installation that wait to be sent.")
	descStreams   = desc("outbox_streams", "Schemas that have such events.")
	descLag       = desc("outbox_oldest_seconds", "For how long the oldest of them waits.")
	descMeasured  = desc("outbox_measured_seconds", "How long ago they were counted.")
	descLeads     = desc("leads", "1 in the process that keeps watch for all, by keeper.", "keeper")
	descKeeper    = desc("keeper_up", "1 while this keeper goes well.", "keeper")
	descSwept     = desc("sweeper_runs_total", "What the sweeper did about requests that nobody worked on.", "action")
	descPruned    = desc("sweeper_pruned_rows_total", "Rows past their retention that were deleted.", "table")
	descRepairs   = desc("queue_repairs_total", "What the queue doctor put right.", "kind")
	descClock     = desc("clock_ahead_seconds", "By how much the clock of a server is ahead of this worker's.", "server")
	descProblem   = desc("watch_problem", "1 for each problem around the worker that the watch has found.", "kind")
)

// parts read the states that are kept in this process.
type parts struct{ Sources }

func newParts(s Sources) parts { return parts{s} }

// Describe implements prometheus.Collector.
func (parts) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descReady, descPart, descRunning, descModel, descEvents, descSuspects, descBroadcast, descOutbox, descStreams, descLag,
		descMeasured, descLeads, descKeeper, descSwept, descPruned, descRepairs, descClock, descProblem,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (p parts) Collect(out chan<- prometheus.Metric) {
	send := func(metrics ...prometheus.Metric) {
		for _, m := range metrics {
			out <- m
		}
	}
	if p.Parts != nil {
		ready := true
		for _, part := range p.Parts(context.Background()) { // it bounds itself
			send(gauge(descPart, truth(part.Up), part.Name))
			ready = ready && !part.Down
		}
		send(gauge(descReady, truth(ready)))
	}
	if p.Running != nil {
		send(gauge(descRunning, float64(p.Running())))
	}
	if p.Question != nil {
		send(gauge(descModel, truth(p.Question() == nil)))
	}
	if p.Relay != nil {
		send(ofRelay(p.Relay())...)
	}
	if p.Sweeper != nil {
		send(ofSweeper(p.Sweeper())...)
	}
	if p.Doctor != nil {
		send(ofDoctor(p.Doctor())...)
	}
	if p.Watch != nil {
		send(ofWatch(p.Watch())...)
	}
}

func ofRelay(s broadcast.Status) []prometheus.Metric {
	metrics := []prometheus.Metric{
		count(descEvents, float64(s.Sent), "sent"), count(descEvents, float64(s.Dropped), "dropped"),
		count(descEvents, float64(s.Superseded), "superseded"), count(descEvents, float64(s.Deferred), "deferred"),
		gauge(descSuspects, float64(s.Suspects)),
	}
	for _, state := range []broadcast.Health{broadcast.HealthOK, broadcast.HealthRetrying, broadcast.HealthDegraded} {
		metrics = append(metrics, gauge(descBroadcast, truth(s.Health == state), string(state)))
	}
	if s.Counted.IsZero() {
		return metrics // nothing has been counted yet
	}
	return append(metrics, gauge(descOutbox, float64(s.Unsent.Events)), gauge(descStreams, float64(s.Unsent.Streams)),
		gauge(descLag, s.Unsent.Age().Seconds()), gauge(descMeasured, time.Since(s.Counted).Seconds()))
}

func ofSweeper(s run.SweeperStatus) []prometheus.Metric {
	return []prometheus.Metric{
		gauge(descLeads, truth(s.Leading), "sweeper"), gauge(descKeeper, truth(s.Err == nil), "sweeper"),
		count(descSwept, float64(s.Total.Enqueued), "enqueued"), count(descSwept, float64(s.Total.Abandoned), "abandoned"),
		count(descSwept, float64(s.Total.Postponed), "postponed"),
		count(descPruned, float64(s.Total.Pruned.Events), "events"), count(descPruned, float64(s.Total.Pruned.Answers), "answers"),
		count(descPruned, float64(s.Total.Pruned.Runs), "runs"),
	}
}

func ofDoctor(s run.DoctorStatus) []prometheus.Metric {
	metrics := []prometheus.Metric{
		gauge(descLeads, truth(s.Leading), "queue_doctor"), gauge(descKeeper, truth(s.Err == nil), "queue_doctor"),
	}
	for kind, n := range repairs(s.Total) {
		metrics = append(metrics, count(descRepairs, float64(n), kind))
	}
	return metrics
}

func repairs(f task.Findings) map[string]int {
	return map[string]int{
		"quarantined": f.Quarantined, "ghosts": f.Ghosts, "remains": f.Remains, "requeued": f.Requeued, "leased": f.Leased,
		"leftovers": f.Leftovers, "misplaced": f.Misplaced, "trimmed": f.Trimmed,
	}
}

func ofWatch(s run.WatchStatus) []prometheus.Metric {
	metrics := []prometheus.Metric{
		gauge(descClock, s.RedisAhead.Seconds(), "redis"), gauge(descClock, s.DatabaseAhead.Seconds(), "database"),
	}
	for _, kind := range run.ProblemKinds() {
		metrics = append(metrics, gauge(descProblem, truth(s.Has(kind)), kind))
	}
	return metrics
}
