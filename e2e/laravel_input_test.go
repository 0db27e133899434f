package e2e

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/testenv"
)

// wantSentence wants one sentence for people: no trace of a stack, no statement, no
// password, a full stop at its end.
func wantSentence(t *testing.T, text string, parts ...string) {
	t.Helper()
	text = strings.TrimSpace(text)
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not name %q", text, part)
		}
	}
	for _, never := range []string{"Stack trace", "#0", ".php", "insert into", "select ", "INSERT", "SELECT ", "hunter2", "\n"} {
		if strings.Contains(text, never) {
			t.Errorf("%q holds %q", text, never)
		}
	}
	if !strings.HasSuffix(text, ".") || len(text) > 500 {
		t.Errorf("%q is no sentence", text)
	}
}

// sentence is what the button's route answers when it does not do what it was asked.
func (a *laravel) sentence(status int, who user, id string) string {
	a.t.Helper()
	answer := decode[map[string]any](a.t, a.request(status, "POST", "/api/schemas/"+id+"/analyze", who, map[string]any{}))
	for _, key := range []string{"message", "reason"} {
		if text, ok := answer[key].(string); ok {
			return text
		}
	}
	a.t.Fatalf("no sentence in %v", answer)
	return ""
}

// What users get wrong is one sentence, through the command and through the route, and
// records nothing.
func TestLaravelWrongRequests(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	other := app.addTenant("-b", "Initech")
	who := app.addUser(app.tenant)
	row := func(name, tenant, set string) string {
		return app.value("INSERT INTO schemas (created_at, hash, tenant_id, sample_data, detected_fields, "+strings.Split(set, "=")[0]+") VALUES (now(), $1, $2, '{}', '[]', "+strings.Split(set, "=")[1]+") RETURNING id", name, tenant)
	}
	theirs := row("theirs", other, "name='x'")
	entity, rejected, disabled := row("e", app.tenant, "type='struct'"), row("r", app.tenant, "status='rejected'"), row("d", app.tenant, "ai_analysis_status='disabled'")
	for _, c := range []struct {
		name  string
		code  int
		parts []string
		args  []string
	}{
		{"unknown id", 1, []string{"4711"}, []string{"4711"}},
		{"another tenant's id", 1, []string{theirs}, []string{theirs, "--tenant=" + app.tenant}},
		{"no id", 2, []string{"abc"}, []string{"abc"}},
		{"id out of range", 2, []string{"99999999999999999999"}, []string{"99999999999999999999"}},
		{"negative id", 2, []string{"-5"}, []string{"--", "-5"}},
		{"nothing", 2, []string{"--pending"}, nil},
		{"both", 2, []string{"--pending"}, []string{entity, "--pending"}},
		{"unknown tenant", 2, []string{"nobody"}, []string{"--pending", "--tenant=nobody"}},
		{"unknown queue", 2, []string{"default", "schemas-backfill"}, []string{entity, "--queue=default"}},
		{"entity", 1, []string{entity, "entity"}, []string{entity}},
		{"rejected", 1, []string{rejected, "force"}, []string{rejected}},
		{"disabled", 1, []string{disabled, "force"}, []string{disabled}},
	} {
		o := app.artisan(append([]string{"schemacast:analyze"}, c.args...)...)
		if o.code != c.code {
			t.Errorf("%s: exit %d, want %d: %s%s", c.name, o.code, c.code, o.stdout, o.stderr)
		}
		first, _, _ := strings.Cut(strings.TrimSpace(o.stdout+o.stderr), "\n")
		wantSentence(t, first, c.parts...)
	}
	wantSentence(t, app.sentence(404, who, "4711"), "4711")
	// Whether the row of another tenant exists is not told.
	if unknown, foreign := app.sentence(404, who, "4711"), app.sentence(404, who, theirs); strings.ReplaceAll(unknown, "4711", theirs) != foreign {
		t.Errorf("unknown: %q, another tenant's: %q", unknown, foreign)
	}
	app.request(404, "GET", "/api/schemas/"+theirs+"/ai-recommendations", who, nil)
	wantSentence(t, app.sentence(409, who, entity), "entity")
	wantSentence(t, app.sentence(409, who, rejected), "rejected")
	app.request(401, "POST", "/api/schemas/"+entity+"/analyze", user{}, nil)
	app.wantValue("0", "SELECT count(*) FROM schemacast_runs")
	if keys := app.redis.Keys(t.Context(), "*").Val(); len(keys) > 0 {
		t.Errorf("Redis holds %v", keys)
	}
}

// Where a part of the installation is missing the sentence says which, and the cure;
// what the ingestion service posts is stored all the same.
func TestLaravelBrokenInstallations(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	who := app.addUser(app.tenant)
	id := app.post(app.tenant, columns("bridge_id bridge_span"), nil)
	app.exec("UPDATE schemas SET ai_analysis_status = 'failed' WHERE id = $1", id)
	broken := func(parts ...string) {
		t.Helper()
		wantSentence(t, app.sentence(503, who, id), parts...)
		o := app.artisan("schemacast:analyze", id)
		first, _, _ := strings.Cut(strings.TrimSpace(o.stdout+o.stderr), "\n")
		if o.code != 1 {
			t.Errorf("exit %d, want 1: %s", o.code, first)
		}
		wantSentence(t, first, parts...)
		app.wantArtisan(1, "", "schemacast:check")
	}
	app.exec("ALTER TABLE schemacast_runs RENAME TO elsewhere")
	broken("schemacast_runs", "migrate")
	app.exec("ALTER TABLE elsewhere RENAME TO schemacast_runs")
	app.exec("ALTER TABLE schemacast_runs RENAME COLUMN requested_by TO elsewhere")
	broken("requested_by", "migrate")
	app.exec("ALTER TABLE schemacast_runs RENAME COLUMN elsewhere TO requested_by")
	restore := app.asPoorUser()
	broken("permission denied", "schemacast")
	restore()
	app.server.Stop()
	broken(app.server.Addr, "start it")
	app.request(201, "POST", "/api/schemas", user{}, shape(app.tenant, columns("tunnel_id tunnel_length"), nil))
	app.wantValue("requested", "SELECT state FROM schemacast_runs WHERE schema_id = $1", id) // the sweeper takes it up
	app.server.Start()
	app.wantArtisan(0, "2", "schemacast:analyze", "--pending")
	app.start(t)
	app.ended()
	app.wantRow(id, good)
	app.wantArtisan(0, "ok", "schemacast:check")
}

// asPoorUser lets the application use a role that may read and write the app's tables
// and nothing of ours.
func (a *laravel) asPoorUser() (restore func()) {
	a.t.Helper()
	role := strings.ReplaceAll(a.tenant, "-", "_")
	a.exec("CREATE ROLE " + role + " LOGIN")
	a.t.Cleanup(func() {
		if _, err := a.db.Exec(context.Background(), "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
			a.t.Error(err)
		}
	})
	a.exec("GRANT SELECT, INSERT, UPDATE ON schemas, schema_mappings, tenants, users TO " + role)
	was := a.env["DB_USERNAME"]
	a.with("DB_USERNAME", role)
	a.configure()
	return func() {
		a.with("DB_USERNAME", was)
		a.configure()
	}
}

// What the app does to its own keys must not happen to tasks: a prefix, a serializer,
// compression.
func TestLaravelRedisOptionsOfTheApp(t *testing.T) {
	t.Parallel()
	for _, client := range []string{"phpredis", "predis"} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			app := newLaravel(t, testenv.Soketi(t))
			app.with("REDIS_CLIENT", client, "REDIS_PREFIX", "laravel_database_")
			app.configure()
			config, err := os.ReadFile(app.dir + "/config/database.php")
			if err != nil {
				t.Fatal(err)
			}
			if client == "phpredis" {
				app.write("config/database.php", strings.Replace(string(config), "'options' => [", "'options' => ['serializer' => \\Redis::SERIALIZER_IGBINARY, ", 1))
			}
			id := app.post(app.tenant, columns("ferry_id ferry_decks"), nil)
			for _, key := range app.redis.Keys(t.Context(), "*").Val() {
				if !strings.HasPrefix(key, "asynq:") {
					t.Errorf("Redis holds %s", key)
				}
			}
			app.start(t)
			app.ended()
			app.wantRow(id, good)
		})
	}
}

// The worker listens to one number of Redis' databases. An app that writes to another
// is told so by the check.
func TestLaravelOtherRedisDatabase(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	app.start(t)
	app.wantArtisan(0, "ok", "schemacast:check")
	app.with("REDIS_DB", "7")
	app.configure()
	o := app.wantArtisan(1, "database 7", "schemacast:check")
	first, _, _ := strings.Cut(strings.TrimSpace(o.stdout+o.stderr), "\n")
	if strings.HasSuffix(first, ": ok") {
		_, first, _ = strings.Cut(strings.TrimSpace(o.stdout+o.stderr), "\n")
	}
	wantSentence(t, first, "REDIS_DB", "database 7")
	app.post(app.tenant, columns("barge_id barge_load"), nil)
	there := redis.NewClient(&redis.Options{Addr: app.server.Addr, DB: 7})
	defer func() { _ = there.Close() }()
	if n := there.LLen(t.Context(), "asynq:{schemas}:pending").Val(); n != 1 {
		t.Errorf("%d tasks in database 7, want 1", n)
	}
}

// The five-minute path: the app's own migrations and ours through artisan, one .env for
// both, and nothing of Go's in between.
func TestLaravelOneEnvServesBoth(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	dsn := testenv.Postgres(t)
	app.with("DB_URL", dsn, "BROADCAST_CHANNEL_TEMPLATES", "") // an empty value in the file is none
	app.configure()
	app.wantArtisan(0, "create_schemacast_tables", "migrate", "--force")
	app.wantArtisan(0, "Nothing to migrate", "migrate", "--force")
	for _, args := range [][]string{{"migrate"}, {"check"}} {
		command := app.command("worker", args...)
		command.Dir, command.Env = app.dir, []string{"PATH=" + os.Getenv("PATH")}
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("worker %s in the application's folder: %v\n%s", args[0], err, out)
		}
	}
	var err error
	if app.db, err = pgx.Connect(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.db.Close(context.Background()) })
	tenant := app.addTenant("-new", "Hooli")
	app.start(t)
	id := app.post(tenant, columns("pier_id pier_length"), nil)
	app.ended()
	app.wantRow(id, good)
}
