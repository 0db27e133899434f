package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/testenv"
)

// The planted secrets. Their beginnings and ends tell where a part of one comes from, and
// they have what is escaped in addresses and in JSON.
var planted = map[string]string{
	"DB_PASSWORD":              "PlantDbAb&c %/+\"d'eDbTnalp9",
	"REDIS_PASSWORD":           "PlantRedisAb&c%/+\"deRedisTnalp8",
	"PUSHER_APP_SECRET":        "PlantPusher0123456789PusherTnalp7",
	"BROADCAST_ENCRYPTION_KEY": base64.StdEncoding.EncodeToString([]byte("PlantKey-0123456789-abcKeyTnalp6")),
	"OPENAI_API_KEY":           llmtest.Key,
	"ADMIN_TOKEN_ALL":          "PlantAll_0123456789_AllTnalp5",
	"ADMIN_TOKEN_ONE":          "PlantOne_0123456789_OneTnalp4",
	"wrong password":           "PlantWrongPassword&%/0123WrongTnalp3",
	"wrong key":                "sk-PlantKeyThatIsWrong-0123456789-KeyTnalp2",
	"wrong token":              "PlantTokenThatIsWrong_0123456789_TokTnalp1",
}

// witnessed collects everything that a reader could come by, and says what is in it.
type witnessed struct {
	t  *testing.T
	mu sync.Mutex
	by map[string]string // what was seen, by where
}

func (w *witnessed) add(where, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.by[where] += text + "\n"
}

func (w *witnessed) addOutput(where string, o output) { w.add(where, o.stdout+o.stderr) }

// forms are the ways in which a secret may be written, whole or cut.
func forms(secret string) []string {
	inJSON, _ := json.Marshal(secret) // a string always encodes
	list := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(string(inJSON), `"`), strings.Trim(fmt.Sprintf("%q", secret), `"`),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)), fmt.Sprintf("%x", secret),
	}
	if raw, err := base64.StdEncoding.DecodeString(secret); err == nil {
		list = append(list, string(raw))
	}
	const part = 10 // of the beginning and of the end
	for _, form := range slices.Clone(list) {
		list = append(list, form[:part], form[len(form)-part:])
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// tell fails the test for each secret that was seen.
func (w *witnessed) tell() {
	w.t.Helper()
	for _, where := range slices.Sorted(maps.Keys(w.by)) {
		for name, secret := range planted {
			for _, form := range forms(secret) {
				if at := strings.Index(w.by[where], form); at >= 0 {
					w.t.Errorf("%s tells %s: …%s…", where, name, w.by[where][max(0, at-120):min(len(w.by[where]), at+120)])
					break
				}
			}
		}
	}
}

// plantedGround is an installation whose every service wants its secret.
func plantedGround(t *testing.T) (*ground, *testenv.Recorder, *testenv.PostgresServer) {
	t.Helper()
	recorder := testenv.StartRecorder(t, nil)
	recorder.App.Secret = planted["PUSHER_APP_SECRET"]
	g := newGround(t, recorder.App)
	postgres := testenv.StartPostgres(t, testenv.PostgresConfig{Password: planted["DB_PASSWORD"]})
	g.server = testenv.StartRedis(t, "--requirepass", planted["REDIS_PASSWORD"])
	g.redis = redis.NewClient(&redis.Options{Addr: g.server.Addr, Password: planted["REDIS_PASSWORD"]})
	t.Cleanup(func() { _ = g.redis.Close() })
	host, port, _ := strings.Cut(postgres.Addr, ":")
	redisHost, redisPort, _ := strings.Cut(g.server.Addr, ":")
	maps.Copy(g.env, map[string]string{
		"DB_URL": "", "DB_HOST": host, "DB_PORT": port, "DB_DATABASE": "postgres", "DB_USERNAME": "postgres", "DB_SSLMODE": "disable",
		"DB_PASSWORD": planted["DB_PASSWORD"], "REDIS_URL": "", "REDIS_HOST": redisHost, "REDIS_PORT": redisPort,
		"REDIS_PASSWORD": planted["REDIS_PASSWORD"], "BROADCAST_CHANNEL": "encrypted",
		"BROADCAST_ENCRYPTION_KEY": planted["BROADCAST_ENCRYPTION_KEY"], "ADMIN_ADDR": "127.0.0.1:0", "WORKER_SWEEP_INTERVAL": "1s",
		"ADMIN_TOKENS": planted["ADMIN_TOKEN_ALL"] + "=* " + planted["ADMIN_TOKEN_ONE"] + "=" + g.tenant,
	})
	g.useDatabase(postgres.URL)
	return g, recorder, postgres
}

// No secret is in anything that the programs say, write or send, while all works and
// while each part of the installation refuses, breaks, or repeats what it was sent.
func TestNoSecretInAnyOutput(t *testing.T) {
	t.Parallel()
	g, recorder, postgres := plantedGround(t)
	seen := &witnessed{t: t, by: map[string]string{}}
	g.witnessCommands(seen)
	w := g.start(t)
	g.witnessRuns(seen, w)
	g.witnessOutages(seen, w, recorder, postgres)
	w.stop()
	seen.add("the worker's log", w.log.String())
	for n, message := range recorder.Messages() {
		seen.add(fmt.Sprintf("event %d", n), message.Channel+message.Event+string(message.Data))
	}
	g.witnessDatabases(seen)
	for where, want := range map[string]string{ // what must be there, so that nobody searches in nothing
		"the worker's log": "llmtest", "table schemacast_attempts": "does not accept the key", "table schemacast_events": "completed", "event 0": "tenant.", "redis": "asynq:",
		"the worker, wrong password of the database": "password authentication failed", "the worker, wrong password of redis": "WRONGPASS",
		"check, wrong key": "401", "config": "********", "/readyz, redis refuses": "redis",
	} {
		if !strings.Contains(strings.ToLower(seen.by[where]), strings.ToLower(want)) {
			t.Errorf("%s lacks %q: %.3000s", where, want, seen.by[where])
		}
	}
	seen.tell()
}

// witnessCommands runs the commands with right secrets, and with each of them wrong.
func (g *ground) witnessCommands(seen *witnessed) {
	g.t.Helper()
	seen.addOutput("config", g.want(0, "DB_PASSWORD", "worker", "config"))
	seen.addOutput("check", g.run("worker", "check"))
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "you sent "+r.Header.Get("Authorization"))
	}))
	g.t.Cleanup(echo.Close)
	redisURL := "redis://:" + url.QueryEscape(planted["wrong password"]) + "@" + g.server.Addr
	bad := url.QueryEscape(planted["wrong password"])
	for name, env := range map[string]map[string]string{
		"wrong password of the database":   {"DB_PASSWORD": planted["wrong password"]},
		"wrong password in its address":    {"DB_PASSWORD": "", "DB_URL": "pgsql://postgres:" + bad + "@" + g.env["DB_HOST"] + ":" + g.env["DB_PORT"] + "/postgres"},
		"database at no port":              {"DB_PORT": "1"},
		"an address that is none":          {"DB_URL": "pgsql://postgres:" + planted["wrong password"] + "@db:x/y"},
		"wrong password of redis":          {"REDIS_PASSWORD": planted["wrong password"]},
		"wrong password in redis' address": {"REDIS_PASSWORD": "", "REDIS_HOST": "", "REDIS_PORT": "", "REDIS_URL": redisURL},
		"redis at no port":                 {"REDIS_PORT": "1"},
		"redis' address that is none":      {"REDIS_URL": "redis://:" + planted["wrong password"] + "@cache:x"},
		"wrong secret of the events":       {"PUSHER_APP_SECRET": planted["wrong token"]},
		"events at no port":                {"PUSHER_PORT": "1"},
		"wrong encryption key":             {"BROADCAST_ENCRYPTION_KEY": planted["wrong token"]},
		"wrong key":                        {"OPENAI_API_KEY": planted["wrong key"], "OPENAI_BASE_URL": echo.URL + "/v1"},
		"key in the address":               {"OPENAI_BASE_URL": "https://:" + planted["wrong key"] + "@llm/v1"},
		"token without tenants":            {"ADMIN_TOKENS": planted["wrong token"]},
		"token of nobody":                  {"ADMIN_TOKENS": planted["wrong token"] + "=a,,b"},
		"secrets twice":                    {"DB_PASSWORD_FILE": g.file("password", planted["wrong password"])},
	} {
		other := g.with(g.t, env)
		seen.addOutput("check, "+name, other.run("worker", "check"))
		if !strings.Contains(name, "key") && !strings.Contains(name, "events") { // with these it starts
			seen.addOutput("the worker, "+name, other.run("worker"))
		}
		seen.addOutput("enqueue, "+name, other.run("enqueue", "schema", "1"))
	}
	files := map[string]string{}
	for _, name := range []string{"DB_PASSWORD", "REDIS_PASSWORD", "PUSHER_APP_SECRET", "BROADCAST_ENCRYPTION_KEY", "OPENAI_API_KEY", "ADMIN_TOKENS"} {
		files[name], files[name+"_FILE"] = "", g.file(name, g.env[name]+"\n")
	}
	seen.addOutput("config, from files", g.with(g.t, files).want(0, "DB_PASSWORD", "worker", "config"))
	seen.addOutput("check, from files", g.with(g.t, files).want(0, "", "worker", "check"))
}

// witnessRuns lets analyses succeed and fail, and reads what the API says of them.
func (g *ground) witnessRuns(seen *witnessed, w *worker) {
	g.t.Helper()
	g.llm.Script(llmtest.Good(), llmtest.Unauthorized(), llmtest.Unauthorized(), llmtest.Unauthorized())
	all := adminOf(g.t, w, planted["ADMIN_TOKEN_ALL"])
	one, nobody := adminOf(g.t, w, planted["ADMIN_TOKEN_ONE"]), adminOf(g.t, w, planted["wrong token"])
	g.want(0, "fields mapped", "enqueue", "file", g.file("customers.csv", customersCSV), "--tenant", g.tenant, "--wait")
	ids := g.add(shapes(1)...)
	g.enqueue(ids)
	g.asked(2)
	g.awaitValue("true", "SELECT count(*) > 0 FROM schemacast_attempts WHERE error_text <> ''")
	seen.addOutput("status", g.run("enqueue", append([]string{"status"}, ids...)...))
	for _, path := range []string{
		"/", "/api/config", "/api/tenants", "/api/tenants/" + g.tenant + "/graph", "/api/schemas/" + ids[0], "/asynqmon/", "/asynqmon/api/queues",
		"/asynqmon/api/queues/schemas", "/asynqmon/api/queues/schemas/retry_tasks", "/asynqmon/api/queues/schemas/archived_tasks",
		"/asynqmon/api/servers", "/asynqmon/api/redis_info", "/metrics", "/debug/pprof/cmdline",
	} {
		for who, user := range map[string]*adminUser{"all": all, "one": one, "nobody": nobody} {
			_, body := user.ask("GET", path, "")
			seen.add("GET "+path+" by "+who, string(body))
		}
	}
	_, body := nobody.ask("POST", "/api/session", `{"token":"`+planted["wrong token"]+`"}`)
	seen.add("a wrong sign-in", string(body))
	_, body = one.ask("POST", "/broadcasting/auth", "socket_id=1.2&channel_name=private-encrypted-tenant.x")
	seen.add("a refused subscription", string(body))
	g.witnessHealth(seen, w, "well")
}

func (g *ground) witnessHealth(seen *witnessed, w *worker, when string) {
	g.t.Helper()
	for _, path := range []string{"/livez", "/readyz", "/metrics"} {
		_, body := get(g.t, w.health+path)
		seen.add(path+", "+when, body)
	}
}

// unready waits until /readyz names a part.
func (g *ground) unready(w *worker, part string) {
	g.t.Helper()
	await(g.t, part+" is not ready", func() bool {
		_, body := get(g.t, w.health+"/readyz")
		for _, check := range decode[struct {
			Checks []struct{ Name, Status string }
		}](g.t, []byte(body)).Checks {
			if check.Name == part && check.Status != "ok" {
				return true
			}
		}
		return false
	})
}

// witnessOutages lets each service refuse a running worker.
func (g *ground) witnessOutages(seen *witnessed, w *worker, recorder *testenv.Recorder, postgres *testenv.PostgresServer) {
	g.t.Helper()
	recorder.Behave(testenv.Refuses(401, "you sent "+planted["PUSHER_APP_SECRET"][:4])) // it never gets more
	ids := g.add(shapes(2)...)
	g.enqueue(ids)
	g.unready(w, "broadcast")
	g.witnessHealth(seen, w, "events are refused")
	recorder.Behave(testenv.Takes)

	ctx := g.t.Context()
	must(g.t, g.redis.ConfigSet(ctx, "requirepass", "another").Err())
	stranger := redis.NewClient(&redis.Options{Addr: g.server.Addr, Password: "another"})
	g.t.Cleanup(func() { _ = stranger.Close() })
	must(g.t, stranger.ClientKillByFilter(ctx, "TYPE", "normal", "SKIPME", "yes").Err())
	g.unready(w, "redis")
	g.witnessHealth(seen, w, "redis refuses")
	_, body := adminOf(g.t, w, planted["ADMIN_TOKEN_ALL"]).ask("GET", "/asynqmon/api/queues", "")
	seen.add("asynqmon, redis refuses", string(body))
	_, body = adminOf(g.t, w, planted["ADMIN_TOKEN_ONE"]).ask("POST", "/api/schemas/"+ids[0]+"/retry", `{"force":true}`)
	seen.add("a retry, redis refuses", string(body))
	must(g.t, stranger.ConfigSet(ctx, "requirepass", planted["REDIS_PASSWORD"]).Err())

	g.exec("ALTER ROLE postgres PASSWORD 'another'")
	g.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
	g.unready(w, "database")
	g.witnessHealth(seen, w, "the database refuses")
	_, body = adminOf(g.t, w, planted["ADMIN_TOKEN_ONE"]).ask("GET", "/api/tenants/"+g.tenant+"/graph", "")
	seen.add("a graph, the database refuses", string(body))
	g.exec("ALTER ROLE postgres PASSWORD '" + strings.ReplaceAll(planted["DB_PASSWORD"], "'", "''") + "'")
	postgres.Crash()
	g.unready(w, "database")
	g.witnessHealth(seen, w, "the database is away")
	postgres.Start()
	g.awaitReady(w)
	db, err := pgx.Connect(ctx, postgres.URL)
	must(g.t, err)
	g.t.Cleanup(func() { _ = db.Close(ctx) })
	g.db = db
}

func (g *ground) awaitReady(w *worker) {
	g.t.Helper()
	await(g.t, "all is well again", func() bool {
		status, _ := get(g.t, w.health+"/readyz")
		return status == http.StatusOK
	})
}

// witnessDatabases reads every row of every table, and every key of Redis.
func (g *ground) witnessDatabases(seen *witnessed) {
	g.t.Helper()
	rows, err := g.db.Query(g.t.Context(), "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
	must(g.t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(g.t, err)
	for _, table := range tables {
		seen.add("table "+table, g.value("SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM "+table+" t"))
	}
	ctx := g.t.Context()
	keys, err := g.redis.Keys(ctx, "*").Result()
	must(g.t, err)
	for _, key := range keys {
		var value any
		switch kind := g.redis.Type(ctx, key).Val(); kind {
		case "hash":
			value = g.redis.HGetAll(ctx, key).Val()
		case "string":
			value = g.redis.Get(ctx, key).Val()
		case "list":
			value = g.redis.LRange(ctx, key, 0, -1).Val()
		case "set":
			value = g.redis.SMembers(ctx, key).Val()
		case "zset":
			value = g.redis.ZRange(ctx, key, 0, -1).Val()
		default:
			g.t.Errorf("the key %s is a %s, which this test does not read", key, kind)
		}
		seen.add("redis", fmt.Sprint(key, " ", value))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The search finds what is there: whole, cut, and written otherwise.
func TestSearchFindsSecrets(t *testing.T) {
	t.Parallel()
	secret := planted["DB_PASSWORD"]
	inJSON, err := json.Marshal(map[string]string{"error": secret})
	must(t, err)
	for _, text := range []string{
		secret, secret[:12] + "…", "…" + secret[len(secret)-12:], string(inJSON), fmt.Sprintf("%q", secret), url.QueryEscape(secret), url.UserPassword("a", secret).String(),
		base64.StdEncoding.EncodeToString([]byte(secret)), fmt.Sprintf("%x", secret),
	} {
		if !slices.ContainsFunc(forms(secret), func(form string) bool { return strings.Contains("x "+text+" y", form) }) {
			t.Errorf("%q is not found", text)
		}
	}
}
