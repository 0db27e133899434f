package config

import (
	"net"
	"strconv"
	"time"
)

// Worker says how a worker works.
type Worker struct {
	Concurrency int
	// Backfill is the concurrency of the backfill queue; 0 leaves the queue alone.
	Backfill int
	// TenantConcurrency is the share of one tenant, over all workers; 0 for no limit.
	TenantConcurrency int
	DrainTimeout      time.Duration
	PollInterval      time.Duration
	SweepInterval     time.Duration
	// How long records are kept: events once they were sent, answers once they were
	// given, runs once they ended. 0 keeps them for ever.
	RetainEvents, RetainAnswers, RetainRuns time.Duration
	// HealthAddr is where /livez and /readyz are.
	HealthAddr string
	// AdminAddr is where dashboard and API are; empty for nowhere.
	AdminAddr string
}

func (l *loader) worker() {
	v := l.vars
	between(l, "WORKER_CONCURRENCY", v.WorkerConcurrency, 1, 1000)
	between(l, "WORKER_BACKFILL_CONCURRENCY", v.WorkerBackfill, 0, 1000)
	between(l, "WORKER_DRAIN_TIMEOUT", v.WorkerDrainTimeout, 0, time.Hour)
	between(l, "WORKER_POLL_INTERVAL", v.WorkerPollInterval, 10*time.Millisecond, 10*time.Second)
	between(l, "WORKER_TENANT_CONCURRENCY", v.WorkerTenant, 0, 1000)
	between(l, "WORKER_SWEEP_INTERVAL", v.WorkerSweepInterval, time.Second, 10*time.Minute)
	l.retention("WORKER_RETAIN_EVENTS", v.WorkerRetainEvents)
	l.retention("WORKER_RETAIN_ANSWERS", v.WorkerRetainAnswers)
	l.retention("WORKER_RETAIN_RUNS", v.WorkerRetainRuns)
	l.cfg.Worker = Worker{
		Concurrency: v.WorkerConcurrency, Backfill: v.WorkerBackfill, TenantConcurrency: v.WorkerTenant,
		DrainTimeout: v.WorkerDrainTimeout, PollInterval: v.WorkerPollInterval, SweepInterval: v.WorkerSweepInterval,
		RetainEvents: v.WorkerRetainEvents, RetainAnswers: v.WorkerRetainAnswers, RetainRuns: v.WorkerRetainRuns,
		HealthAddr: v.HealthAddr,
	}
	l.listen("HEALTH_ADDR", v.HealthAddr)
	if v.AdminAddr == "off" || v.AdminAddr == "false" {
		return
	}
	l.cfg.Worker.AdminAddr = v.AdminAddr
	l.listen("ADMIN_ADDR", v.AdminAddr)
	if _, port, err := net.SplitHostPort(v.AdminAddr); err == nil && v.AdminAddr == v.HealthAddr && port != "0" {
		l.problem("ADMIN_ADDR", "is %q, as HEALTH_ADDR is; choose another port", v.AdminAddr)
	}
}

// The limits of a retention. Below the lower one a record would go while people
// still look at it; above the upper one somebody has mistaken the unit.
const (
	leastRetention = time.Minute
	mostRetention  = 100 * 365 * 24 * time.Hour
)

// retention checks how long something is kept.
func (l *loader) retention(name string, value time.Duration) {
	if value != 0 && (value < leastRetention || value > mostRetention) && !l.broken[name] {
		l.problem(name, "is %v; choose %v to %v, or 0 to keep them for ever", value, leastRetention, mostRetention)
	}
}

// listen checks an address to listen on. Port 0 takes a free one.
func (l *loader) listen(name, addr string) {
	_, port, err := net.SplitHostPort(addr)
	n, numErr := strconv.Atoi(port)
	if err != nil || numErr != nil || n < 0 || n > 65535 {
		l.problem(name, "is %q; write host:port, or :port for all interfaces", addr)
	}
}
