package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/config"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
)

type checkCmd struct {
	NoLLM bool `name:"no-llm" help:"Leave the language model alone: its check costs a few tokens."`
}

// How long one part may take. A model on the own machine may have to be loaded first.
const (
	partTimeout  = 15 * time.Second
	modelTimeout = time.Minute
)

// maxClockDifference is far below the leases of tasks and claims, and far above what
// asking takes.
const maxClockDifference = 2 * time.Second

// Run tries every part of a worker and prints one line for each finding. It changes
// nothing. It fails when a worker could not do all of its work; warnings are for people.
func (c checkCmd) Run(ctx context.Context, p *program) error {
	quiet := *p
	quiet.stderr = io.Discard // the warnings are findings here
	cfg, err := quiet.load()
	if err != nil {
		return err
	}
	r := &report{out: p.stdout}
	checkConfig(r, cfg)
	for _, part := range []struct {
		timeout time.Duration
		check   func(context.Context, *report, *config.Config)
	}{{partTimeout, checkDatabase}, {partTimeout, checkRedis}, {partTimeout, checkBroadcast}, {modelTimeout, c.checkModel}} {
		ctx, cancel := context.WithTimeout(ctx, part.timeout)
		part.check(ctx, r, cfg)
		cancel()
	}
	if r.failures > 0 {
		return fmt.Errorf("%d of the checks above failed", r.failures)
	}
	return nil
}

// report prints findings as they are made.
type report struct {
	out      io.Writer
	failures int
}

func (r *report) ok(part, format string, args ...any) { r.line("ok", part, format, args...) }

func (r *report) warning(part, format string, args ...any) { r.line("warning", part, format, args...) }

func (r *report) failed(part string, err error) {
	r.failures++
	r.line("failed", part, "%v", err)
}

func (r *report) line(verdict, part, format string, args ...any) {
	say(r.out, "%-8s %-20s %s", verdict, part, fmt.Sprintf(format, args...))
}

// result is ok, or failed with the error.
func (r *report) result(part string, err error, format string, args ...any) {
	if err != nil {
		r.failed(part, err)
		return
	}
	r.ok(part, format, args...)
}

func checkConfig(r *report, cfg *config.Config) {
	for _, warning := range cfg.Warnings {
		r.warning("configuration", "%s", warning)
	}
	if len(cfg.Warnings) == 0 {
		r.ok("configuration", "complete; `worker config` prints it")
	}
}

func checkDatabase(ctx context.Context, r *report, cfg *config.Config) {
	db, err := openStore(ctx, cfg, nil)
	if err != nil {
		r.failed("database", err)
		return
	}
	defer func() { _ = db.Close() }()
	version, err := db.Version(ctx)
	r.result("database", err, "%s, version %s", cfg.Database, version)
	r.result("database tables", db.CheckTables(ctx), "the app's and ours are there")
	r.result("database privileges", db.CheckPrivileges(ctx), "the user may do what a worker does")
	checkTenants(ctx, r, db, cfg)
	ahead, err := db.ClockAhead(ctx)
	if err != nil {
		r.failed("database clock", err)
		return
	}
	checkClock(r, "database clock", ahead)
}

// checkTenants says nothing when the table is not there: that is told already.
func checkTenants(ctx context.Context, r *report, db *store.Store, cfg *config.Config) {
	switch unheard, err := unheardTenants(ctx, db, cfg); {
	case err != nil:
	case unheard != "":
		r.warning("tenants", "%s", unheard)
	case cfg.Broadcast.Publishes():
		r.ok("tenants", "their ids can be parts of channel names")
	}
}

func checkRedis(ctx context.Context, r *report, cfg *config.Config) {
	state, err := run.InspectRedis(ctx, cfg.Redis.Options())
	r.result("redis", err, "%s, version %s", cfg.Redis, orUnknown(state.Version))
	if err != nil {
		return
	}
	switch {
	case state.Policy == "":
		r.ok("redis eviction", "unknown: it does not say")
	case state.Policy != "noeviction" && state.MaxMemory != "0":
		r.warning("redis eviction", "%s: it may drop tasks when its memory is full; set maxmemory-policy noeviction", state.Policy)
	default:
		r.ok("redis eviction", "none")
	}
	switch {
	case state.SaveFailed:
		r.warning("redis persistence", "the last write to its disk failed, after which it may refuse tasks; see its log, and free the disk")
	case state.AppendOnly == "":
		r.ok("redis persistence", "unknown: it does not say")
	case state.AppendOnly == "0":
		r.warning("redis persistence", "a crash of it loses the tasks since its last snapshot; set appendonly yes")
	default:
		r.ok("redis persistence", "append only file")
	}
	if !state.ClockKnown {
		r.ok("redis clock", "unknown: it does not say")
		return
	}
	checkClock(r, "redis clock", state.ClockAhead)
}

// checkClock compares clocks: retries are due by the worker's, claims by the database's.
func checkClock(r *report, part string, ahead time.Duration) {
	if ahead.Abs() <= maxClockDifference {
		r.ok(part, "as ours")
		return
	}
	where := "ahead of"
	if ahead < 0 {
		where = "behind"
	}
	r.warning(part, "%s %s this machine's; synchronise both by NTP", ahead.Abs().Round(time.Second), where)
}

func checkBroadcast(ctx context.Context, r *report, cfg *config.Config) {
	if !cfg.Broadcast.Publishes() {
		return // the configuration has warned of it
	}
	publisher, err := broadcast.NewPublisher(broadcastConfig(cfg.Broadcast), slog.New(slog.DiscardHandler))
	if err != nil {
		r.failed("broadcast", err)
		return
	}
	defer publisher.Close()
	err = publisher.Check(ctx)
	var refusal *broadcast.PublishError // which has its cure
	if err != nil && !errors.As(err, &refusal) {
		err = fmt.Errorf("%w; start the server, or correct its host, port and scheme", err)
	}
	r.result("broadcast", err, "%s knows the credentials; channels are %s", cfg.Broadcast, cfg.Broadcast.Channel)
}

func (c checkCmd) checkModel(ctx context.Context, r *report, cfg *config.Config) {
	switch {
	case cfg.Analysis.Offline:
		r.ok("model", "none: the matcher analyses alone (ANALYSIS_ENGINE=offline)")
		return
	case c.NoLLM:
		r.ok("model", "%s at %s, not asked (--no-llm)", cfg.Analysis.Model, cfg.Analysis.BaseURL)
		return
	}
	model, err := newModel(cfg, nil, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		r.failed("model", err)
		return
	}
	defer model.Close()
	if err = model.Check(ctx); err != nil {
		err = fmt.Errorf("%s at %s: %w", cfg.Analysis.Model, cfg.Analysis.BaseURL, err)
	}
	if e := analysis.ModelErrorOf(err); e != nil && e.Kind == analysis.ModelUnavailable {
		err = fmt.Errorf("%w; start the server, or correct OPENAI_BASE_URL", err)
	}
	r.result("model", err, "%s at %s answers", cfg.Analysis.Model, cfg.Analysis.BaseURL)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
