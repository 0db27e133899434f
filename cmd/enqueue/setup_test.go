package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
)

func TestMain(m *testing.M) {
	redis.SetLogger(run.RedisLog{Logger: slog.New(slog.DiscardHandler)})
	goleak.VerifyTestMain(m)
}

// ground is a database with the tables, a Redis, and a tenant that is called Globex.
type ground struct {
	t       *testing.T
	db      *store.Store
	redis   *miniredis.Miniredis
	environ []string
}

func newGround(t *testing.T) *ground {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.db")
	db, err := store.Open(t.Context(), store.Config{Dialect: store.SQLite, DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	g := &ground{t: t, db: db, redis: miniredis.RunT(t)}
	g.environ = []string{"DB_CONNECTION=sqlite", "DB_DATABASE=" + path, "REDIS_URL=redis://" + g.redis.Addr()}
	g.must(db.CreateAppTables(t.Context()))
	_, err = db.Migrate(t.Context())
	g.must(err)
	_, _, err = db.CreateTenant(t.Context(), "Globex")
	g.must(err)
	return g
}

func (g *ground) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// worker analyses what is queued, offline, until the test ends.
func (g *ground) worker() {
	g.t.Helper()
	analyzer, err := analysis.New(g.db, nil, analysis.Config{})
	g.must(err)
	handler, err := run.NewHandler(g.db, analyzer, run.HandlerConfig{Owner: run.NewOwner()})
	g.must(err)
	service, err := run.NewService(redis.UniversalOptions{Addrs: []string{g.redis.Addr()}}, handler, run.ServiceConfig{})
	g.must(err)
	g.must(service.Start(g.t.Context()))
	g.t.Cleanup(func() {
		if err := service.Stop(context.Background()); err != nil {
			g.t.Error(err)
		}
	})
}

func (g *ground) file(name, content string) string {
	g.t.Helper()
	path := filepath.Join(g.t.TempDir(), name)
	g.must(os.WriteFile(path, []byte(content), 0o600))
	return path
}

// output is what a command left behind.
type output struct {
	code           int
	stdout, stderr string
}

func (g *ground) run(args ...string) output {
	g.t.Helper()
	return g.runWith(g.t.Context(), strings.NewReader(""), &stream{}, args...)
}

func (g *ground) runWith(ctx context.Context, stdin io.Reader, stderr *stream, args ...string) output {
	g.t.Helper()
	var stdout bytes.Buffer
	a := &app{environ: g.environ, stdin: stdin, stdout: &stdout, stderr: stderr, requester: "cli:test"}
	code := a.main(ctx, append([]string{"--env-file="}, args...))
	out := output{code: code, stdout: stdout.String(), stderr: stderr.String()}
	if strings.ContainsAny(out.stdout+out.stderr, "\x1b\x07\x00") {
		g.t.Errorf("enqueue %q steers the terminal: %q %q", args, out.stdout, out.stderr)
	}
	return out
}

// want runs a command and compares its exit code, and what it says in both streams.
func (g *ground) want(code int, text string, args ...string) output {
	g.t.Helper()
	out := g.run(args...)
	if out.code != code || !strings.Contains(out.stdout+out.stderr, text) {
		g.t.Errorf("enqueue %q: exit %d, want %d, and %q in\n%s%s", args, out.code, code, text, out.stdout, out.stderr)
	}
	return out
}

// wantQueued compares how many tasks wait in Redis.
func (g *ground) wantQueued(want int, queue string) {
	g.t.Helper()
	got, err := g.redis.List("asynq:{" + queue + "}:pending")
	if len(got) != want || (err != nil && want > 0) {
		g.t.Errorf("%s holds %q, %v, want %d tasks", queue, got, err, want)
	}
}

// stream is a stream that a test reads while a command writes.
type stream struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *stream) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the stream holds a text.
func (s *stream) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !strings.Contains(s.String(), text) {
		select {
		case <-deadline:
			t.Errorf("the stream holds %q, want %q in it", s.String(), text)
			return
		case <-ticker.C:
		}
	}
}
