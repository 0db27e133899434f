package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/admin"
	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/buildinfo"
	"github.com/schemacast/schemacast/internal/config"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
)

type runCmd struct {
	Embedded bool   `help:"Run Redis, the database and the event server inside this process: for trying things out."`
	Demo     bool   `help:"With --embedded: analyse the example files, and show what comes out."`
	Data     string `default:".schemacast" placeholder:"DIR" help:"With --embedded: folder of the database (${default})."`
	Examples string `default:"examples" placeholder:"DIR" help:"With --demo: folder of the files (${default})."`
}

// Validate is called by the command line parser.
func (c runCmd) Validate() error {
	if c.Demo && !c.Embedded {
		return errors.New("--demo shows the embedded mode; use it together with --embedded")
	}
	return nil
}

// Run runs a worker until ctx ends.
func (c runCmd) Run(ctx context.Context, p *program) error {
	if c.Embedded {
		return c.runEmbedded(ctx, p)
	}
	cfg, err := p.load()
	if err != nil {
		return err
	}
	w, err := newWorker(ctx, cfg, newLogger(cfg.Log, p.stderr))
	if err != nil {
		return err
	}
	return w.run(ctx, func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})
}

// newWorker opens the database and builds the parts around it.
func newWorker(ctx context.Context, cfg *config.Config, logger *slog.Logger) (*worker, error) {
	logger.Info("worker starts", "version", buildinfo.String(), "database", cfg.Database.String(), "redis", cfg.Redis.String(),
		"broadcast", cfg.Broadcast.String(), "engine", engine(cfg.Analysis), "app_env", cfg.AppEnv)
	redis.SetLogger(run.RedisLog{Logger: logger})
	link := &relayLink{owner: run.NewOwner()}
	db, err := openStore(ctx, cfg, link)
	if err != nil {
		return nil, err
	}
	w, err := build(ctx, cfg, db, link, logger)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return w, nil
}

func engine(a config.Analysis) string {
	if a.Offline {
		return "offline"
	}
	return "llm " + a.Model
}

// worker holds the parts of a running worker.
type worker struct {
	started   atomic.Bool
	db        *store.Store
	publisher broadcast.Publisher
	relay     *broadcast.Relay
	service   *run.Service
	keepers   *keepers
	health    *admin.Server
	ui        *dashboard            // nil without ADMIN_ADDR
	limits    redis.UniversalClient // counts what all workers ask of the model
	seen      *seen
	logger    *slog.Logger
	// unheard says which tenants' events nobody can hear.
	unheard func(context.Context) (string, error)
}

func build(ctx context.Context, cfg *config.Config, db *store.Store, link *relayLink, logger *slog.Logger) (*worker, error) {
	w := &worker{db: db, logger: logger, limits: newLimitRedis(cfg.Redis.Options())}
	var err error
	if w.seen, err = newSeen(ctx, cfg, link.owner, logger); err != nil {
		return nil, errors.Join(err, w.limits.Close())
	}
	if err := w.build(cfg, link); err != nil {
		return nil, errors.Join(err, w.limits.Close())
	}
	return w, nil
}

func (w *worker) build(cfg *config.Config, link *relayLink) error {
	db, logger := w.db, w.logger
	w.unheard = func(ctx context.Context) (string, error) { return unheardTenants(ctx, db, cfg) }
	analyzer, model, err := newAnalyzer(cfg, db, w.limits, w.seen, logger)
	if err != nil {
		return err
	}
	if w.relay, w.publisher, err = newRelay(cfg, db, link.owner, w.seen, logger); err != nil {
		return err
	}
	link.relay = w.relay
	// The keepers are there before the service starts.
	recheck := func(schemaID int64) { w.keepers.sweeper.Recheck(schemaID) }
	if w.service, err = newService(cfg, db, analyzer, serviceParts{owner: link.owner, ended: recheck, seen: w.seen}, logger); err != nil {
		return err
	}
	if w.keepers, err = newKeepers(cfg, db, link.owner, logger); err != nil {
		return err
	}
	w.health, err = admin.NewServer(cfg.Worker.HealthAddr, admin.ServerConfig{
		Alive: w.service.Alive, Draining: w.service.Draining, Logger: logger,
		Checks:  append(readiness(db, model, w.service, w.keepers, w.relay), admin.NewCheck("start", w.hasStarted)),
		Metrics: w.seen.metrics.Handler(),
	})
	if err != nil {
		return err
	}
	if err := w.watch(model); err != nil || cfg.Worker.AdminAddr == "" {
		return err
	}
	w.ui, err = newDashboard(cfg, db, logger)
	return err
}

// run starts the parts from the inside out, works until the signal ends ctx, and
// stops them in the opposite order. work is what goes on meanwhile.
func (w *worker) run(ctx context.Context, work func(context.Context) error) error {
	err := w.start(ctx)
	switch {
	case err == nil:
		err = work(ctx)
		w.logger.Info("a signal came; a second one ends the worker at once", "running", w.service.Running())
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		err = nil // told to stop while it started, which is no failure
	}
	// The parts get a fresh context: the signal ended the other one.
	return errors.Join(err, w.stop(context.WithoutCancel(ctx)))
}

func (w *worker) start(ctx context.Context) error {
	if err := w.db.CheckTables(ctx); err != nil {
		return err
	}
	if err := w.db.CheckPrivileges(ctx); err != nil {
		return err
	}
	if err := w.health.Start(ctx); err != nil {
		return err
	}
	w.logger.Info("health server started", "addr", w.health.Addr())
	if w.ui != nil {
		if err := w.ui.Start(ctx); err != nil {
			return err
		}
		w.logger.Info("admin server started", "addr", w.ui.Addr())
	}
	// A broadcast server that refuses us fails no analysis, so it is no reason to stay
	// down; it has to be seen, though.
	if err := w.publisher.Check(ctx); err != nil {
		w.logger.Warn("events can not be published", "error", err)
	}
	// Nor is a database that is away for a moment, now that its tables are checked.
	if problem, err := w.unheard(ctx); err != nil {
		w.logger.Warn("whether all tenants can be heard is not known", "error", err)
	} else if problem != "" {
		w.logger.Warn("events that nobody can hear", "problem", problem)
	}
	if err := w.relay.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the relay: %w", err)
	}
	// The others ride out a Redis that is away; a wrong address is told at once.
	if err := w.service.Ping(ctx); err != nil {
		return err
	}
	if err := w.keepers.prepare(ctx); err != nil {
		return err
	}
	if err := w.service.Start(ctx); err != nil {
		return err
	}
	if err := w.keepers.sweeper.Start(ctx); err != nil {
		return err
	}
	w.started.Store(true)
	return nil
}

// hasStarted is a check of /readyz: the health server answers before the other parts are
// there.
func (w *worker) hasStarted(context.Context) error {
	if !w.started.Load() {
		return errors.New("it has not started all its parts yet")
	}
	return nil
}

// stop ends the parts in the order in which work flows, so that what one still hands
// over is taken by the next: runs, their events, and only then the database.
func (w *worker) stop(ctx context.Context) error {
	err := errors.Join(w.keepers.stop(ctx), w.service.Stop(ctx), w.ui.stop(ctx))
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	err = errors.Join(err, w.relay.Stop(ctx))
	w.publisher.Close()
	w.seen.tracing.Stop(ctx)
	return errors.Join(err, w.health.Stop(ctx), w.limits.Close(), w.db.Close())
}

// migrate makes the tables and says what it did.
func (c migrateCmd) migrate(ctx context.Context, p *program, db *store.Store) error {
	if c.WithAppTables {
		if err := db.CreateAppTables(ctx); err != nil {
			return err
		}
		say(p.stdout, "the app's tables were made: tenants, users, schemas, schema_mappings")
	}
	applied, err := db.Migrate(ctx)
	if err != nil {
		return err
	}
	for _, m := range applied {
		say(p.stdout, "migrated to version %d (%s)", m.Version, m.Name)
	}
	version, err := db.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	say(p.stdout, "the schemacast_ tables have version %d, which is the newest that this program knows", version)
	return db.CheckTables(ctx)
}

func say(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}
