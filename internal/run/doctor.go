package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/task"
)

// doctorJob is the name of the queue doctor's lease.
const doctorJob = "queue-doctor"

// DoctorConfig holds what a Doctor can do without.
type DoctorConfig struct {
	// Owner names this process. Defaults to NewOwner().
	Owner string
	// Interval between two rounds. Defaults to 30 s: what a worker could not decode has
	// to be gone before its lease has been over for 30 s, when asynq stumbles on it.
	Interval time.Duration
	// Timeout bounds one round. Defaults to 20 s.
	Timeout time.Duration
	// Logger defaults to one that discards.
	Logger *slog.Logger
}

func (c DoctorConfig) withDefaults() DoctorConfig {
	if c.Owner == "" {
		c.Owner = NewOwner()
	}
	if c.Interval <= 0 {
		c.Interval = 30 * time.Second
	}
	if c.Timeout <= 0 {
		c.Timeout = 20 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Doctor looks after the queues: what it finds and does is task.Repairer's. Its lease
// only saves work; without a database every process looks after them, which does no
// harm.
type Doctor struct {
	leases   Leases
	repairer *task.Repairer
	cfg      DoctorConfig
	log      *slog.Logger
	loop     periodic
	trouble  trouble

	mu     sync.Mutex
	status DoctorStatus
}

// DoctorStatus is what health checks and metrics show of a Doctor.
type DoctorStatus struct {
	// Leading says that this process is the one that looks.
	Leading bool
	// Last is what its last round put right, and At when; zero for none.
	Last task.Findings
	At   time.Time
	// Total counts since the start of this process.
	Total task.Findings
	// Err is why the last round failed.
	Err error
}

// NewDoctor returns a queue doctor on a Redis client, as NewRedis makes them, that stays
// its caller's.
func NewDoctor(leases Leases, rdb redis.UniversalClient, cfg DoctorConfig) (*Doctor, error) {
	if leases == nil {
		return nil, errors.New("a queue doctor needs leases")
	}
	repairer, err := task.NewRepairer(rdb, task.RepairerConfig{})
	if err != nil {
		return nil, fmt.Errorf("make queue doctor: %w", err)
	}
	cfg = cfg.withDefaults()
	return &Doctor{leases: leases, repairer: repairer, cfg: cfg, log: cfg.Logger, loop: periodic{name: doctorJob}}, nil
}

// Start makes one round, whoever leads, and then begins to look at each interval. It
// belongs before Service.Start, since asynq recovers at once and trips over what it finds,
// and after Service.Ping, which is quicker to say that there is no Redis. An error of that
// round is logged and not returned: the next one tries again.
func (d *Doctor) Start(ctx context.Context) error {
	d.examine(ctx)
	return d.loop.start(ctx, d.log, d.cfg.Interval, false, d.round)
}

// Stop ends the round in hand and gives the lease back.
func (d *Doctor) Stop(ctx context.Context) error {
	if err := d.loop.stop(ctx); err != nil {
		return err
	}
	if !d.Status().Leading {
		return nil
	}
	d.lead(false)
	if err := d.leases.Resign(ctx, doctorJob, d.cfg.Owner); err != nil {
		return fmt.Errorf("stop queue doctor: give its lease back: %w", err)
	}
	return nil
}

// Status may be asked at any time.
func (d *Doctor) Status() DoctorStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	status := d.status
	status.Err = d.trouble.err()
	return status
}

func (d *Doctor) lead(leading bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status.Leading = leading
}

func (d *Doctor) round(ctx context.Context) {
	ask, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	leading, err := d.leases.Lead(ask, doctorJob, d.cfg.Owner, d.cfg.Timeout+d.cfg.Interval)
	cancel()
	d.lead(leading && err == nil)
	if leading || err != nil {
		d.examine(ctx)
	}
}

// examine makes a round, and logs what it put right: each finding is a change, since it
// is not found again.
func (d *Doctor) examine(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	found, err := d.repairer.Examine(ctx)
	d.trouble.set(ctx, d.log, doctorJob, err)
	d.logFindings(ctx, found)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, queue := range found.Paused {
		if !slices.Contains(d.status.Last.Paused, queue) {
			d.log.WarnContext(ctx, "queue is paused; unpause it in Asynqmon", "queue", queue)
		}
	}
	d.status.Total.Add(found)
	if err == nil {
		d.status.Last, d.status.At = found, time.Now()
	}
}

func (d *Doctor) logFindings(ctx context.Context, found task.Findings) {
	if !found.Any() {
		return
	}
	d.log.WarnContext(ctx, "queues repaired", "quarantined", found.Quarantined, "ghosts", found.Ghosts,
		"remains", found.Remains, "requeued", found.Requeued, "leased", found.Leased, "leftovers", found.Leftovers,
		"misplaced", found.Misplaced, "trimmed", found.Trimmed)
	for _, bad := range found.Bad {
		d.log.ErrorContext(ctx, "task quarantined; mend its producer",
			"queue", bad.Queue, "task_id", clean(bad.ID), "reason", clean(bad.Reason))
	}
}
