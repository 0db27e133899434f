package config

import (
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// base is the least that a worker needs.
var base = map[string]string{
	"DB_DATABASE": "lake", "DB_USERNAME": "app", "DB_PASSWORD": "hunter2",
	"BROADCAST_CONNECTION": "pusher", "BROADCAST_CHANNEL": "public",
	"PUSHER_APP_ID": "ai-data-lake", "PUSHER_APP_KEY": "app-key", "PUSHER_APP_SECRET": "hunter2", "PUSHER_HOST": "soketi",
	"OPENAI_API_KEY": "hunter2",
}

// environ lays pairs over base; an empty value removes the variable.
func environ(over map[string]string) []string {
	all := maps.Clone(base)
	maps.Copy(all, over)
	var list []string
	for name, value := range all {
		if value != "" {
			list = append(list, name+"="+value)
		}
	}
	return list
}

func load(t *testing.T, over map[string]string, needs ...Need) *Config {
	t.Helper()
	cfg, err := Load(Source{Environ: environ(over)}, needs...)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var plainly = cmp.Options{cmpopts.IgnoreUnexported(Config{}, Redis{}), cmpopts.EquateEmpty()}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	want := &Config{
		AppEnv: "production",
		Database: Database{
			Driver: "pgsql", Host: "127.0.0.1", Port: 5432, Name: "lake", Username: "app", Password: NewSecret("hunter2"), SSLMode: "prefer",
		},
		Redis: Redis{Addrs: []string{"127.0.0.1:6379"}},
		Broadcast: Broadcast{
			Connection: "pusher", Channel: "public", MaxBytes: 102400, AppID: "ai-data-lake", Key: "app-key", Secret: NewSecret("hunter2"),
			Host: "soketi", Port: 443, Secure: true, Cluster: "mt1",
			Browser: EventServer{Key: "app-key", Host: "soketi", Port: 443, Secure: true, Cluster: "mt1"},
		},
		Admin: Admin{Header: "X-Schemacast-Tenants", Asynqmon: AsynqmonRead, Bands: [2]float64{0.9, 0.7}},
		Analysis: Analysis{
			APIKey: NewSecret("hunter2"), BaseURL: "https://api.openai.com/v1", Model: "gpt-4.1-mini", Timeout: 5 * time.Minute,
			GiveUpAfter: 24 * time.Hour, SkipCertain: true, MaxQuestions: 20,
		},
		Worker: Worker{
			Concurrency: 32, Backfill: 8, DrainTimeout: 90 * time.Second, PollInterval: 50 * time.Millisecond, HealthAddr: "127.0.0.1:8081",
			SweepInterval: 10 * time.Second, RetainEvents: 24 * time.Hour, RetainAnswers: 30 * 24 * time.Hour, RetainRuns: 90 * 24 * time.Hour,
		},
		Log: Log{Level: slog.LevelInfo},
	}
	if diff := cmp.Diff(want, load(t, nil), plainly); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

// Whoever only enqueues is asked for nothing else, and not troubled by anything else.
func TestLoadProducer(t *testing.T) {
	t.Parallel()
	env := []string{
		"DB_DATABASE=lake", "DB_USERNAME=app", "PUSHER_PORT=many", "WORKER_CONCURENCY=1", "BROADCAST_CHANNEL=shout", "ANALYSIS_TIMEOUT=x",
	}
	cfg, err := Load(Source{Environ: env}, Producer()...)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		AppEnv:   "production",
		Database: Database{Driver: "pgsql", Host: "127.0.0.1", Port: 5432, Name: "lake", Username: "app", SSLMode: "prefer"},
		Redis:    Redis{Addrs: []string{"127.0.0.1:6379"}},
	}
	if diff := cmp.Diff(want, cfg, plainly); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if _, err := Load(Source{}, NeedRedis); err != nil {
		t.Errorf("a program that needs only Redis, with nothing set: %v", err)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	dotEnv := writeFile(t, "app.env", `
WORKER_CONCURRENCY=3
WORKER_BACKFILL_CONCURRENCY=3
WORKER_POLL_INTERVAL=3s
LOG_LEVEL=notice
LOG_FORMAT=json
HEALTH_ADDR=${POD_IP}:9000
REDIS_PASSWORD=null
DB_PASSWORD=pa$5word
`)
	cfg, err := Load(Source{
		Environ: append(environ(map[string]string{"DB_PASSWORD": ""}), "WORKER_CONCURRENCY=2", "WORKER_BACKFILL_CONCURRENCY=2",
			"POD_IP=10.0.0.7", "LOG_FORMAT="), // set to nothing: hides the file's, as for Laravel
		DotEnv:    dotEnv,
		Overrides: map[string]string{"WORKER_CONCURRENCY": "1", "LOG_LEVEL": ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Worker{
		Concurrency: 1, Backfill: 2, PollInterval: 3 * time.Second, DrainTimeout: 90 * time.Second, HealthAddr: "10.0.0.7:9000",
		SweepInterval: cfg.Worker.SweepInterval, RetainEvents: cfg.Worker.RetainEvents,
		RetainAnswers: cfg.Worker.RetainAnswers, RetainRuns: cfg.Worker.RetainRuns,
	}
	if diff := cmp.Diff(want, cfg.Worker); diff != "" {
		t.Errorf("worker (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Log{Level: slog.LevelInfo}, cfg.Log); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if !cfg.Redis.Password.IsEmpty() || cfg.Database.Password.Reveal() != "pa$5word" {
		t.Errorf("got passwords %q and %q, want none and %q", cfg.Redis.Password.Reveal(), cfg.Database.Password.Reveal(), "pa$5word")
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	good := writeFile(t, "password", "\n  pass word\n")
	cfg := load(t, map[string]string{"DB_PASSWORD": "", "DB_PASSWORD_FILE": good, "OPENAI_API_KEY": "", "OPENAI_API_KEY_FILE": good})
	if got := cfg.Database.Password.Reveal(); got != "pass word" {
		t.Errorf("got password %q", got)
	}
	for _, tt := range []struct {
		name, path, want string
	}{
		{"missing", "/nowhere/password", "DB_PASSWORD_FILE names \"/nowhere/password\", which does not exist"},
		{"folder", t.TempDir(), "which is no regular file"},
		{"empty", writeFile(t, "empty", " \n"), "which is empty"},
		{"two lines", writeFile(t, "two", "a\nb\n"), "which has more than one line"},
		{"large", writeFile(t, "large", strings.Repeat("x", 1<<17)), "which has 131072 bytes"},
	} {
		expect(t, tt.name, map[string]string{"DB_PASSWORD": "", "DB_PASSWORD_FILE": tt.path}, tt.want)
	}
	expect(t, "both", map[string]string{"DB_PASSWORD_FILE": good},
		"DB_PASSWORD is set (environment) and DB_PASSWORD_FILE is too (environment); keep one of them")
	expect(t, "only one complaint", map[string]string{"OPENAI_API_KEY": "", "OPENAI_API_KEY_FILE": "/nowhere"},
		"OPENAI_API_KEY_FILE names \"/nowhere\"")
}

// expect loads and compares the problems: each wanted text is the start or a part of
// one problem, in order, and there are no others.
func expect(t *testing.T, name string, over map[string]string, want ...string) {
	t.Helper()
	cfg, err := Load(Source{Environ: environ(over)})
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("%s: got %v, %v; want an *Error", name, cfg, err)
		return
	}
	if strings.Contains(err.Error(), "hunter") {
		t.Errorf("%s: a secret is in %q", name, err)
	}
	if e.ExitCode() != 78 {
		t.Errorf("%s: got exit code %d, want 78", name, e.ExitCode())
	}
	var got []string
	for i, p := range e.Problems {
		text := p.String()
		if i < len(want) && strings.Contains(text, want[i]) {
			text = want[i]
		}
		got = append(got, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: problems (-want +got):\n%s", name, diff)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range problems {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			expect(t, tt.name, tt.over, tt.want...)
		})
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Load(Source{Environ: []string{"DB_PORT=tcp://10.0.0.1:5432", "WORKER_CONCURENCY=4", "LOG_LEVEL=loud", "ANALYSIS_ENGINE=magic"}})
	want := `the configuration has 9 problems:
  WORKER_CONCURENCY is no setting; did you mean WORKER_CONCURRENCY?
  DB_PORT is "tcp://10.0.0.1:5432", which Kubernetes sets for a service of that name; set it in the pod, or enableServiceLinks: false
  DB_DATABASE is not set; set it to the name of the app's database
  DB_USERNAME is not set; set it to the user of the app's database
  BROADCAST_CONNECTION is not set; choose pusher (Soketi, Pusher), reverb, or log or null, which publish nothing
  BROADCAST_CHANNEL is not set; choose public (what the existing dashboard listens to; whoever knows the app key can listen too), ` +
		`private (whom the app admits) or encrypted
  ANALYSIS_ENGINE is "magic"; choose llm or offline
  OPENAI_API_KEY is not set; set it, or OPENAI_BASE_URL to a server without keys, or ANALYSIS_ENGINE=offline to do without a model
  LOG_LEVEL is "loud"; choose debug, info, warn or error`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestDotEnvProblems(t *testing.T) {
	t.Parallel()
	broken := writeFile(t, "app.env", "A=1\nPUSHER_APP_SECRET=\"hunter2\nB=2\n")
	for path, want := range map[string]string{
		broken:         "line 2 (PUSHER_APP_SECRET) has no closing double quote",
		"/nowhere/.en": "can not be read",
		t.TempDir():    "can not be read",
	} {
		_, err := Load(Source{Environ: environ(nil), DotEnv: path})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	// What may be in a file that can not be read is not missing.
	_, err := Load(Source{DotEnv: broken})
	if err == nil || strings.Contains(err.Error(), "is not set") {
		t.Errorf("got %v, want the problem of the file alone", err)
	}
	// Nobody has to have the default file.
	if _, err := Load(Source{Environ: environ(nil), DotEnv: ".env"}); err != nil {
		t.Error(err)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		over map[string]string
		want []string
	}{
		"none":           {nil, nil},
		"log":            {map[string]string{"BROADCAST_CONNECTION": "log", "BROADCAST_CHANNEL": ""}, []string{"BROADCAST_CONNECTION=log publishes nothing"}},
		"Laravel's null": {map[string]string{"BROADCAST_CONNECTION": "(null)"}, []string{"BROADCAST_CONNECTION=null publishes nothing"}},
		"samples":        {map[string]string{"BROADCAST_SAMPLES": "on"}, []string{"whoever knows the app key can read sample values"}},
		"http":           {map[string]string{"OPENAI_BASE_URL": "http://llm.example/v1"}, []string{"travel to llm.example in the clear"}},
		"loopback":       {map[string]string{"OPENAI_BASE_URL": "http://127.0.0.1:11434/v1"}, nil},
	} {
		got := load(t, tt.over).Warnings
		for i := range got {
			if i < len(tt.want) && strings.Contains(got[i], tt.want[i]) {
				got[i] = tt.want[i]
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got warnings %q, want %q", name, got, tt.want)
		}
	}
}
