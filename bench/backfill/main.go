// Backfill measures `enqueue backfill`: rows a second and peak memory of the command for
// a history of a million rows, how long the sweeper and the queue doctor take with all
// of them open, and how long an interactive analysis waits for its start meanwhile.
//
//	scripts/with-services.sh go run ./bench/backfill
//	go run ./bench/backfill -postgres URL -redis HOST:PORT -rows 200000 -latency
//
// It makes a database of its own and drops it at the end, and empties the logical
// database of Redis, 9 by default, which must be empty before. The programs are built from
// the sources. The services of with-services.sh do not sync to disk: name others for
// figures that are durable. It prints what they do.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/task"
)

const module = "github.com/schemacast/schemacast"

// fields are those of each row.
const fields = `[{"name":"id","type":"float","sample_value":7,"required":true},` +
	`{"name":"e_mail","type":"email","sample_value":"a@b.example","required":true},` +
	`{"name":"created_at","type":"datetime","sample_value":"2020-01-01T00:00:00Z","required":true},` +
	`{"name":"amount","type":"float","sample_value":12.5,"required":false}]`

type settings struct {
	postgres, redis, bin string
	db, rows, tenants    int
	failed               float64
	latency              bool
}

func main() {
	var s settings
	flag.StringVar(&s.postgres, "postgres", os.Getenv("SCHEMACAST_TEST_POSTGRES"), "URL of a PostgreSQL in which a database may be made")
	flag.StringVar(&s.redis, "redis", os.Getenv("REDIS_URL"), "address of a Redis, host:port or a URL; empty starts redis-server")
	flag.StringVar(&s.bin, "bin", "", "folder of the built programs; empty builds them")
	flag.IntVar(&s.db, "redis-db", 9, "logical database of Redis, which must be empty")
	flag.IntVar(&s.rows, "rows", 1_000_000, "rows of history")
	flag.IntVar(&s.tenants, "tenants", 1, "tenants that they belong to")
	flag.Float64Var(&s.failed, "failed", 0, "part of the rows that failed before, 0 to 1; the others are pending")
	flag.BoolVar(&s.latency, "latency", false, "run a worker meanwhile, and measure when interactive analyses start")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := measure(ctx, os.Stdout, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "backfill:", err)
		os.Exit(1)
	}
}

// bench is one installation.
type bench struct {
	settings
	out   io.Writer
	dsn   string
	env   []string
	db    *pgx.Conn
	redis *redis.Client
	store *store.Store
}

func measure(ctx context.Context, out io.Writer, s settings) (err error) {
	b := &bench{settings: s, out: out}
	cleanUp, err := b.prepare(ctx)
	defer func() { err = errors.Join(err, cleanUp()) }()
	if err != nil {
		return err
	}
	b.printConditions(ctx)
	var worker *exec.Cmd
	var probes *probes
	if s.latency {
		if worker, err = b.startWorker(ctx); err != nil {
			return err
		}
		defer func() { _ = worker.Process.Kill(); _ = worker.Wait() }()
		probes = b.newProbes()
		if err := probes.measure(ctx, "a worker and nothing else", idle(ctx)); err != nil {
			return err
		}
	}
	done := make(chan struct{})
	var result error
	go func() {
		defer close(done)
		result = b.backfill(ctx)
	}()
	if probes != nil {
		if err := probes.measure(ctx, "while the backfill is asked for", done); err != nil {
			return err
		}
		if err := probes.measure(ctx, "while workers have its backlog", idle(ctx)); err != nil {
			return err
		}
	}
	<-done
	if result != nil || s.latency {
		return result
	}
	return b.afterwards(ctx)
}

// prepare makes the database, the tables and the history.
func (b *bench) prepare(ctx context.Context) (cleanUp func() error, err error) {
	var undo []func() error
	cleanUp = func() (err error) {
		for i := len(undo) - 1; i >= 0; i-- {
			err = errors.Join(err, undo[i]())
		}
		return err
	}
	if b.postgres == "" {
		return cleanUp, errors.New("name a PostgreSQL with -postgres, or run it by scripts/with-services.sh")
	}
	dir, err := os.MkdirTemp("", "schemacast-bench-")
	if err != nil {
		return cleanUp, err
	}
	undo = append(undo, func() error { return os.RemoveAll(dir) })
	if b.bin == "" {
		b.bin = dir
		if err := command(ctx, nil, "go", "build", "-o", dir, module+"/cmd/worker", module+"/cmd/enqueue"); err != nil {
			return cleanUp, err
		}
	}
	if err := b.prepareRedis(ctx, dir, &undo); err != nil {
		return cleanUp, err
	}
	if err := b.prepareDatabase(ctx, &undo); err != nil {
		return cleanUp, err
	}
	b.env = []string{
		"DB_CONNECTION=pgsql", "DB_URL=" + b.dsn, "REDIS_URL=redis://" + b.redis.Options().Addr + fmt.Sprintf("/%d", b.settings.db),
		"BROADCAST_CONNECTION=null", "BROADCAST_CHANNEL=public", "ANALYSIS_ENGINE=offline", "HEALTH_ADDR=127.0.0.1:0", "LOG_LEVEL=error",
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "WORKER_CONCURRENCY=4",
	}
	if err := command(ctx, b.env, filepath.Join(b.bin, "worker"), "migrate", "--with-app-tables"); err != nil {
		return cleanUp, err
	}
	if b.store, err = store.Open(ctx, store.Config{Dialect: store.Postgres, DSN: b.dsn, MaxConns: 2}); err != nil {
		return cleanUp, err
	}
	undo = append(undo, b.store.Close)
	return cleanUp, b.fill(ctx)
}

func (b *bench) prepareRedis(ctx context.Context, dir string, undo *[]func() error) error {
	if b.settings.redis == "" {
		const port = "14999"
		server := exec.CommandContext(ctx, "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", dir,
			"--save", "", "--appendonly", "yes")
		if err := server.Start(); err != nil {
			return fmt.Errorf("start redis-server: %w; or name one with -redis", err)
		}
		*undo = append(*undo, func() error { _ = server.Process.Kill(); _ = server.Wait(); return nil })
		b.settings.redis = "127.0.0.1:" + port
	}
	addr := strings.TrimPrefix(b.settings.redis, "redis://")
	b.redis = redis.NewClient(&redis.Options{Addr: addr, DB: b.settings.db, MaxRetries: 10, ReadTimeout: time.Minute})
	*undo = append(*undo, b.redis.Close)
	if n, err := b.redis.DBSize(ctx).Result(); err != nil || n > 0 {
		return fmt.Errorf("the database %d of Redis at %s has %d keys, %w; choose an empty one with -redis-db", b.settings.db, addr, n, err)
	}
	*undo = append(*undo, func() error { return b.redis.FlushDB(context.WithoutCancel(ctx)).Err() })
	return nil
}

func (b *bench) prepareDatabase(ctx context.Context, undo *[]func() error) error {
	admin, err := pgx.Connect(ctx, b.postgres)
	if err != nil {
		return err
	}
	*undo = append(*undo, func() error { return admin.Close(context.WithoutCancel(ctx)) })
	name := fmt.Sprintf("schemacast_bench_%d", os.Getpid())
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return err
	}
	*undo = append(*undo, func() error {
		_, err := admin.Exec(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)")
		return err
	})
	address, err := url.Parse(b.postgres)
	if err != nil {
		return err
	}
	address.Path = "/" + name
	b.dsn = address.String()
	b.db, err = pgx.Connect(ctx, b.dsn)
	return err
}

// fill makes rows as an app that is some years old has them, of some 900 bytes.
func (b *bench) fill(ctx context.Context) error {
	for _, statement := range []string{
		fmt.Sprintf("INSERT INTO tenants (id, name, created_at) SELECT 'tenant-' || n, 'Tenant ' || n, now() FROM generate_series(0, %d) n", b.tenants-1),
		fmt.Sprintf(`INSERT INTO schemas (created_at, updated_at, hash, tenant_id, sample_data, detected_fields, kafka_topic, ai_analysis_status)
			SELECT '2021-01-01', '2021-01-01', substr(md5(n::text), 1, 16), 'tenant-' || n %% %d,
				json_build_object('id', n, 'e_mail', 'a' || n || '@b.example', 'created_at', '2020-01-01T00:00:00Z', 'amount', 12.5),
				'%s',
				'schema-x', CASE WHEN random() < %f THEN 'failed' ELSE 'pending' END
			FROM generate_series(1, %d) n`, b.tenants, fields, b.failed, b.rows),
		"VACUUM ANALYZE schemas", "CHECKPOINT",
	} {
		if _, err := b.db.Exec(ctx, statement); err != nil {
			return fmt.Errorf("make the history: %w", err)
		}
	}
	return nil
}

func (b *bench) printConditions(ctx context.Context) {
	var version, fsync, commit string
	_ = b.db.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')").Scan(&version, &fsync, &commit)
	appendOnly := b.redis.ConfigGet(ctx, "appendonly").Val()["appendonly"]
	_, _ = fmt.Fprintf(b.out, "PostgreSQL %s, fsync %s, synchronous_commit %s; Redis, appendonly %s; load %s\n", version, fsync, commit, appendOnly, load())
	_, _ = fmt.Fprintf(b.out, "%d rows of %d tenants, %.0f %% failed before\n", b.rows, b.tenants, 100*b.failed)
}

// backfill runs the command and prints what it took.
func (b *bench) backfill(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "enqueue"), "--env-file=", "--json", "backfill", "--yes")
	cmd.Env, cmd.Stderr = b.env, os.Stderr
	begun := time.Now()
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("enqueue backfill: %w: %s", err, out)
	}
	took := time.Since(begun)
	var doc struct {
		Tasks     int64
		Seconds   float64
		PerSecond int64 `json:"per_second"`
	}
	if err := json.Unmarshal(out, &doc); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(b.out, "backfill: %d rows/s in %.1f s, %.0f rows/s with start and count in %.1f s; peak memory %.1f MiB; %.1f s of CPU; load %s\n",
		doc.PerSecond, doc.Seconds, float64(b.rows)/took.Seconds(), took.Seconds(),
		peakMiB(cmd.ProcessState), cpu(cmd.ProcessState).Seconds(), load())
	return nil
}

// afterwards looks whether all is there, and what the keepers have to do with it.
func (b *bench) afterwards(ctx context.Context) error {
	var open int
	if err := b.db.QueryRow(ctx, "SELECT count(*) FROM schemacast_runs WHERE state = 'requested' AND active_schema_id = schema_id").Scan(&open); err != nil {
		return err
	}
	queued := b.redis.LLen(ctx, "asynq:{"+task.QueueBackfill+"}:pending").Val()
	memory := b.redis.Info(ctx, "memory").Val()
	_, memory, _ = strings.Cut(memory, "used_memory_human:")
	memory, _, _ = strings.Cut(memory, "\r\n")
	_, _ = fmt.Fprintf(b.out, "open runs %d, tasks %d; Redis holds %s\n", open, queued, memory)
	if open != b.rows || int(queued) != b.rows {
		return errors.New("some are missing")
	}
	sweeper, err := run.NewSweeper(b.store, b.redis, run.SweeperConfig{})
	if err != nil {
		return err
	}
	repairer, err := task.NewRepairer(b.redis, task.RepairerConfig{})
	if err != nil {
		return err
	}
	for _, statistics := range []string{"as they are", "after ANALYZE"} {
		if statistics == "after ANALYZE" {
			if _, err := b.db.Exec(ctx, "ANALYZE schemacast_runs"); err != nil {
				return err
			}
		}
		begun := time.Now()
		swept, err := sweeper.Sweep(ctx)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(b.out, "one sweep, statistics %s: %s, %d looked at\n", statistics, time.Since(begun).Round(time.Millisecond), swept.Looked)
	}
	begun := time.Now()
	found, err := repairer.Examine(ctx)
	_, _ = fmt.Fprintf(b.out, "one round of the queue doctor: %s, findings: %v\n", time.Since(begun).Round(time.Millisecond), found.Any())
	return err
}

func command(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	if cmd.Env = env; env == nil {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, args[0], err, out)
	}
	return nil
}
