package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

const module = "github.com/schemacast/schemacast"

// The app that scripts/with-services.sh gives to Soketi.
const soketiApp, soketiKey, soketiSecret = "ai-data-lake", "app-key", "app-secret"

// ground is what all measurements stand on: the services, the programs, and a database with
// all tables, of which each trial gets a copy.
type ground struct {
	settings
	dir       string // of the programs and logs
	admin     *pgx.Conn
	template  string
	databases int
	redis     *redis.Client
	redisAddr string
	model     *model
	undo      []func() error
}

func (g *ground) prepare(ctx context.Context) error {
	switch {
	case g.postgres == "":
		return errors.New("name a PostgreSQL with -postgres, or run it by scripts/with-services.sh")
	case g.soketi == "":
		return errors.New("name a Soketi with -soketi, or run it by scripts/with-services.sh")
	}
	var err error
	if g.dir, err = os.MkdirTemp("", "schemacast-bench-"); err != nil {
		return err
	}
	g.undo = append(g.undo, func() error { return os.RemoveAll(g.dir) })
	if g.model, err = startModel(ctx); err != nil {
		return err
	}
	g.undo = append(g.undo, g.model.close)
	if err := g.startRedis(ctx); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", g.dir, module+"/cmd/worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the worker: %w: %s", err, out)
	}
	return g.makeTemplate(ctx)
}

// close undoes what was prepared, in the opposite order.
func (g *ground) close() (err error) {
	for i := len(g.undo) - 1; i >= 0; i-- {
		err = errors.Join(err, g.undo[i]())
	}
	return err
}

// startRedis starts a Redis that keeps nothing on disk.
func (g *ground) startRedis(ctx context.Context) error {
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	program := g.redisServer
	if program == "" {
		program = "redis-server"
	}
	server := exec.CommandContext(ctx, program, "--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--dir", g.dir,
		"--save", "", "--appendonly", "no")
	if err := server.Start(); err != nil {
		return fmt.Errorf("start %s: %w; name the program with -redis-server", program, err)
	}
	g.undo = append(g.undo, func() error { _ = server.Process.Kill(); _ = server.Wait(); return nil })
	g.redisAddr = fmt.Sprintf("127.0.0.1:%d", port)
	g.redis = redis.NewClient(&redis.Options{
		Addr: g.redisAddr, MaxRetries: 10, MinRetryBackoff: 100 * time.Millisecond, ReadTimeout: time.Minute,
	})
	g.undo = append(g.undo, g.redis.Close)
	return g.redis.Ping(ctx).Err()
}

func freePort(ctx context.Context) (int, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil //nolint:forcetypeassert // it listens on TCP
}

func (g *ground) makeTemplate(ctx context.Context) (err error) {
	if g.admin, err = pgx.Connect(ctx, g.postgres); err != nil {
		return err
	}
	g.undo = append(g.undo, func() error { return g.admin.Close(context.WithoutCancel(ctx)) })
	if g.template, err = g.createDatabase(ctx, "template0"); err != nil {
		return err
	}
	migrate := exec.CommandContext(ctx, filepath.Join(g.dir, "worker"), "--env-file=", "migrate", "--with-app-tables")
	migrate.Env = g.environment(g.template)
	if out, err := migrate.CombinedOutput(); err != nil {
		return fmt.Errorf("migrate: %w: %s", err, out)
	}
	return g.makeHistory(ctx)
}

// createDatabase returns the name of a new database, which close drops.
func (g *ground) createDatabase(ctx context.Context, template string) (string, error) {
	g.databases++
	name := fmt.Sprintf("schemacast_bench_%d_%d", os.Getpid(), g.databases)
	if _, err := g.admin.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template+" STRATEGY FILE_COPY"); err != nil {
		return "", err
	}
	g.undo = append(g.undo, func() error { return g.dropDatabase(ctx, name) })
	return name, nil
}

func (g *ground) dropDatabase(ctx context.Context, name string) error {
	_, err := g.admin.Exec(context.WithoutCancel(ctx), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	return err
}

func (g *ground) dsn(database string) string {
	address, err := url.Parse(g.postgres)
	if err != nil {
		panic(err) // pgx has read it
	}
	address.Path = "/" + database
	return address.String()
}

// environment is that of a worker over a database. What is not here has its default.
func (g *ground) environment(database string, more ...string) []string {
	host, port, _ := strings.Cut(g.soketi, ":")
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir,
		"DB_CONNECTION=pgsql", "DB_URL=" + g.dsn(database), "REDIS_URL=redis://" + g.redisAddr,
		"BROADCAST_CONNECTION=pusher", "BROADCAST_CHANNEL=public", "PUSHER_SCHEME=http", "PUSHER_HOST=" + host, "PUSHER_PORT=" + port,
		"PUSHER_APP_ID=" + soketiApp, "PUSHER_APP_KEY=" + soketiKey, "PUSHER_APP_SECRET=" + soketiSecret,
		"OPENAI_BASE_URL=" + g.model.url + "/v1", "OPENAI_API_KEY=" + modelKey, "OPENAI_MODEL=stand-in",
		// Each schema is to cost its question: equal names would make it certain.
		"ANALYSIS_SKIP_MODEL=never",
	}, more...)
}
