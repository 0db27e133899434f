package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/schemacast/schemacast/internal/admin"
	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/config"
	"github.com/schemacast/schemacast/internal/limit"
	"github.com/schemacast/schemacast/internal/llm"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
)

// This file turns the configuration into parts. It decides nothing.

func newLogger(cfg config.Log, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.Level}
	if cfg.JSON {
		return slog.New(run.LogIDs(slog.NewJSONHandler(w, options)))
	}
	return slog.New(run.LogIDs(slog.NewTextHandler(w, options)))
}

// relayLink connects the store, which writes events, with the relay, which needs the
// store to read them.
type relayLink struct {
	owner string
	relay *broadcast.Relay
}

func (l *relayLink) nudge(schemaID int64) {
	if l.relay != nil {
		l.relay.Nudge(schemaID)
	}
}

// openStore opens the database; link is nil for commands without a relay.
func openStore(ctx context.Context, cfg *config.Config, link *relayLink) (*store.Store, error) {
	c := store.Config{Dialect: cfg.Database.Driver, DSN: cfg.Database.Name}
	if cfg.Database.Driver == config.PostgreSQL {
		c.DSN = cfg.Database.PostgresDSN().Reveal()
	}
	if slots := cfg.Worker.Concurrency + cfg.Worker.Backfill; slots > 0 {
		c.MaxConns = max(10, slots/2+4)
	}
	if link != nil {
		c.RelayOwner, c.Nudge = link.owner, link.nudge
	}
	return store.Open(ctx, c)
}

func broadcastConfig(cfg config.Broadcast) broadcast.Config {
	return broadcast.Config{
		Driver: broadcast.Driver(cfg.Connection), Mode: broadcast.Mode(cfg.Channel), Templates: cfg.Templates, MaxBytes: cfg.MaxBytes,
		Samples: cfg.Samples, AppID: cfg.AppID, Key: cfg.Key, Secret: cfg.Secret.Reveal(), Host: cfg.Host, Port: cfg.Port,
		Secure: cfg.Secure, Cluster: cfg.Cluster, EncryptionKey: cfg.EncryptionKey.Reveal(),
	}
}

// newModel returns the language model; it is not for the offline engine. Without a
// database it has neither a cache nor budgets, and without observer nobody counts.
func newModel(
	cfg *config.Config, db *store.Store, limiter *limit.Limiter, observer llm.Observer, logger *slog.Logger,
) (*llm.Client, error) {
	c := llm.Config{
		APIKey: cfg.Analysis.APIKey.Reveal(), BaseURL: cfg.Analysis.BaseURL, Model: cfg.Analysis.Model,
		Connections: cfg.Worker.Concurrency + cfg.Worker.Backfill,
		// With its repetitions a call takes two of them at most.
		Timeout: cfg.Analysis.Timeout / 2,
		// The configuration has warned of it; many models run on hosts of a private network.
		AllowHTTP: true,
		Observer:  observer,
	}
	if price := cfg.Analysis.Price; price != nil {
		c.Price = &llm.Price{Input: price.Input, CachedInput: price.CachedInput, Output: price.Output}
	}
	if limiter != nil {
		c.Limiter, c.Memory = limiter, limiter
	}
	if db == nil {
		return llm.New(c, nil, logger)
	}
	c.Ledger, c.Budgets = db, analysis.Budgets{
		All: analysis.Spending(cfg.Analysis.Budget), Tenant: analysis.Spending(cfg.Analysis.TenantBudget),
	}
	return llm.New(c, db, logger)
}

// newLimiter shares the limits of the model with all workers. Without numbers it still
// shares the pauses that the server asks for.
func newLimiter(cfg *config.Config, client redis.UniversalClient, logger *slog.Logger) (*limit.Limiter, error) {
	return limit.New(client, limit.Config{
		BaseURL: cfg.Analysis.BaseURL, Model: cfg.Analysis.Model, Logger: logger,
		RequestsPerMinute: cfg.Analysis.RequestsPerMinute, TokensPerMinute: cfg.Analysis.TokensPerMinute,
	})
}

// newLimitRedis returns a client that asks once and gives up when it is told to: a call
// of the model does not wait for Redis.
func newLimitRedis(opts redis.UniversalOptions) redis.UniversalClient {
	opts.MaxRetries, opts.DialerRetries, opts.ContextTimeoutEnabled = -1, 1, true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewUniversalClient(&opts)
}

// newAnalyzer returns the analyzer and the language model behind it, which is nil for
// the offline engine.
func newAnalyzer(
	cfg *config.Config, db *store.Store, client redis.UniversalClient, seen *seen, logger *slog.Logger,
) (*analysis.Analyzer, *llm.Client, error) {
	c := analysis.Config{
		RawSamples: cfg.Analysis.RawSamples.Has, SkipCertain: cfg.Analysis.SkipCertain, MaxQuestions: cfg.Analysis.MaxQuestions,
	}
	if cfg.Analysis.FallbackOffline {
		c.Fallback = analysis.FallbackOffline
	}
	if cfg.Analysis.Offline {
		analyzer, err := analysis.New(db, nil, c)
		return analyzer, nil, err
	}
	limiter, err := newLimiter(cfg, client, logger)
	if err != nil {
		return nil, nil, err
	}
	model, err := newModel(cfg, db, limiter, seen.metrics, logger)
	if err != nil {
		return nil, nil, err
	}
	analyzer, err := analysis.New(db, model, c)
	return analyzer, model, err
}

// serviceParts are what a service needs beside store and analyzer.
type serviceParts struct {
	owner string
	ended func(schemaID int64) // hears of each schema whose task has ended
	seen  *seen
}

// newService returns the service, which is not started yet.
func newService(
	cfg *config.Config, db *store.Store, analyzer *analysis.Analyzer, parts serviceParts, logger *slog.Logger,
) (*run.Service, error) {
	confirm := run.ConfirmAlways
	if cfg.Analysis.ConfirmVerified {
		confirm = run.ConfirmVerified
	}
	handler, err := run.NewHandler(db, analyzer, run.HandlerConfig{
		Owner: parts.owner, Confirm: confirm, AnalysisTimeout: cfg.Analysis.Timeout, GiveUpAfter: cfg.Analysis.GiveUpAfter,
		TenantSlots: cfg.Worker.TenantConcurrency, Ended: parts.ended, Logger: logger,
		Observer: parts.seen.metrics, Tracer: parts.seen.tracing.Tracer(),
	})
	if err != nil {
		return nil, err
	}
	backfill := cfg.Worker.Backfill
	if backfill == 0 {
		backfill = -1
	}
	return run.NewService(cfg.Redis.Options(), handler, run.ServiceConfig{
		Slots: cfg.Worker.Concurrency, BackfillSlots: backfill, DrainTimeout: cfg.Worker.DrainTimeout,
		PollInterval: cfg.Worker.PollInterval, Logger: logger,
	})
}

// newRelay returns the relay and the publisher that it sends through.
func newRelay(
	cfg *config.Config, db *store.Store, owner string, seen *seen, logger *slog.Logger,
) (*broadcast.Relay, broadcast.Publisher, error) {
	c := broadcastConfig(cfg.Broadcast)
	publisher, err := broadcast.NewPublisher(c, logger)
	if err != nil {
		return nil, nil, err
	}
	renderer, err := broadcast.NewRenderer(c)
	if err != nil {
		return nil, nil, err
	}
	relay, err := broadcast.NewRelay(db, publisher, renderer, broadcast.RelayConfig{
		Owner: owner, Meter: db, Delivered: seen.metrics.Delivered, Tracer: seen.tracing.Tracer(), Log: logger,
	})
	return relay, publisher, err
}

// readiness are the checks of /readyz.
func readiness(db *store.Store, model *llm.Client, service *run.Service, keepers *keepers, relay *broadcast.Relay) []admin.Check {
	checks := []admin.Check{
		admin.NewCheck("database", db.Ping),
		admin.NewCheck("redis", service.Ping),
		admin.NewCheck("clock", keepers.watch.Check),
		admin.NewCheck("broadcast", func(context.Context) error {
			if s := relay.Status(); s.Health != broadcast.HealthOK {
				return &admin.DegradedError{Reason: s.Reason}
			}
			return nil
		}),
	}
	if model == nil {
		return checks
	}
	return append(checks, admin.NewCheck("model", func(context.Context) error {
		if err := model.Available(); err != nil {
			return &admin.DegradedError{Reason: err.Error()} // the runs wait for it
		}
		return nil
	}))
}

// stopTimeout is what the parts get for stopping, beside the drain.
const stopTimeout = 15 * time.Second
