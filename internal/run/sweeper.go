package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/task"
)

// sweeperJob is the name of the sweeper's lease.
const sweeperJob = "sweeper"

// SweepStore is what the sweeper needs of the database.
type SweepStore interface {
	Leases
	Backlog
	Archive
}

// SweeperConfig holds what a Sweeper can do without.
type SweeperConfig struct {
	// Owner names this process. Defaults to NewOwner().
	Owner string
	// Interval between two sweeps. Defaults to 10 s.
	Interval time.Duration
	// Grace is how old a request has to be: younger ones are their producer's, who is
	// about to enqueue them. Defaults to 15 s.
	Grace time.Duration
	// Depth is how many tasks may wait in a queue. The sweeper adds none to a fuller one:
	// a million requests do not have to be in Redis all at once. Defaults to 20,000.
	Depth int
	// Page is how many requests are looked at together. Defaults to 500.
	Page int
	// Pages bounds one sweep; the next one goes on from there. Defaults to 400.
	Pages int
	// Timeout bounds one sweep without its pruning. Defaults to 30 s.
	Timeout time.Duration
	// Retention says what is pruned. The zero value keeps everything.
	Retention Retention
	// PruneInterval is how often. Defaults to a minute.
	PruneInterval time.Duration
	// PruneTimeout is for how long a sweep goes on pruning, if there is that much.
	// Defaults to 10 s.
	PruneTimeout time.Duration
	// Producer names the sweeper in tasks, as program/version. Defaults to "sweeper".
	Producer string
	// Logger defaults to one that discards.
	Logger *slog.Logger
}

func (c SweeperConfig) withDefaults() SweeperConfig {
	if c.Owner == "" {
		c.Owner = NewOwner()
	}
	for value, fallback := range map[*time.Duration]time.Duration{
		&c.Interval: 10 * time.Second, &c.Grace: 15 * time.Second, &c.Timeout: 30 * time.Second, &c.PruneInterval: time.Minute,
		&c.PruneTimeout: 10 * time.Second,
	} {
		if *value <= 0 {
			*value = fallback
		}
	}
	for value, fallback := range map[*int]int{&c.Depth: 20_000, &c.Page: 500, &c.Pages: 400} {
		if *value <= 0 {
			*value = fallback
		}
	}
	if c.Producer == "" {
		c.Producer = sweeperJob
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Sweeper sees to it that what was requested is worked on, whatever became of its task:
// what the database says waits and Redis does not know is queued again, so that Redis
// may be emptied at any time. Of all sweepers of an installation one is at work. It also
// deletes what is past its retention.
//
// It never takes a run from a worker that lives, and never asks for an analysis that
// nobody asked for: that is decided by what Backlog returns.
type Sweeper struct {
	store     SweepStore
	inspector *task.Inspector
	producer  *task.Producer
	cfg       SweeperConfig
	log       *slog.Logger
	loop      periodic
	trouble   trouble
	rechecks  rechecks

	mu     sync.Mutex
	status SweeperStatus
	pruned time.Time

	// Where a sweep that was cut short goes on. Only the sweep in hand uses them.
	sweeping       sync.Mutex
	afterOrphan    *Orphan
	afterForgotten int64
}

// SweeperStatus is what health checks and metrics show of a Sweeper.
type SweeperStatus struct {
	// Leading says that this process is the one that sweeps.
	Leading bool
	// Last is the last sweep of this process that ended, and At when; zero for none.
	Last Sweep
	At   time.Time
	// Total counts since the start of this process.
	Total Sweep
	// Err is why the last try failed.
	Err error
}

// Sweep counts what one sweep, or all of them, did.
type Sweep struct {
	Looked    int // requests without a worker that were looked at
	Enqueued  int // tasks that were made, or made anew
	Abandoned int // runs that were failed, since their task was put away
	// Postponed are requests for whose task there was no room in the queue.
	Postponed int
	Pruned    Pruned
}

func (s *Sweep) add(other Sweep) {
	s.Looked += other.Looked
	s.Enqueued += other.Enqueued
	s.Abandoned += other.Abandoned
	s.Postponed += other.Postponed
	s.Pruned.add(other.Pruned)
}

func (p *Pruned) add(other Pruned) {
	p.Events += other.Events
	p.Answers += other.Answers
	p.Runs += other.Runs
}

// NewSweeper returns a sweeper on a Redis client, as NewRedis makes them, that stays its
// caller's.
func NewSweeper(store SweepStore, rdb redis.UniversalClient, cfg SweeperConfig) (*Sweeper, error) {
	if store == nil {
		return nil, errors.New("a sweeper needs a store")
	}
	cfg = cfg.withDefaults()
	inspector, err := task.NewInspector(rdb)
	if err != nil {
		return nil, fmt.Errorf("make sweeper: %w", err)
	}
	producer, err := task.NewProducer(rdb, task.ProducerConfig{Name: cfg.Producer})
	if err != nil {
		return nil, fmt.Errorf("make sweeper: %w", err)
	}
	return &Sweeper{
		store: store, inspector: inspector, producer: producer, cfg: cfg, log: cfg.Logger, loop: periodic{name: sweeperJob},
		rechecks: rechecks{loop: periodic{name: "rechecks"}},
	}, nil
}

// Start begins to sweep, at once. Values of ctx are kept, its end is not.
func (s *Sweeper) Start(ctx context.Context) error {
	if err := s.loop.start(ctx, s.log, s.cfg.Interval, true, s.round); err != nil {
		return err
	}
	return s.rechecks.loop.start(ctx, s.log, recheckEvery, false, s.recheck)
}

// Stop ends the sweep in hand and gives the lease back, so that another process goes on
// at once.
func (s *Sweeper) Stop(ctx context.Context) error {
	if err := errors.Join(s.rechecks.loop.stop(ctx), s.loop.stop(ctx)); err != nil {
		return err
	}
	if !s.Status().Leading {
		return nil
	}
	s.lead(false)
	if err := s.store.Resign(ctx, sweeperJob, s.cfg.Owner); err != nil {
		return fmt.Errorf("stop sweeper: give its lease back: %w", err)
	}
	return nil
}

// Status may be asked at any time.
func (s *Sweeper) Status() SweeperStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.Err = s.trouble.err()
	return status
}

func (s *Sweeper) lead(leading bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Leading = leading
}

// round sweeps if it is this process's turn.
func (s *Sweeper) round(ctx context.Context) {
	leading, err := s.takeLease(ctx)
	if leading {
		_, err = s.sweep(ctx, s.renewal())
	}
	if errors.Is(err, errLedElsewhere) {
		err = nil
	}
	s.trouble.set(ctx, s.log, sweeperJob, err)
}

// leaseTime is how long the lease lasts. It outlives an interval and not much more: until
// a leader that was killed is replaced, nobody sweeps.
func (s *Sweeper) leaseTime() time.Duration { return s.cfg.Interval + s.cfg.Interval/2 }

func (s *Sweeper) takeLease(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	leading, err := s.store.Lead(ctx, sweeperJob, s.cfg.Owner, s.leaseTime())
	s.lead(leading && err == nil)
	if err != nil {
		return false, fmt.Errorf("take the sweeper's lease: %w", err)
	}
	return leading, nil
}

// renewal renews the lease of a sweep that takes longer than it lasts.
func (s *Sweeper) renewal() func(context.Context) error {
	last := time.Now()
	return func(ctx context.Context) error {
		if time.Since(last) < s.leaseTime()/4 {
			return nil
		}
		last = time.Now()
		leading, err := s.takeLease(ctx)
		if err == nil && !leading {
			err = errLedElsewhere
		}
		return err
	}
}
