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
	Backfill     int
	DrainTimeout time.Duration
	PollInterval time.Duration
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
	l.cfg.Worker = Worker{
		Concurrency: v.WorkerConcurrency, Backfill: v.WorkerBackfill,
		DrainTimeout: v.WorkerDrainTimeout, PollInterval: v.WorkerPollInterval, HealthAddr: v.HealthAddr,
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

// listen checks an address to listen on. Port 0 takes a free one.
func (l *loader) listen(name, addr string) {
	_, port, err := net.SplitHostPort(addr)
	n, numErr := strconv.Atoi(port)
	if err != nil || numErr != nil || n < 0 || n > 65535 {
		l.problem(name, "is %q; write host:port, or :port for all interfaces", addr)
	}
}
