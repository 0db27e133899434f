package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/admin"
	"github.com/schemacast/schemacast/internal/config"
	"github.com/schemacast/schemacast/internal/embedded"
	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/task"
)

const (
	demoTenant  = "demo"
	demoChannel = "tenant." + demoTenant + ".schemas"
	pageAddr    = "127.0.0.1:8080"
)

// runEmbedded runs a worker with services of its own. Only the addresses differ from
// a real one.
func (c runCmd) runEmbedded(ctx context.Context, p *program) (err error) {
	services, err := embedded.Start(ctx, embedded.Config{DataDir: c.Data, Production: isProduction(p.environ)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, services.Stop(context.WithoutCancel(ctx))) }()
	cfg, err := loadEmbedded(p, services)
	if err != nil {
		return err
	}
	w, err := newWorker(ctx, cfg, newLogger(cfg.Log, p.stderr))
	if err != nil {
		return err
	}
	if err := prepare(ctx, w.db); err != nil {
		return errors.Join(err, w.db.Close())
	}
	return w.run(ctx, func(ctx context.Context) error { return c.show(ctx, p, cfg, services, w.db) })
}

// isProduction says whether somebody said so: the default of APP_ENV does not count.
func isProduction(environ []string) bool {
	return slices.Contains(environ, "APP_ENV=production")
}

// leading are the variables that lead to services. In the embedded mode they are
// given, so others are not looked at.
var leading = []string{"DB_", "DATABASE_", "REDIS_", "BROADCAST_", "PUSHER_", "REVERB_", "APP_ENV", "HEALTH_ADDR", "ADMIN_", "VITE_PUSHER_"}

func isLeading(variable string) bool {
	return slices.ContainsFunc(leading, func(prefix string) bool { return strings.HasPrefix(variable, prefix) })
}

// loadEmbedded reads the configuration from the services and, for the rest, from the
// environment. A .env file is for real services.
func loadEmbedded(p *program, services *embedded.Services) (*config.Config, error) {
	q := *p
	q.envFile = ""
	q.environ = slices.DeleteFunc(slices.Clone(p.environ), isLeading)
	q.overrides = services.Environment()
	q.overrides["HEALTH_ADDR"] = "127.0.0.1:0"
	has := func(name string) bool {
		return slices.ContainsFunc(q.environ, func(entry string) bool {
			n, value, _ := strings.Cut(entry, "=")
			return n == name && value != ""
		})
	}
	if !has("OPENAI_API_KEY") && !has("OPENAI_API_KEY_FILE") && !has("OPENAI_BASE_URL") {
		q.overrides["ANALYSIS_ENGINE"] = "offline"
	}
	if !has("LOG_LEVEL") {
		q.overrides["LOG_LEVEL"] = "warn" // the events tell what happens
	}
	if !has("WORKER_DRAIN_TIMEOUT") {
		q.overrides["WORKER_DRAIN_TIMEOUT"] = "2s"
	}
	return q.load()
}

// prepare makes the tables that are missing, and the tenant.
func prepare(ctx context.Context, db *store.Store) error {
	version, err := db.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	if version == 0 {
		if err := db.CreateAppTables(ctx); err != nil {
			return err
		}
	}
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	return db.EnsureTenant(ctx, store.Tenant{ID: demoTenant, Name: "Demo"})
}

// show serves the page, prints events as they are sent, and runs the demo.
func (c runCmd) show(ctx context.Context, p *program, cfg *config.Config, services *embedded.Services, db *store.Store) error {
	options := cfg.Redis.Options()
	client := redis.NewUniversalClient(&options)
	defer func() { _ = client.Close() }()
	guests := newAudience()
	page, err := c.startPage(ctx, cfg, db, client, guests, newLogger(cfg.Log, p.stderr))
	if err != nil {
		return err
	}
	defer func() { _ = page.Stop(context.WithoutCancel(ctx)) }()
	_, err = services.Watch(ctx, demoChannel, func(_ string, data []byte) {
		if line := eventLine(data); line != "" {
			say(p.stdout, "%s", line)
		}
	})
	if err != nil {
		return err
	}
	say(p.stdout, "Schemacast runs with Redis, database and event server inside this process; its data is in %s.", c.Data)
	say(p.stdout, "Engine: %s\n", engineHint(cfg.Analysis))
	say(p.stdout, "Open http://%s to see it live.", page.Addr())
	if c.Demo {
		if isTerminal(p.stdout) {
			say(p.stdout, "The analysis of the files in %s begins then, or in %s.", c.Examples, curtain)
			guests.wait(ctx)
		}
		say(p.stdout, "")
		if err := c.runDemo(ctx, p, client, guests, db); err != nil || ctx.Err() != nil {
			return err
		}
	}
	say(p.stdout, "\nThe page at http://%s adds further sources. So does another terminal:\n", page.Addr())
	say(p.stdout, "  %sgo run ./cmd/enqueue --env-file %s file FILE.csv --tenant %s --wait\n", unset(p.environ), services.EnvFile(), demoTenant)
	say(p.stdout, "Ctrl-C ends it.")
	<-ctx.Done()
	return nil
}

func engineHint(a config.Analysis) string {
	if a.Offline {
		return "offline, the matcher alone; set OPENAI_API_KEY to let a language model decide"
	}
	hint := "a question is put up to 6 times while it is away, and twice while its answers are of no use; then the source fails"
	if a.FallbackOffline {
		hint = "the matcher alone decides where it fails"
	}
	return fmt.Sprintf("language model %s at %s; %s", a.Model, a.BaseURL, hint)
}

// unset is the start of a command that hides variables of this shell which would win
// over the file that leads to the embedded services.
func unset(environ []string) string {
	var text strings.Builder
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); value != "" && isLeading(name) && name != "APP_ENV" {
			text.WriteString("-u " + name + " ")
		}
	}
	if text.Len() == 0 {
		return ""
	}
	return "env " + text.String()
}

// startPage serves the dashboard of the demo's tenant. Nobody is asked for a token: it
// listens on loopback.
func (c runCmd) startPage(
	ctx context.Context, cfg *config.Config, db *store.Store, client redis.UniversalClient, guests *audience, logger *slog.Logger,
) (*admin.UI, error) {
	requests, err := newRequests(db, client, logger)
	if err != nil {
		return nil, err
	}
	uiConfig := newUIConfig(cfg, logger)
	uiConfig.Access, uiConfig.Samples, uiConfig.NextFreePort, uiConfig.Visited = admin.Access{Open: demoTenant}, true, true, guests.arrive
	page, err := admin.NewUI(pageAddr, uiConfig, admin.Ports{
		Graphs: db, Tenants: db, Requests: requests, Sources: &sources{requests: requests, folder: filepath.Join(c.Examples, "more")},
	})
	if err != nil {
		return nil, err
	}
	return page, page.Start(ctx)
}

func (c runCmd) runDemo(ctx context.Context, p *program, client redis.UniversalClient, guests *audience, db *store.Store) error {
	producer, err := task.NewProducer(client, task.ProducerConfig{Name: "demo"})
	if err != nil {
		return err
	}
	d := &demo{db: db, producer: producer, folder: c.Examples, audience: guests, out: p.stdout}
	return d.run(ctx)
}
