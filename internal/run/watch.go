package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// How far clocks may differ. asynq's leases are times of the workers' clocks, last 30 s,
// and are recovered 30 s later: a clock that is further away takes tasks from workers
// that live.
const (
	skewNotReady = 5 * time.Second
	skewRefused  = 30 * time.Second
)

// WatchConfig holds what a Watch can do without.
type WatchConfig struct {
	// Interval between two looks. Defaults to a minute.
	Interval time.Duration
	// Timeout bounds one look. Defaults to 10 s.
	Timeout time.Duration
	// Now is this process's clock. Defaults to time.Now.
	Now func() time.Time
	// Logger defaults to one that discards.
	Logger *slog.Logger
}

// Watch looks at what is wrong around a worker and no error tells: clocks that differ,
// and a Redis that may evict or lose tasks. It logs each change once, and changes
// nothing.
type Watch struct {
	addr  string
	probe redis.UniversalClient
	clock Clock
	cfg   WatchConfig
	loop  periodic

	mu     sync.Mutex
	status WatchStatus
}

// WatchStatus is what a Watch saw last.
type WatchStatus struct {
	// RedisAhead and DatabaseAhead are by how much their clocks are ahead of ours. What
	// was not answered stays as it was.
	RedisAhead, DatabaseAhead time.Duration
	// Redis is what it said about itself.
	Redis RedisState
	// Problems are sentences with a value and a cure.
	Problems []string

	byKind map[string]string
}

// NewWatch returns a watch with a Redis client of its own, which Stop closes. Of the
// database only the clock is asked.
func NewWatch(opts redis.UniversalOptions, clock Clock, cfg WatchConfig) (*Watch, error) {
	if clock == nil {
		return nil, errors.New("a watch needs the database's clock")
	}
	if len(opts.Addrs) == 0 {
		return nil, errors.New("a watch needs the address of a redis; set REDIS_URL or REDIS_HOST")
	}
	if cfg.Interval <= 0 {
		cfg.Interval = time.Minute
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Watch{
		addr: strings.Join(opts.Addrs, ","), probe: newProbe(opts), clock: clock, cfg: cfg, loop: periodic{name: "watch"},
	}, nil
}

// Start looks once, and refuses when a clock differs by more than 30 s: such a worker
// would take tasks from others. A server that does not answer is no reason here.
func (w *Watch) Start(ctx context.Context) error {
	w.look(ctx)
	status := w.Status()
	for kind, ahead := range map[string]time.Duration{kindRedisClock: status.RedisAhead, kindDatabaseClock: status.DatabaseAhead} {
		if ahead.Abs() > skewRefused {
			return fmt.Errorf("start watch: %s", status.byKind[kind])
		}
	}
	return w.loop.start(ctx, w.cfg.Logger, w.cfg.Interval, false, w.look)
}

// Stop ends the look in hand and closes the client.
func (w *Watch) Stop(ctx context.Context) error {
	return errors.Join(w.loop.stop(ctx), w.probe.Close())
}

// Status may be asked at any time.
func (w *Watch) Status() WatchStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	status := w.status
	status.Problems = slices.Clone(status.Problems)
	return status
}

// ProblemKinds are the kinds of problems that a Watch may find, as words for labels.
func ProblemKinds() []string {
	return []string{kindRedisClock, kindDatabaseClock, kindEviction, kindSaving, kindMemoryOnly}
}

// Has says whether a problem of a kind was found.
func (s WatchStatus) Has(kind string) bool {
	_, found := s.byKind[kind]
	return found
}

// Check is for readiness: it fails while a clock differs by more than 5 s.
func (w *Watch) Check(context.Context) error {
	status := w.Status()
	for _, kind := range []string{kindRedisClock, kindDatabaseClock} {
		if text, found := status.byKind[kind]; found {
			return errors.New(text)
		}
	}
	return nil
}

// The kinds of problems.
const (
	kindRedisClock    = "redis_clock"
	kindDatabaseClock = "database_clock"
	kindEviction      = "eviction"
	kindSaving        = "saving"
	kindMemoryOnly    = "memory_only"
)

func (w *Watch) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	w.mu.Lock()
	status := w.status
	w.mu.Unlock()
	if err := ping(ctx, w.probe, w.addr); err == nil {
		state := inspect(ctx, w.probe, w.cfg.Now)
		status.Redis = state
		if state.ClockKnown {
			status.RedisAhead = state.ClockAhead
		}
	}
	sent := w.cfg.Now()
	if now, err := w.clock.Now(ctx); err == nil {
		status.DatabaseAhead = now.Sub(sent.Add(w.cfg.Now().Sub(sent) / 2))
	}
	before := status.byKind
	status.byKind = w.problems(status)
	status.Problems = nil
	for _, kind := range slices.Sorted(maps.Keys(status.byKind)) {
		status.Problems = append(status.Problems, status.byKind[kind])
		if _, known := before[kind]; !known {
			w.cfg.Logger.WarnContext(ctx, "watch found a problem", "kind", kind, "problem", status.byKind[kind])
		}
	}
	for kind := range before {
		if _, still := status.byKind[kind]; !still {
			w.cfg.Logger.InfoContext(ctx, "problem is over", "kind", kind)
		}
	}
	w.mu.Lock()
	w.status = status
	w.mu.Unlock()
}

func (w *Watch) problems(s WatchStatus) map[string]string {
	found := map[string]string{}
	if s.RedisAhead.Abs() > skewNotReady {
		found[kindRedisClock] = skewText("Redis at "+w.addr, s.RedisAhead)
	}
	if s.DatabaseAhead.Abs() > skewNotReady {
		found[kindDatabaseClock] = skewText("the database", s.DatabaseAhead)
	}
	if r := s.Redis; r.Policy != "" && r.Policy != "noeviction" && r.MaxMemory != "0" {
		found[kindEviction] = fmt.Sprintf("Redis at %s may evict tasks: its maxmemory-policy is %s; set it to noeviction", w.addr, r.Policy)
	}
	if s.Redis.SaveFailed {
		found[kindSaving] = fmt.Sprintf("Redis at %s can not write to its disk, and may refuse tasks; free the disk or mend its permissions", w.addr)
	}
	if s.Redis.AppendOnly == "0" {
		found[kindMemoryOnly] = fmt.Sprintf(
			"Redis at %s does not log its writes: a crash loses tasks, which the sweeper brings back later; set appendonly yes", w.addr)
	}
	return found
}

func skewText(server string, ahead time.Duration) string {
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	return fmt.Sprintf("the clock of %s is %s %s the one of this worker; at most %s are safe: synchronise both with NTP",
		server, ahead.Abs().Round(100*time.Millisecond), direction, skewNotReady)
}
