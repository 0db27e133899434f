package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/testenv"
)

// What users get wrong: each is one clear sentence with the cure, the documented exit
// code, and nothing half written.
func TestRefusals(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	wide := strings.TrimSuffix(strings.Repeat("c,", 6000), ",")
	good := g.file("good.csv", customersCSV)
	for _, c := range []struct {
		name string
		code int
		want string
		args []string
	}{
		{"unknown tenant", 1, "Globex", []string{"file", good, "--tenant", "globx"}},
		{"no tenant", 2, "--tenant", []string{"file", good}},
		{"no file", 1, "no such file", []string{"file", "missing.csv", "--tenant", g.tenant}},
		{"empty", 1, "empty.csv", []string{"file", g.file("empty.csv", ""), "--tenant", g.tenant}},
		{"binary", 1, "binary.csv", []string{"file", g.file("binary.csv", "a,b\x00\x01\x02\x03\xff\xfe\n"), "--tenant", g.tenant}},
		{"ragged", 1, "line 3", []string{"file", g.file("ragged.csv", "a,b\n1,2\n1,2,3,4\n"), "--tenant", g.tenant}},
		{"header only", 1, "header", []string{"file", g.file("header.csv", "a,b\n"), "--tenant", g.tenant}},
		{"wide", 1, "5000", []string{"file", g.file("wide.csv", wide+"\n"+wide+"\n"), "--tenant", g.tenant}},
		{"scalars", 1, "scalars.json", []string{"file", g.file("scalars.json", "[1,2,3]"), "--tenant", g.tenant}},
		{"truncated", 1, "truncated.json", []string{"file", g.file("truncated.json", `[{"a":1},{"a":`), "--tenant", g.tenant}},
		{"one bad of two", 1, "empty.csv", []string{"file", good, g.file("empty.csv", ""), "--tenant", g.tenant}},
		{"name for two", 2, "--name", []string{"file", good, good, "--name", "x", "--tenant", g.tenant}},
		{"unknown schema", 1, "no schema has the id 99", []string{"schema", "99"}},
		{"bad id", 2, "abc", []string{"schema", "abc"}},
		{"no command", 2, "enqueue", nil},
		{"unknown queue", 2, "schemas-backfill", []string{"schema", "1", "--queue", "x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := (&ground{t: t, env: g.env}).want(c.code, c.want, "enqueue", c.args...)
			if o.stdout != "" || strings.Contains(o.stderr, "goroutine") || o.stderr == "" {
				t.Errorf("stdout: %q stderr: %q", o.stdout, o.stderr)
			}
		})
	}
	g.wantValue("0", "SELECT count(*) FROM schemas")
	g.wantValue("0", "SELECT count(*) FROM schemacast_runs")
}

func TestStartsThatAreRefused(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	with := func(changes ...string) *ground {
		env := map[string]string{}
		for name, value := range g.env {
			env[name] = value
		}
		for i := 0; i < len(changes); i += 2 {
			env[changes[i]] = changes[i+1]
		}
		return &ground{t: t, env: env}
	}
	with("OPENAI_API_KEY", "", "OPENAI_BASE_URL", "").want(78, "OPENAI_API_KEY", "worker")
	with("BROADCAST_CHANNEL", "").want(78, "BROADCAST_CHANNEL", "worker")
	with("WORKER_CONCURENCY", "3").want(78, "WORKER_CONCURRENCY", "worker")
	both := with("PUSHER_APP_SECRET", "", "BROADCAST_CHANNEL", "loud").run("worker")
	for _, want := range []string{"PUSHER_APP_SECRET", "loud"} {
		if both.code != 78 || !strings.Contains(both.stderr, want) {
			t.Errorf("two problems: exit %d: %s, want %s in it", both.code, both.stderr, want)
		}
	}
	with("DB_URL", "postgres://nobody:hunter2@127.0.0.1:1/none").want(1, "127.0.0.1", "worker")
	redisDown := with("REDIS_URL", "redis://:hunter2@127.0.0.1:1").want(1, "127.0.0.1:1", "worker")
	if strings.Contains(redisDown.stderr, "hunter2") {
		t.Errorf("the password is in %s", redisDown.stderr)
	}
	with("DB_URL", testenv.Postgres(t)).want(1, "worker migrate", "worker")
	g.want(1, "already", "worker", "migrate", "--with-app-tables")
	g.want(0, "worker", "worker", "--version")
	g.want(1, "", "worker", "-healthcheck")
	with("REDIS_URL", "redis://127.0.0.1:1").want(1, "run the same command again", "enqueue", "schema", fmt.Sprint(g.insert()))
	g.wantValue("requested", "SELECT state FROM schemacast_runs")
}

// insert adds a row as the app's ingestion does.
func (g *ground) insert() string {
	return g.value("INSERT INTO schemas (created_at, hash, tenant_id, sample_data, detected_fields) VALUES (now(), 'e2e', $1, '{\"a\":1}', '[{\"name\":\"a\",\"type\":\"float\"}]') RETURNING id", g.tenant)
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{"worker mi": "migrate", "worker run --emb": "--embedded", "enqueue file --create": "--create-tenant"} {
		program, _, _ := strings.Cut(line, " ")
		g := &ground{t: t, env: map[string]string{"COMP_LINE": line, "COMP_POINT": fmt.Sprint(len(line))}}
		g.want(0, want, program)
		(&ground{t: t}).want(0, "completion -c bash", program, "completion", "bash")
	}
}

// Events of a tenant whose channel nobody is admitted to are lost on everybody, and no
// error tells.
func TestWorkerNamesTenantsThatNobodyHears(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	g.env["BROADCAST_CHANNEL"] = "private"
	g.exec("INSERT INTO tenants (id, name) VALUES ('acme.eu', 'Acme')")
	w := g.start(t)
	w.says("events that nobody can hear")
	w.says("acme.eu")
	w.stop()
}
