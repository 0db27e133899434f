package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/task"
)

// ServiceConfig holds what a Service can do without.
type ServiceConfig struct {
	// Slots is how many interactive runs go on at a time. Defaults to 32.
	Slots int
	// BackfillSlots is the same for the backfill queue. Defaults to 8; negative for a
	// worker that leaves that queue alone.
	BackfillSlots int
	// DrainTimeout is how long Stop waits for runs to end by themselves. Defaults to
	// 90 s; negative for not at all.
	DrainTimeout time.Duration
	// PollInterval is how often an idle server looks for tasks. Defaults to 50 ms.
	PollInterval time.Duration
	// DelayedInterval is how often tasks whose delay is over are moved. Defaults to
	// 1 s.
	DelayedInterval time.Duration
	// HealthInterval is how often asynq pings Redis. Defaults to 5 s.
	HealthInterval time.Duration
	// Logger defaults to one that discards.
	Logger *slog.Logger
}

func (c ServiceConfig) withDefaults() ServiceConfig {
	if c.Slots <= 0 {
		c.Slots = 32
	}
	if c.BackfillSlots == 0 {
		c.BackfillSlots = 8
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = 90 * time.Second
	}
	if c.PollInterval <= 0 {
		c.PollInterval = 50 * time.Millisecond
	}
	if c.DelayedInterval <= 0 {
		c.DelayedInterval = time.Second
	}
	if c.HealthInterval <= 0 {
		c.HealthInterval = 5 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Service pulls tasks from both queues and gives them to a Handler. It lives once:
// Start, then Stop.
type Service struct {
	opts    redis.UniversalOptions
	handler *Handler
	cfg     ServiceConfig
	log     *slog.Logger
	limits  stopLimits
	// client serves asynq, probe the question whether Redis answers now.
	client, probe redis.UniversalClient

	mu      sync.Mutex
	state   serviceState
	servers []*asynq.Server

	draining  atomic.Bool
	redisDown atomic.Bool
}

type serviceState int

const (
	serviceNew serviceState = iota
	serviceStarted
	serviceStopped
)

// NewService returns a service with Redis clients of its own. They connect at Start
// and are closed by Stop.
func NewService(opts redis.UniversalOptions, handler *Handler, cfg ServiceConfig) (*Service, error) {
	if handler == nil {
		return nil, errors.New("a service needs a handler")
	}
	if len(opts.Addrs) == 0 {
		return nil, errors.New("a service needs the address of a redis; set REDIS_URL or REDIS_HOST")
	}
	cfg = cfg.withDefaults()
	return &Service{
		opts:    opts,
		handler: handler,
		cfg:     cfg,
		log:     cfg.Logger,
		limits:  stopLimits{pull: 5 * time.Second, hurry: 5 * time.Second, shutdown: 10 * time.Second},
		client:  NewRedis(opts),
		probe:   newProbe(opts),
	}, nil
}

// Start asks Redis whether it is there (*task.RedisError if not) and usable, and
// begins to pull. Values of ctx reach the handlers, its end does not. After an error
// the service is of no more use.
func (s *Service) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != serviceNew {
		return errors.New("start service: it was started before")
	}
	if err := s.start(ctx); err != nil {
		s.state = serviceStopped
		return fmt.Errorf("start service: %w", errors.Join(err, s.client.Close(), s.probe.Close()))
	}
	s.state = serviceStarted
	s.log.Info("worker started", "owner", s.handler.cfg.Owner, "slots", s.cfg.Slots, "backfill_slots", max(s.cfg.BackfillSlots, 0))
	return nil
}

func (s *Service) start(ctx context.Context) error {
	if err := ping(ctx, s.probe, s.addr()); err != nil {
		return err
	}
	if err := checkRedis(ctx, s.probe, s.addr()); err != nil {
		return err
	}
	// asynq's client adds a queue once a process, so a flush hides it from Asynqmon.
	if err := s.probe.SAdd(ctx, "asynq:queues", task.QueueInteractive, task.QueueBackfill).Err(); err != nil {
		return &task.RedisError{Address: s.addr(), Err: err}
	}
	base, client := context.WithoutCancel(ctx), listening{UniversalClient: s.client, ear: s.probe}
	servers := []*asynq.Server{newServer(base, client, task.QueueInteractive, s.cfg.Slots, s.health, s.cfg)}
	if s.cfg.BackfillSlots > 0 {
		servers = append(servers, newServer(base, client, task.QueueBackfill, s.cfg.BackfillSlots, nil, s.cfg))
	}
	for _, server := range servers {
		if err := server.Start(s.handler); err != nil {
			s.each((*asynq.Server).Shutdown)
			return err
		}
		s.servers = append(s.servers, server)
	}
	return nil
}

func (s *Service) addr() string { return strings.Join(s.opts.Addrs, ",") }

// Draining says that no more work is taken up; it is the first thing that Stop
// does.
func (s *Service) Draining() bool { return s.draining.Load() }

// Running returns how many runs are worked on.
func (s *Service) Running() int {
	n, _ := s.handler.drain.count()
	return n
}

// Ping says whether Redis answers now. Unlike asynq's own check it does not ride out
// outages.
func (s *Service) Ping(ctx context.Context) error { return ping(ctx, s.probe, s.addr()) }

// Alive fails when only a restart helps: every slot is taken by an analysis that
// ignores the end of its context. A database or Redis that is down is no reason.
func (s *Service) Alive() error {
	slots := s.cfg.Slots + max(s.cfg.BackfillSlots, 0)
	if hung := int(s.handler.hung.Load()); hung >= slots {
		return fmt.Errorf("all %d slots hang in analyses that do not end; restart the worker", slots)
	}
	return nil
}

// health logs the changes, not the state.
func (s *Service) health(err error) {
	down := err != nil
	if s.redisDown.Swap(down) == down {
		return
	}
	if down {
		s.log.Error("redis is gone", "redis", s.addr(), "error", err)
	} else {
		s.log.Info("redis is back", "redis", s.addr())
	}
}
