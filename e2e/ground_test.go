// Package e2e runs the programs as users run them: real processes against real
// PostgreSQL, Redis and Soketi, a scripted language model, and a subscriber with the
// libraries of the app's dashboard.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/testenv"
)

// patience bounds every wait; a healthy run needs a fraction of it.
const patience = time.Minute

// programs are the binaries that users get, and faultyPrograms those that can be
// stopped and killed at named points. Both are built once, when they are needed.
var (
	programs       = build("schemacast-e2e-", "")
	faultyPrograms = build("schemacast-faults-", "failpoints")
)

var built struct {
	sync.Mutex
	dirs []string
}

func build(prefix, tags string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", prefix)
		if err != nil {
			return "", err
		}
		built.Lock()
		built.dirs = append(built.dirs, dir)
		built.Unlock()
		build := exec.Command("go", "build", "-tags", tags, "-o", dir, "../cmd/worker", "../cmd/enqueue")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
		return dir, nil
	})
}

// parallelTests is how many tests run at a time: they wait for processes and clocks
// more than they compute, so the number of processors says little.
const parallelTests = 8

func TestMain(m *testing.M) {
	flag.Parse()
	if !given("test.parallel") {
		_ = flag.Set("test.parallel", strconv.Itoa(parallelTests))
	}
	m.Run()
	for _, dir := range built.dirs {
		_ = os.RemoveAll(dir)
	}
}

// given says whether a flag stands on the command line.
func given(name string) (found bool) {
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// ground is one installation: databases of its own, and the environment that both
// programs are started with.
type ground struct {
	t      *testing.T
	llm    *llmtest.Server
	soketi testenv.SoketiApp
	tenant string
	db     *pgx.Conn
	redis  *redis.Client
	server *testenv.RedisServer
	env    map[string]string
	// build makes the programs.
	build func() (string, error)
	// ahead is how far in the future rows are created, so that no sweeper finds them
	// before they are asked for: an interval.
	ahead string
}

// newGround migrates an empty database with the worker and adds a tenant.
func newGround(t *testing.T, soketi testenv.SoketiApp, script ...llmtest.Step) *ground {
	t.Helper()
	dsn, server := testenv.Postgres(t), testenv.StartRedis(t)
	llm := llmtest.Start(t, script...)
	g := &ground{t: t, build: programs, llm: llm, soketi: soketi, server: server, tenant: fmt.Sprintf("e2e-%d", time.Now().UnixNano()), env: map[string]string{
		"DB_URL": dsn, "REDIS_URL": "redis://" + server.Addr, "LOG_LEVEL": "debug", "APP_ENV": "testing", "HEALTH_ADDR": "127.0.0.1:0",
		"BROADCAST_CONNECTION": "pusher", "BROADCAST_CHANNEL": "public", "PUSHER_APP_ID": soketi.AppID, "PUSHER_APP_KEY": soketi.Key,
		"PUSHER_APP_SECRET": soketi.Secret, "PUSHER_HOST": soketi.Host, "PUSHER_PORT": fmt.Sprint(soketi.Port), "PUSHER_SCHEME": "http",
		"OPENAI_BASE_URL": llm.BaseURL(), "OPENAI_API_KEY": llmtest.Key, "OPENAI_MODEL": "llmtest",
	}}
	g.want(0, "migrated", "worker", "migrate", "--with-app-tables")
	var err error
	if g.db, err = pgx.Connect(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	g.redis = redis.NewClient(&redis.Options{Addr: server.Addr})
	t.Cleanup(func() { _ = g.db.Close(context.Background()); _ = g.redis.Close() })
	g.exec("INSERT INTO tenants (id, name, created_at) VALUES ($1, 'Globex', now())", g.tenant)
	return g
}

func (g *ground) exec(sql string, args ...any) {
	g.t.Helper()
	if _, err := g.db.Exec(g.t.Context(), sql, args...); err != nil {
		g.t.Fatal(err)
	}
}

// value reads one value as text.
func (g *ground) value(sql string, args ...any) string {
	g.t.Helper()
	var v any
	if err := g.db.QueryRow(g.t.Context(), sql, args...).Scan(&v); err != nil {
		g.t.Fatalf("%s: %v", sql, err)
	}
	return fmt.Sprint(v)
}

func (g *ground) wantValue(want, sql string, args ...any) {
	g.t.Helper()
	if got := g.value(sql, args...); got != want {
		g.t.Errorf("%s = %q, want %q", sql, got, want)
	}
}

func (g *ground) command(program string, args ...string) *exec.Cmd {
	g.t.Helper()
	build := g.build
	if build == nil {
		build = programs
	}
	dir, err := build()
	if err != nil {
		g.t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, program), args...)
	cmd.Dir = g.t.TempDir() // no .env of somebody else
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir}
	for name, value := range g.env {
		if value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// output is what a finished program said.
type output struct {
	code           int
	stdout, stderr string
}

// run runs a program to its end.
func (g *ground) run(program string, args ...string) output {
	g.t.Helper()
	cmd := g.command(program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		g.t.Fatal(err)
	}
	return output{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// want runs a program and wants an exit code and a text in what it prints.
func (g *ground) want(code int, text, program string, args ...string) output {
	g.t.Helper()
	o := g.run(program, args...)
	if o.code != code || !strings.Contains(o.stdout+o.stderr, text) {
		g.t.Fatalf("%s %s: exit %d, want %d and %q\nstdout: %s\nstderr: %s", program, strings.Join(args, " "), o.code, code, text, o.stdout, o.stderr)
	}
	return o
}

// worker is a running worker process.
type worker struct {
	t      *testing.T
	cmd    *exec.Cmd
	log    *lockedBuffer
	ended  chan struct{}
	health string
	points string // the file that arms its failpoints
}

var healthLine = regexp.MustCompile(`health.*?addr"?[=:]"?(127\.0\.0\.1:\d+)`)

// start starts a worker and returns when it is ready. env are variables that this one
// is given besides, as NAME=value.
func (g *ground) start(t *testing.T, env ...string) *worker {
	t.Helper()
	w := g.spawn(t, env...)
	await(t, "the worker is ready", func() bool {
		if !w.listens() {
			return w.hasEnded()
		}
		response, err := http.Get(w.health + "/readyz")
		if err != nil {
			return w.hasEnded()
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	if w.hasEnded() {
		t.Fatalf("the worker ended: %s", w.log)
	}
	return w
}

// spawn starts a worker and waits for nothing.
func (g *ground) spawn(t *testing.T, env ...string) *worker {
	t.Helper()
	w := &worker{t: t, cmd: g.command("worker"), log: &lockedBuffer{}, ended: make(chan struct{})}
	w.points = filepath.Join(w.cmd.Dir, "failpoints")
	w.cmd.Env = append(append(w.cmd.Env, "SCHEMACAST_FAILPOINTS=@"+w.points), env...)
	w.cmd.Stdout, w.cmd.Stderr = w.log, w.log
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.ended)
		_ = w.cmd.Wait()
	}()
	t.Cleanup(func() {
		w.kill()
		if t.Failed() {
			t.Logf("log of the worker:\n%s", w.log)
		}
	})
	return w
}

// listens reads the address of /readyz from the log.
func (w *worker) listens() bool {
	match := healthLine.FindStringSubmatch(w.log.String())
	if match != nil {
		w.health = "http://" + match[1]
	}
	return match != nil
}

func (w *worker) hasEnded() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

func (w *worker) kill() {
	_ = w.cmd.Process.Kill()
	<-w.ended
}

// stop sends SIGTERM and wants exit code 0.
func (w *worker) stop() {
	w.t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Fatal(err)
	}
	select {
	case <-w.ended:
	case <-time.After(patience):
		w.t.Fatal("the worker did not stop")
	}
	if code := w.cmd.ProcessState.ExitCode(); code != 0 {
		w.t.Errorf("the worker exited with %d", code)
	}
}

// await polls a condition that another process brings about.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	awaitFor(t, patience, what, done)
}

func awaitFor(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	deadline := time.After(limit)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited %s until %s", limit, what)
		case <-ticker.C:
		}
	}
}

// file writes a source file and returns its path.
func (g *ground) file(name, content string) string {
	g.t.Helper()
	path := filepath.Join(g.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		g.t.Fatal(err)
	}
	return path
}

func decode[T any](t *testing.T, text []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
