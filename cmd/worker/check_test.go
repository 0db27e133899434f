package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/testenv"
)

// checked is what one `worker check` said.
type checked struct {
	code           int
	stdout, stderr string
}

// check runs `worker check` with these variables and no others.
func check(t *testing.T, variables map[string]string, args ...string) checked {
	t.Helper()
	var stdout, stderr bytes.Buffer
	var environ []string
	for name, value := range variables {
		environ = append(environ, name+"="+value)
	}
	code := execute(t.Context(), append([]string{"check"}, args...), environ, &stdout, &stderr)
	return checked{code: code, stdout: stdout.String(), stderr: stderr.String()}
}

// want wants an exit code, and lines of a verdict and a part that have these texts.
func (c checked) want(t *testing.T, code int, lines ...[3]string) {
	t.Helper()
	if c.code != code {
		t.Errorf("exit code %d, want %d", c.code, code)
	}
	for _, want := range lines {
		if !c.has(want) {
			t.Errorf("no line says %q of %q with %q", want[0], want[1], want[2])
		}
	}
	if t.Failed() {
		t.Logf("it said:\n%s%s", c.stdout, c.stderr)
	}
}

func (c checked) has(want [3]string) bool {
	for line := range strings.Lines(c.stdout) {
		verdict, rest, _ := strings.Cut(line, " ")
		if verdict == want[0] && strings.HasPrefix(strings.TrimSpace(rest), want[1]+"  ") && strings.Contains(rest, want[2]) {
			return true
		}
	}
	return false
}

// offline is an environment in which all is well and no server is asked.
func offline(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"DB_CONNECTION": "sqlite", "DB_DATABASE": t.TempDir() + "/app.db", "REDIS_URL": "redis://" + miniredis.RunT(t).Addr(),
		"BROADCAST_CONNECTION": "null", "ANALYSIS_ENGINE": "offline",
	}
}

// with returns a copy of the variables with changes. Empty ones are taken out.
func with(variables map[string]string, changes ...string) map[string]string {
	changed := maps.Clone(variables)
	for i := 0; i < len(changes); i += 2 {
		if changed[changes[i]] = changes[i+1]; changes[i+1] == "" {
			delete(changed, changes[i])
		}
	}
	return changed
}

func migrate(t *testing.T, variables map[string]string) {
	t.Helper()
	if code, out := command(t, variables, "migrate", "--with-app-tables"); code != 0 {
		t.Fatalf("migrate: exit code %d: %s", code, out)
	}
}

// command runs a command that ends by itself, and returns its exit code and all that
// it printed.
func command(t *testing.T, variables map[string]string, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	var environ []string
	for name, value := range variables {
		environ = append(environ, name+"="+value)
	}
	code := execute(t.Context(), args, environ, &out, &out)
	return code, out.String()
}

// A worker that may not write must not start, and take claims that it can not make.
func TestRunRefusesAReadOnlyUser(t *testing.T) {
	t.Parallel()
	soketi := testenv.Soketi(t)
	owner := map[string]string{
		"DB_URL": testenv.Postgres(t), "REDIS_URL": "redis://" + testenv.Redis(t), "ANALYSIS_ENGINE": "offline", "HEALTH_ADDR": "127.0.0.1:0",
		"BROADCAST_CONNECTION": "pusher", "BROADCAST_CHANNEL": "public", "PUSHER_APP_ID": soketi.AppID, "PUSHER_APP_KEY": soketi.Key,
		"PUSHER_APP_SECRET": soketi.Secret, "PUSHER_HOST": soketi.Host, "PUSHER_PORT": fmt.Sprint(soketi.Port), "PUSHER_SCHEME": "http",
	}
	migrate(t, owner)
	code, out := command(t, with(owner, "DB_URL", readOnlyUser(t, owner["DB_URL"])), "run")
	if code != 1 || !strings.Contains(out, "GRANT INSERT, UPDATE ON schemas") {
		t.Errorf("run: exit code %d: %s", code, out)
	}
}

func TestCheckRealServices(t *testing.T) {
	t.Parallel()
	soketi, model, redisAddr := testenv.Soketi(t), llmtest.Start(t), testenv.Redis(t)
	good := map[string]string{
		"DB_URL": testenv.Postgres(t), "REDIS_URL": "redis://" + redisAddr,
		"BROADCAST_CONNECTION": "pusher", "BROADCAST_CHANNEL": "public", "PUSHER_APP_ID": soketi.AppID, "PUSHER_APP_KEY": soketi.Key,
		"PUSHER_APP_SECRET": soketi.Secret, "PUSHER_HOST": soketi.Host, "PUSHER_PORT": strconv.Itoa(soketi.Port), "PUSHER_SCHEME": "http",
		"OPENAI_BASE_URL": model.BaseURL(), "OPENAI_API_KEY": llmtest.Key, "OPENAI_MODEL": "llmtest",
	}
	migrate(t, good)
	check(t, good).want(t, 0,
		[3]string{"ok", "configuration", "complete"},
		[3]string{"ok", "database", "version 1"},
		[3]string{"ok", "database tables", ""},
		[3]string{"ok", "database privileges", ""},
		[3]string{"ok", "database clock", ""},
		[3]string{"ok", "redis", "version "},
		[3]string{"ok", "redis eviction", "none"},
		[3]string{"warning", "redis persistence", "set appendonly yes"},
		[3]string{"ok", "redis clock", ""},
		[3]string{"ok", "broadcast", "channels are public"},
		[3]string{"ok", "tenants", ""},
		[3]string{"ok", "model", "llmtest at " + model.BaseURL()},
	)
	if n := model.Count(); n != 1 {
		t.Errorf("the model was asked %d times, want once", n)
	}
	check(t, good, "--no-llm").want(t, 0, [3]string{"ok", "model", "not asked"})
	if n := model.Count(); n != 1 {
		t.Errorf("the model was asked in spite of --no-llm")
	}

	check(t, with(good, "PUSHER_APP_SECRET", "hunter2"), "--no-llm").want(t, 1,
		[3]string{"failed", "broadcast", "check PUSHER_APP_KEY and PUSHER_APP_SECRET"}, [3]string{"ok", "redis clock", ""})
	check(t, with(good, "PUSHER_APP_ID", "another"), "--no-llm").want(t, 1, [3]string{"failed", "broadcast", "check PUSHER_APP_ID"})
	check(t, with(good, "PUSHER_PORT", "1"), "--no-llm").want(t, 1, [3]string{"failed", "broadcast", "start the server"})
	check(t, with(good, "DB_URL", readOnlyUser(t, good["DB_URL"])), "--no-llm").want(t, 1,
		[3]string{"ok", "database", "reader_"},
		[3]string{"ok", "database tables", ""},
		[3]string{"failed", "database privileges", "GRANT INSERT, UPDATE ON schemas TO reader_"},
		[3]string{"failed", "database privileges", "GRANT USAGE ON SEQUENCE schemas_id_seq TO reader_"},
	)
	database(t, good["DB_URL"], "INSERT INTO tenants (id, name) SELECT 'acme.' || n, 'Acme' FROM generate_series(1, 7) n")
	check(t, good, "--no-llm").want(t, 0, [3]string{"ok", "tenants", ""})
	private := with(good, "BROADCAST_CHANNEL", "private")
	check(t, private, "--no-llm").want(t, 0, [3]string{"warning", "tenants", `events of 7 tenants: "acme.1" contains ".", at which`})
	check(t, private, "--no-llm").want(t, 0, [3]string{"warning", "tenants", "; and 2 more; give them ids of letters"})
	database(t, good["DB_URL"], "DELETE FROM tenants")
	database(t, good["DB_URL"], "DROP TABLE schema_mappings")
	check(t, good, "--no-llm").want(t, 1, [3]string{"failed", "database tables", "schema_mappings are missing"})
	check(t, with(good, "DB_URL", testenv.Postgres(t)), "--no-llm").want(t, 1,
		[3]string{"failed", "database tables", "worker migrate --with-app-tables"}, [3]string{"ok", "database privileges", ""})

	client := redis.NewClient(&redis.Options{Addr: redisAddr})
	defer func() { _ = client.Close() }()
	for name, value := range map[string]string{"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru", "requirepass": "right"} {
		if err := client.ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	check(t, with(good, "REDIS_URL", "redis://:right@"+redisAddr), "--no-llm").want(t, 1, // for the tables
		[3]string{"warning", "redis eviction", "set maxmemory-policy noeviction"})
	check(t, with(good, "REDIS_URL", "redis://:wrong@"+redisAddr), "--no-llm").want(t, 1, [3]string{"failed", "redis", "REDIS_PASSWORD"})
	check(t, good, "--no-llm").want(t, 1, [3]string{"failed", "redis", "set REDIS_PASSWORD"})
}

func TestCheckModel(t *testing.T) {
	t.Parallel()
	variables := offline(t)
	migrate(t, variables)
	model := llmtest.Start(t)
	variables = with(variables, "ANALYSIS_ENGINE", "", "OPENAI_BASE_URL", model.BaseURL(), "OPENAI_API_KEY", llmtest.Key)
	for _, c := range []struct {
		name string
		step llmtest.Step
		cure string
	}{
		{"wrong key", llmtest.Unauthorized(), "check OPENAI_API_KEY"},
		{"no model", llmtest.Status(http.StatusNotFound, `{"error":{"code":"model_not_found"}}`), "check OPENAI_MODEL"},
		{"no credit", llmtest.Quota(), "check its billing"},
	} {
		model.Script(c.step)
		t.Log(c.name)
		check(t, variables).want(t, 1, [3]string{"failed", "model", c.cure})
	}
	model.Close()
	check(t, variables).want(t, 1, [3]string{"failed", "model", "correct OPENAI_BASE_URL"})
}

// miniredis does not say what a Redis says.
func TestCheckUnknown(t *testing.T) {
	t.Parallel()
	variables := offline(t)
	check(t, variables).want(t, 1, [3]string{"failed", "database tables", "worker migrate --with-app-tables"})
	migrate(t, variables)
	c := check(t, variables)
	c.want(t, 0,
		[3]string{"warning", "configuration", "publishes nothing"},
		[3]string{"ok", "database privileges", ""},
		[3]string{"ok", "redis", "version unknown"},
		[3]string{"ok", "redis eviction", "unknown"},
		[3]string{"ok", "redis persistence", "unknown"},
		[3]string{"ok", "model", "matcher"},
	)
	if c.stderr != "" {
		t.Errorf("stderr has %q; everything is said on stdout", c.stderr)
	}
}

func TestCheckClocks(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]string{
		time.Second:       "ok       redis clock          as ours\n",
		10 * time.Second:  "warning  redis clock          10s ahead of this machine's; synchronise both by NTP\n",
		-10 * time.Minute: "warning  redis clock          10m0s behind this machine's; synchronise both by NTP\n",
	} {
		var out bytes.Buffer
		checkClock(&report{out: &out}, "redis clock", ahead)
		if got := out.String(); got != want {
			t.Errorf("a clock that is %s ahead: %q, want %q", ahead, got, want)
		}
	}
}

func TestCheckWrongConfiguration(t *testing.T) {
	t.Parallel()
	c := check(t, with(offline(t), "DB_DATABASE", "", "BROADCAST_CHANEL", "public"))
	c.want(t, 78)
	for _, want := range []string{"DB_DATABASE", "BROADCAST_CHANNEL?"} {
		if !strings.Contains(c.stderr, want) {
			t.Errorf("stderr has no %s: %s", want, c.stderr)
		}
	}
}

func TestCheckWrongPassword(t *testing.T) {
	t.Parallel()
	variables := with(offline(t), "DB_CONNECTION", "", "DB_DATABASE", "", "DB_URL",
		"pgsql://app:hunter2@"+refusingPostgres(t)+"/app?sslmode=disable")
	c := check(t, variables)
	c.want(t, 1, [3]string{"failed", "database", "DB_USERNAME and DB_PASSWORD"}, [3]string{"ok", "redis", ""})
	if strings.Contains(c.stdout+c.stderr, "hunter2") {
		t.Errorf("the password is printed:\n%s%s", c.stdout, c.stderr)
	}
}

// refusingPostgres is a PostgreSQL that refuses every password; the one of tests trusts
// everybody.
func refusingPostgres(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			backend := pgproto3.NewBackend(conn, conn)
			if _, err := backend.ReceiveStartupMessage(); err == nil {
				backend.Send(&pgproto3.ErrorResponse{
					Severity: "FATAL", Code: "28P01", Message: `password authentication failed for user "app"`,
				})
				_ = backend.Flush()
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-served })
	return listener.Addr().String()
}

// readOnlyUser makes a user who may read every table, and returns the address with it.
func readOnlyUser(t *testing.T, address string) string {
	t.Helper()
	name := fmt.Sprintf("reader_%d", time.Now().UnixNano())
	database(t, address, "CREATE ROLE "+name+" LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+name)
	t.Cleanup(func() { database(t, address, "DROP OWNED BY "+name, "DROP ROLE "+name) })
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(name)
	return u.String()
}

// database runs statements; also when the test cleans up, after its context has ended.
func database(t *testing.T, address string, statements ...string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
