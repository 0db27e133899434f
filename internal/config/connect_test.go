package config

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// connection is what pgx understood.
type connection struct {
	Host, Database, User, Password string
	Port                           uint16
	TLS                            bool
	Params                         map[string]string
}

func TestPostgresDSN(t *testing.T) {
	t.Parallel()
	named := map[string]string{"application_name": "schemacast"}
	for _, tt := range []struct {
		name string
		over map[string]string
		want connection
	}{
		{"variables", pairs("DB_SSLMODE=disable"), connection{"127.0.0.1", "lake", "app", "hunter2", 5432, false, named}},
		{
			"what needs quotes", pairs("DB_SSLMODE=disable", `DB_PASSWORD=a 'b' \c=d @/%?`, "DB_DATABASE=my lake"),
			connection{"127.0.0.1", "my lake", "app", `a 'b' \c=d @/%?`, 5432, false, named},
		},
		{"socket", pairs("DB_HOST=/run/postgresql"), connection{"/run/postgresql", "lake", "app", "hunter2", 5432, false, named}},
		{
			"address", pairs("DB_URL=postgres://admin:p%40ss@[::1]:5433/other?sslmode=require&application_name=me&charset=utf8",
				"DB_DATABASE=", "DB_USERNAME=", "DB_PASSWORD="),
			connection{"::1", "other", "admin", "p@ss", 5433, true, map[string]string{"application_name": "me"}},
		},
		{
			"older name, rest from the variables", pairs("DATABASE_URL=pgsql://db", "DB_SSLMODE=disable"),
			connection{"db", "lake", "app", "hunter2", 5432, false, named},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := load(t, tt.over, NeedDatabase)
			pg, err := pgx.ParseConfig(cfg.Database.PostgresDSN().Reveal())
			if err != nil {
				t.Fatal(err)
			}
			got := connection{pg.Host, pg.Database, pg.User, pg.Password, pg.Port, pg.TLSConfig != nil, pg.RuntimeParams}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("connection (-want +got):\n%s", diff)
			}
		})
	}
}

// An address in the environment of a container wins over what the app's .env says in
// single variables; in the same place they would contradict each other.
func TestAddressOverDotEnv(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "app.env", "DB_HOST=127.0.0.1\nDB_DATABASE=laravel\nDB_USERNAME=laravel\nDB_PASSWORD=x\nREDIS_HOST=127.0.0.1\nREDIS_TLS=off\n")
	cfg, err := Load(Source{Environ: []string{"DB_URL=pgsql://app:hunter2@db/lake", "REDIS_URL=rediss://cache:6380/1"}, DotEnv: path}, Producer()...)
	if err != nil {
		t.Fatal(err)
	}
	want := Database{Driver: "pgsql", Host: "db", Port: 5432, Name: "lake", Username: "app", Password: NewSecret("hunter2"), SSLMode: "prefer"}
	if diff := cmp.Diff(want, cfg.Database); diff != "" {
		t.Errorf("database (-want +got):\n%s", diff)
	}
	if got := cfg.Redis.String(); got != "redis cache:6380, database 1, TLS" {
		t.Errorf("got %s", got)
	}
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	for _, over := range []map[string]string{
		pairs("DB_CONNECTION=sqlite", "DB_DATABASE=/data/lake.db"), pairs("DB_URL=sqlite:///data/lake.db", "DB_DATABASE="),
	} {
		cfg := load(t, over, NeedDatabase)
		if diff := cmp.Diff(Database{Driver: "sqlite", Name: "/data/lake.db"}, cfg.Database); diff != "" {
			t.Errorf("%v: database (-want +got):\n%s", over, diff)
		}
	}
}

func TestRedisOptions(t *testing.T) {
	t.Parallel()
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	for _, tt := range []struct {
		name string
		over map[string]string
		want redis.UniversalOptions
		text string
	}{
		{"default", nil, redis.UniversalOptions{Addrs: []string{"127.0.0.1:6379"}}, "redis 127.0.0.1:6379"},
		{
			"variables", pairs("REDIS_HOST=tls://cache", "REDIS_PORT=6380", "REDIS_USERNAME=app", "REDIS_PASSWORD=hunter2", "REDIS_DB=2"),
			redis.UniversalOptions{Addrs: []string{"cache:6380"}, Username: "app", Password: "hunter2", DB: 2, TLSConfig: secure},
			"redis cache:6380, database 2, TLS",
		},
		{"socket", pairs("REDIS_HOST=/run/redis.sock"), redis.UniversalOptions{Addrs: []string{"/run/redis.sock"}}, "redis /run/redis.sock"},
		{"version 6 address", pairs("REDIS_HOST=::1"), redis.UniversalOptions{Addrs: []string{"[::1]:6379"}}, "redis [::1]:6379"},
		{
			"address", pairs("REDIS_URL=redis://:p%40ss@cache:6380/3"),
			redis.UniversalOptions{Addrs: []string{"cache:6380"}, Password: "p@ss", DB: 3}, "redis cache:6380, database 3",
		},
		{
			"sentinels", pairs("REDIS_SENTINEL_ADDRS=a:26379, b:26379", "REDIS_SENTINEL_PASSWORD=hunter2", "REDIS_PASSWORD=null"),
			redis.UniversalOptions{Addrs: []string{"a:26379", "b:26379"}, MasterName: "mymaster", SentinelPassword: "hunter2"},
			"redis master mymaster of sentinels a:26379,b:26379",
		},
		{
			"sentinels by Laravel's words", pairs("REDIS_SENTINEL_ADDRS=a:26379", "REDIS_SENTINEL_SERVICE=lake", "REDIS_SCHEME=tls", "REDIS_SERVER_NAME=cache"),
			redis.UniversalOptions{
				Addrs: []string{"a:26379"}, MasterName: "lake", TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "cache"},
			},
			"redis master lake of sentinels a:26379, TLS",
		},
		{
			"cluster", pairs("REDIS_CLUSTER_ADDRS=a:1", "REDIS_TLS=yes"),
			redis.UniversalOptions{Addrs: []string{"a:1"}, IsClusterMode: true, TLSConfig: secure}, "redis cluster a:1, TLS",
		},
		{
			"cluster address", pairs("REDIS_URL=redis://a:1?addr=b:2"),
			redis.UniversalOptions{Addrs: []string{"a:1", "b:2"}, IsClusterMode: true}, "redis cluster a:1,b:2",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := load(t, tt.over, NeedRedis)
			if diff := cmp.Diff(tt.want, cfg.Redis.Options(), cmpopts.IgnoreUnexported(tls.Config{})); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.text, cfg.Redis.String()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBroadcast(t *testing.T) {
	t.Parallel()
	app := Broadcast{
		Connection: "pusher", Channel: "public", AppID: "ai-data-lake", Key: "app-key", Secret: NewSecret("hunter2"), Cluster: "mt1",
	}
	soketi, cloud, reverb := app, app, app
	soketi.Host, soketi.Port, soketi.MaxBytes, soketi.Samples = "127.0.0.1", 6001, 102400, true
	soketi.Templates = []string{"user.{requested_by}.schemas", "t.{tenant_id}", "x.{tenant_id}"}
	cloud.Port, cloud.Secure, cloud.MaxBytes, cloud.Cluster = 443, true, 10240, "eu"
	reverb.Connection, reverb.Host, reverb.Port, reverb.MaxBytes, reverb.Cluster = "reverb", "ws.example.com", 8080, 9000, ""
	for _, tt := range []struct {
		name string
		over map[string]string
		want Broadcast
		text string
	}{
		{
			"soketi", pairs("PUSHER_HOST=127.0.0.1", "PUSHER_SCHEME=http", "BROADCAST_SAMPLES=(true)",
				"BROADCAST_CHANNEL_TEMPLATES=user.{requested_by}.schemas, t.{tenant_id} x.{tenant_id}"), soketi, "pusher 127.0.0.1:6001",
		},
		{"cloud, by the old name", pairs("PUSHER_HOST=null", "PUSHER_APP_CLUSTER=eu", "BROADCAST_CONNECTION=", "BROADCAST_DRIVER=pusher"), cloud, "pusher cluster eu"},
		{
			"reverb", pairs("BROADCAST_CONNECTION=reverb", "REVERB_APP_ID=ai-data-lake", "REVERB_APP_KEY=app-key", "REVERB_APP_SECRET=hunter2",
				"REVERB_HOST=ws.example.com", "REVERB_SCHEME=http", "PUSHER_PORT=0"), reverb, "reverb ws.example.com:8080",
		},
		{"nothing", pairs("BROADCAST_CONNECTION=null", "BROADCAST_CHANNEL="), Broadcast{Connection: "null", Channel: "public", MaxBytes: 102400}, "null"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := load(t, tt.over, NeedBroadcast)
			if diff := cmp.Diff(tt.want, cfg.Broadcast, cmpopts.IgnoreFields(Broadcast{}, "Browser")); diff != "" {
				t.Errorf("broadcast (-want +got):\n%s", diff)
			}
			if got := cfg.Broadcast.String(); got != tt.text {
				t.Errorf("got %q, want %q", got, tt.text)
			}
		})
	}
}

func TestAnalysis(t *testing.T) {
	t.Parallel()
	cfg := load(t, pairs("OPENAI_API_KEY=", "OPENAI_BASE_URL=http://localhost:11434/v1/", "ANALYSIS_RAW_SAMPLES=acme, t2",
		"ANALYSIS_CONFIRM=verified", "ANALYSIS_FALLBACK=offline"), NeedAnalysis)
	want := Analysis{
		ConfirmVerified: true, FallbackOffline: true, SkipCertain: true, MaxQuestions: 20, RawSamples: Tenants{IDs: []string{"acme", "t2"}},
		Timeout: cfg.Analysis.Timeout, GiveUpAfter: cfg.Analysis.GiveUpAfter, BaseURL: "http://localhost:11434/v1", Model: "gpt-4.1-mini",
	}
	if diff := cmp.Diff(want, cfg.Analysis); diff != "" {
		t.Errorf("analysis (-want +got):\n%s", diff)
	}
	if r := cfg.Analysis.RawSamples; !r.Has("t2") || r.Has("t") || r.Has("") {
		t.Errorf("%+v has the wrong tenants", r)
	}
	if offline := load(t, pairs("OPENAI_API_KEY=", "ANALYSIS_ENGINE=offline", "ANALYSIS_RAW_SAMPLES=all"), NeedAnalysis).Analysis; !offline.Offline ||
		offline.BaseURL != "" || !offline.RawSamples.Has("anybody") {
		t.Errorf("got %+v, want the offline engine", offline)
	}
	bounded := load(t, pairs("ANALYSIS_REQUESTS_PER_MINUTE=500", "ANALYSIS_TOKENS_PER_MINUTE=200000", "ANALYSIS_GIVE_UP_AFTER=90m")).Analysis
	if bounded.RequestsPerMinute != 500 || bounded.TokensPerMinute != 200000 || bounded.GiveUpAfter != 90*time.Minute {
		t.Errorf("got %+v", bounded)
	}
	kept := load(t, pairs("WORKER_RETAIN_EVENTS=0", "WORKER_RETAIN_ANSWERS=1m", "WORKER_TENANT_CONCURRENCY=4", "WORKER_SWEEP_INTERVAL=1s"), NeedWorker).Worker
	if kept.RetainEvents != 0 || kept.RetainAnswers != time.Minute || kept.TenantConcurrency != 4 || kept.SweepInterval != time.Second {
		t.Errorf("got %+v", kept)
	}
	if got := load(t, pairs("ADMIN_ADDR=:0", "HEALTH_ADDR=:0", "ADMIN_TOKENS=0123456789abcdef=*"), NeedWorker).Worker; got.AdminAddr != ":0" || got.HealthAddr != ":0" {
		t.Errorf("got %+v", got)
	}
}
