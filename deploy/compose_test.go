// Package deploy has no code: it holds what a deployment needs, and the tests of the
// container files in the root, which need no Docker.
package deploy

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/config"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/testenv"
)

const root = ".."

// seedEnv is a .env as the Laravel app has it, with what its framework writes for
// "nothing", and with variables that are none of the worker's business.
const seedEnv = `APP_NAME=Laravel
APP_ENV=local
APP_KEY=base64:c2VjcmV0
LOG_LEVEL=debug
DB_CONNECTION=pgsql
DB_HOST=pgsql
DB_PORT=5432
DB_DATABASE=platform
DB_USERNAME=sail
DB_PASSWORD='pa$5 word'
DB_URL=null
REDIS_CLIENT=phpredis
REDIS_HOST=redis
REDIS_PASSWORD=null
REDIS_PORT=6379
MAIL_PASSWORD=null
BROADCAST_CONNECTION=pusher
BROADCAST_CHANNEL=public
PUSHER_APP_ID=ai-data-lake
PUSHER_APP_KEY=app-key
PUSHER_APP_SECRET=app-secret
PUSHER_HOST=soketi
PUSHER_PORT=6001
PUSHER_SCHEME=http
PUSHER_APP_CLUSTER=mt1
VITE_PUSHER_APP_KEY="${PUSHER_APP_KEY}"
VITE_PUSHER_HOST="${PUSHER_HOST}"
OPENAI_API_KEY="sk-${PUSHER_APP_KEY}"
`

// load reads docker-compose.yml as `docker compose` does with this .env and these files
// beside it.
func load(t *testing.T, env string, profiles []string, more ...string) (*types.Project, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(file, []byte(env), 0o600); err != nil {
		t.Fatal(err)
	}
	files := []string{filepath.Join(root, "docker-compose.yml")}
	for _, name := range more {
		files = append(files, filepath.Join(root, name))
	}
	options, err := cli.NewProjectOptions(files,
		cli.WithWorkingDirectory(root), cli.WithEnvFiles(file), cli.WithDotEnv, cli.WithProfiles(profiles))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}

func mustLoad(t *testing.T, env string, profiles ...string) *types.Project {
	t.Helper()
	project, err := load(t, env, profiles)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func standalone(t *testing.T) *types.Project { return mustLoad(t, seedEnv, "standalone") }

func environment(s types.ServiceConfig) map[string]string {
	values := map[string]string{}
	for name, value := range s.Environment {
		if value != nil {
			values[name] = *value
		}
	}
	return values
}

func TestServicesAndProfiles(t *testing.T) {
	t.Parallel()
	images := map[string]string{}
	for _, s := range standalone(t).Services {
		images[s.Name] = s.Image
	}
	want := map[string]string{
		"worker": "schemacast", "migrate": "schemacast", "postgres": "postgres:15", "redis": "redis:7-alpine",
		"soketi": "quay.io/soketi/soketi:1.6-16-debian", "asynqmon": "hibiken/asynqmon:0.7.2",
	}
	if diff := cmp.Diff(want, images); diff != "" {
		t.Errorf("services of the profile (-want +got):\n%s", diff)
	}
	// As `docker compose up worker` selects: nothing else starts, and nothing is waited for.
	alone, err := mustLoad(t, seedEnv).WithSelectedServices([]string{"worker"})
	if err != nil {
		t.Fatal(err)
	}
	alone = alone.WithoutUnresolvedOptionalDependencies()
	if names := alone.ServiceNames(); !slices.Equal(names, []string{"worker"}) || len(alone.Services["worker"].DependsOn) != 0 {
		t.Errorf("alone: services %v, dependencies %v", names, alone.Services["worker"].DependsOn)
	}
}

func TestStartOrder(t *testing.T) {
	t.Parallel()
	project := standalone(t)
	got := map[string]map[string]string{}
	for _, s := range project.Services {
		for name, d := range s.DependsOn {
			if got[s.Name] == nil {
				got[s.Name] = map[string]string{}
			}
			got[s.Name][name] = d.Condition
			if health := project.Services[name].HealthCheck; d.Condition == types.ServiceConditionHealthy && (health == nil || len(health.Test) == 0) {
				t.Errorf("%s waits for the health of %s, which has no check", s.Name, name)
			}
		}
	}
	want := map[string]map[string]string{
		"worker": {
			"redis": types.ServiceConditionHealthy, "postgres": types.ServiceConditionHealthy, "soketi": types.ServiceConditionHealthy,
			"migrate": types.ServiceConditionCompletedSuccessfully,
		},
		"migrate":  {"postgres": types.ServiceConditionHealthy},
		"asynqmon": {"redis": types.ServiceConditionHealthy},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
	if migrate := project.Services["migrate"]; migrate.Restart != "no" || !migrate.HealthCheck.Disable || migrate.Command[0] != "migrate" {
		t.Errorf("migrate runs %v, restarts %q", migrate.Command, migrate.Restart)
	}
}

func TestPortsAreOnLoopback(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	for _, s := range standalone(t).Services {
		for _, p := range s.Ports {
			got[s.Name] = append(got[s.Name], fmt.Sprintf("%s:%s:%d", p.HostIP, p.Published, p.Target))
		}
	}
	want := map[string][]string{
		"soketi": {"127.0.0.1:6001:6001", "127.0.0.1:9601:9601"}, "asynqmon": {"127.0.0.1:8980:8080"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("published ports (-want +got):\n%s", diff)
	}
}

func TestWorker(t *testing.T) {
	t.Parallel()
	worker := mustLoad(t, seedEnv).Services["worker"]
	if diff := cmp.Diff(types.HealthCheckTest{"CMD", "/worker", "-healthcheck"}, worker.HealthCheck.Test); diff != "" {
		t.Errorf("health check (-want +got):\n%s", diff)
	}
	drain, err := time.ParseDuration(environment(worker)["WORKER_DRAIN_TIMEOUT"])
	if err != nil {
		t.Fatal(err)
	}
	// Pulling ends, hurried runs end, asynq ends, and the parts end: 5 + 5 + 10 + 15 s.
	if grace := time.Duration(*worker.StopGracePeriod); grace < drain+40*time.Second {
		t.Errorf("stop_grace_period is %s, too short for a drain of %s", grace, drain)
	}
	if !worker.ReadOnly || !slices.Contains(worker.CapDrop, "ALL") || worker.Restart != types.RestartPolicyUnlessStopped {
		t.Errorf("read only %v, dropped capabilities %v, restart %q", worker.ReadOnly, worker.CapDrop, worker.Restart)
	}
	if worker.Build == nil || worker.Build.Args["COMMIT"] == nil {
		t.Error("the image is not built with the commit")
	}
}

// What the worker in the container gets is what a worker beside the .env reads.
func TestWorkerReadsTheAppsEnv(t *testing.T) {
	t.Parallel()
	got := environment(mustLoad(t, seedEnv).Services["worker"])
	for name := range got {
		if name == "APP_KEY" || strings.HasPrefix(name, "MAIL_") || strings.HasPrefix(name, "VITE_") && !strings.HasPrefix(name, "VITE_PUSHER_") {
			t.Errorf("%s is passed on, which is none of the worker's business", name)
		}
	}
	var environ []string
	for name, value := range got {
		environ = append(environ, name+"="+value)
	}
	cfg, err := config.Load(config.Source{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	if p := cfg.Database.Password.Reveal(); cfg.Database.Host != "pgsql" || p != "pa$5 word" {
		t.Errorf("database %s, password %q", cfg.Database, p)
	}
	if options := cfg.Redis.Options(); options.Addrs[0] != "redis:6379" || options.Password != "" {
		t.Errorf("redis %s with the password %q; null is none", cfg.Redis, options.Password)
	}
	if key := cfg.Analysis.APIKey.Reveal(); key != "sk-app-key" || cfg.Broadcast.Host != "soketi" || cfg.Worker.HealthAddr != ":8081" {
		t.Errorf("model key %q, %s, health on %s", key, cfg.Broadcast, cfg.Worker.HealthAddr)
	}
}

// Every setting can be given in .env, and none is invented here.
func TestWorkerGetsEverySetting(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"BROADCAST_DRIVER"} // of older apps; not in the example
	for _, match := range regexp.MustCompile(`(?m)^(?:# )?([A-Z][A-Z_]+)=`).FindAllStringSubmatch(string(text), -1) {
		if !strings.HasPrefix(match[1], "VITE_") {
			want = append(want, match[1])
		}
	}
	var env strings.Builder
	for _, name := range want {
		fmt.Fprintf(&env, "%s=x\n", name)
	}
	var got []string
	for name := range environment(mustLoad(t, env.String()).Services["worker"]) {
		got = append(got, name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("variables of the worker (-.env.example +docker-compose.yml):\n%s", diff)
	}
}

// The example starts everything once the engine is chosen.
func TestExampleEnv(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load(t, string(text), nil); err == nil || !strings.Contains(err.Error(), "set OPENAI_API_KEY in .env") {
		t.Errorf("without a key: %v", err)
	}
	project := mustLoad(t, string(text)+"ANALYSIS_ENGINE=offline\n", "standalone")
	worker, soketi := environment(project.Services["worker"]), environment(project.Services["soketi"])
	for name, service := range map[string]string{"DB_HOST": "postgres", "REDIS_HOST": "redis", "PUSHER_HOST": "soketi"} {
		if _, ok := project.Services[service]; !ok || worker[name] != service {
			t.Errorf("%s=%s, want the service %s", name, worker[name], service)
		}
	}
	for theirs, ours := range map[string]string{
		"SOKETI_DEFAULT_APP_ID": "PUSHER_APP_ID", "SOKETI_DEFAULT_APP_KEY": "PUSHER_APP_KEY", "SOKETI_DEFAULT_APP_SECRET": "PUSHER_APP_SECRET",
	} {
		if soketi[theirs] == "" || soketi[theirs] != worker[ours] {
			t.Errorf("%s=%q and %s=%q", theirs, soketi[theirs], ours, worker[ours])
		}
	}
	postgres := environment(project.Services["postgres"])
	if diff := cmp.Diff([]string{worker["DB_DATABASE"], worker["DB_USERNAME"], worker["DB_PASSWORD"]},
		[]string{postgres["POSTGRES_DB"], postgres["POSTGRES_USER"], postgres["POSTGRES_PASSWORD"]}); diff != "" {
		t.Errorf("the worker's database and the service's (-worker +postgres):\n%s", diff)
	}
}

// What has no usable default is asked for by name before anything starts.
func TestMissingVariables(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"DB_DATABASE": "DB_DATABASE", "DB_HOST": "DB_HOST", "REDIS_HOST": "REDIS_HOST", "BROADCAST_CONNECTION": "BROADCAST_CONNECTION",
		"BROADCAST_CHANNEL": "choose public, private or encrypted", "OPENAI_API_KEY": "ANALYSIS_ENGINE=offline",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := strings.Replace(seedEnv, "DB_URL=null\n", "", 1)
			env = regexp.MustCompile(`(?m)^`+name+`=.*\n`).ReplaceAllString(env, "")
			if _, err := load(t, env, nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("without %s: %v, want %q", name, err, want)
			}
		})
	}
	addresses := "DB_URL=pgsql://u:p@db/app\nREDIS_URL=redis://cache\nBROADCAST_DRIVER=log\nBROADCAST_CHANNEL=public\nOPENAI_BASE_URL=http://m/v1\n"
	if _, err := load(t, addresses, nil); err != nil {
		t.Errorf("addresses instead of single variables: %v", err)
	}
}

func TestJoinNetwork(t *testing.T) {
	t.Parallel()
	if _, err := load(t, seedEnv, nil, "deploy/join-network.yml"); err == nil || !strings.Contains(err.Error(), "APP_NETWORK") {
		t.Errorf("without a name: %v", err)
	}
	project, err := load(t, seedEnv+"APP_NETWORK=platform_default\n", nil, "deploy/join-network.yml")
	if err != nil {
		t.Fatal(err)
	}
	if network := project.Networks["default"]; network.Name != "platform_default" || !bool(network.External) {
		t.Errorf("the network is %+v", network)
	}
}

// The services as they are configured here, without their containers.

func TestRedisOptions(t *testing.T) {
	t.Parallel()
	addr, options := testenv.Redis(t), standalone(t).Services["redis"].Command[1:]
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = client.Close() }()
	for i := 0; i+1 < len(options); i += 2 {
		if err := client.ConfigSet(t.Context(), strings.TrimPrefix(options[i], "--"), options[i+1]).Err(); err != nil {
			t.Fatalf("%s: %v", options[i], err)
		}
	}
	state, err := run.InspectRedis(t.Context(), redis.UniversalOptions{Addrs: []string{addr}})
	if err != nil || state.AppendOnly != "1" || state.Policy != "noeviction" {
		t.Errorf("worker check sees %+v, %v", state, err)
	}
}

// The mounted file makes the tables that a worker finds good, after our own migration.
func TestPostgresMakesTheAppsTables(t *testing.T) {
	t.Parallel()
	var script string
	for _, volume := range standalone(t).Services["postgres"].Volumes {
		if strings.HasPrefix(volume.Target, "/docker-entrypoint-initdb.d/") && volume.ReadOnly {
			content, err := os.ReadFile(volume.Source)
			if err != nil {
				t.Fatal(err)
			}
			script = string(content)
		}
	}
	dsn := testenv.Postgres(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.PgConn().Exec(t.Context(), script).ReadAll(); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{Dialect: store.Postgres, DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for range 2 { // every `up` migrates
		if _, err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.CheckTables(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSoketiHealthCheck(t *testing.T) {
	t.Parallel()
	soketi := testenv.Soketi(t)
	node, err := exec.LookPath("node")
	if err != nil {
		testenv.Need(t, "node is not in PATH")
	}
	check := standalone(t).Services["soketi"].HealthCheck.Test
	if len(check) != 4 || check[0] != "CMD" || check[1] != "node" {
		t.Fatalf("the check is %q", check)
	}
	if !strings.Contains(check[3], "http://127.0.0.1:6001/") {
		t.Fatalf("the check asks elsewhere: %s", check[3])
	}
	healthy := func(addr string) bool {
		script := strings.Replace(check[3], "127.0.0.1:6001", addr, 1)
		return exec.CommandContext(t.Context(), node, check[2], script).Run() == nil
	}
	if !healthy(soketi.Addr()) {
		t.Error("a running Soketi is not healthy")
	}
	if healthy("127.0.0.1:1") {
		t.Error("where nobody listens it is healthy")
	}
	leaving := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"ok":false,"error":"The server is closing. Choose another server. :)","code":503}`))
	})
	if healthy(leaving) {
		t.Error("a Soketi that shuts down is healthy")
	}
}
