package e2e

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/testenv"
)

// The least that a worker and a producer need, as the documentation has it: %s is the
// role.
const (
	workerGrants = `
		GRANT SELECT ON tenants TO %[1]s;
		GRANT SELECT, INSERT, UPDATE ON schemas TO %[1]s;
		GRANT SELECT, INSERT, UPDATE, DELETE ON schema_mappings, schemacast_runs, schemacast_attempts, schemacast_streams,
			schemacast_events, schemacast_answers, schemacast_spending, schemacast_tenants, schemacast_meta TO %[1]s;
		GRANT USAGE ON SEQUENCE schemas_id_seq, schema_mappings_id_seq TO %[1]s`
	producerGrants = `
		GRANT SELECT ON tenants, schemacast_meta TO %[1]s;
		GRANT SELECT, UPDATE ON schemas TO %[1]s;
		GRANT SELECT, INSERT, UPDATE ON schemacast_runs TO %[1]s`
)

// The rules of Redis users. A worker runs asynq, the queue doctor and the limits of
// the model; a producer runs one script and adds the queue's name to a set.
const (
	workerACL = "on >secret ~asynq:* ~schemacast:* &asynq:cancel +@read +@write +@scripting +@connection " +
		"+subscribe +unsubscribe +publish +time -@admin -@dangerous +info"
	producerACL = "on >secret ~asynq:queues ~asynq:{schemas}:* ~asynq:{schemas-backfill}:* +@connection -@admin -@dangerous " +
		"+eval +evalsha +sadd +exists +hget +hmget +hset +hdel +hstrlen +lpos +llen +lpush +lrem +zadd +zrem +zscore"
)

// role makes a user of PostgreSQL and returns the address for it.
func (g *ground) role(grants string) (dsn string) {
	g.t.Helper()
	address, err := url.Parse(g.env["DB_URL"])
	if err != nil {
		g.t.Fatal(err)
	}
	owner, name := address.String(), fmt.Sprintf("least_%d", time.Now().UnixNano())
	g.exec("CREATE ROLE " + name + " LOGIN")
	g.t.Cleanup(func() {
		ctx := context.Background() // the test's has ended
		conn, err := pgx.Connect(ctx, owner)
		if err != nil {
			g.t.Error(err)
			return
		}
		defer func() { _ = conn.Close(ctx) }()
		if _, err := conn.Exec(ctx, "DROP OWNED BY "+name+"; DROP ROLE "+name); err != nil {
			g.t.Error(err)
		}
	})
	for _, grant := range strings.Split(grants, ";") {
		g.exec(fmt.Sprintf(grant, name))
	}
	address.User = url.User(name)
	return address.String()
}

// user makes a user of Redis and returns the address for it.
func (g *ground) user(name, rules string) string {
	g.t.Helper()
	args := []any{"ACL", "SETUSER", name}
	for rule := range strings.FieldsSeq(rules) {
		args = append(args, rule)
	}
	if err := g.redis.Do(g.t.Context(), args...).Err(); err != nil {
		g.t.Fatal(err)
	}
	return "redis://" + name + ":secret@" + g.server.Addr
}

// The documented grants are enough for a whole life: checks, work, sweeping, the
// limits of the model, and a stop; and for a producer that may do no more than ask.
func TestLeastPrivileges(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	worker := g.with(t, map[string]string{
		"DB_URL": g.role(workerGrants), "REDIS_URL": g.user("worker", workerACL), "WORKER_SWEEP_INTERVAL": "1s",
		"WORKER_TENANT_CONCURRENCY": "4", "ANALYSIS_REQUESTS_PER_MINUTE": "6000", "ANALYSIS_TOKENS_PER_MINUTE": "10000000",
		"ANALYSIS_SKIP_MODEL": "never", // else what was mapped once needs no question
	})
	producer := g.with(t, map[string]string{"DB_URL": g.role(producerGrants), "REDIS_URL": g.user("producer", producerACL)})
	checked := worker.want(0, "the user may do what a worker does", "worker", "check", "--no-llm")
	if strings.Contains(checked.stdout, "unknown") {
		t.Errorf("a question of the check was forbidden:\n%s", checked.stdout)
	}
	process := worker.start(t)
	ids := g.add(shapes(5)...)
	producer.enqueue(ids)
	g.wantDone(5)
	// The tasks are lost, and come back without anybody's help.
	release := g.hold()
	producer.enqueue(ids[:1])
	g.asked(6)
	producer.enqueue(ids[1:])
	if err := g.redis.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	release()
	g.awaitValue("10", "SELECT count(*) FROM schemacast_runs WHERE outcome = 'completed'")
	if strings.Contains(process.log.String(), "NOPERM") || strings.Contains(process.log.String(), "permission denied") {
		t.Error("something was forbidden; the log of the worker says what")
		t.Log(process.log)
	}
	process.stop()
	g.wantForbidden(producer.env["REDIS_URL"])
}

// wantForbidden wants that a producer's user can neither look into nor empty a Redis.
func (g *ground) wantForbidden(address string) {
	g.t.Helper()
	options, err := redis.ParseURL(address)
	if err != nil {
		g.t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	for _, command := range [][]any{{"FLUSHALL"}, {"KEYS", "*"}, {"GET", "cache:of:the:app"}, {"CONFIG", "GET", "*"}, {"DEL", "asynq:queues"}} {
		if err := client.Do(g.t.Context(), command...).Err(); !redis.HasErrorPrefix(err, "NOPERM") {
			g.t.Errorf("%v: %v, want NOPERM", command, err)
		}
	}
}

// What is missing is named, with the statement or the rule that adds it.
func TestMissingPrivileges(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	g.with(t, map[string]string{"DB_URL": g.role("GRANT SELECT ON schemas, schemacast_meta TO %s")}).want(1, "GRANT INSERT, UPDATE ON schemas TO least_", "worker")
	id := g.add(shapes(1)...)[0]
	for rules, want := range map[string]string{
		"on >secret ~asynq:* +@connection": "grant it",
		"on >secret ~other:* +@all":        "asynq:*",
	} {
		g.with(t, map[string]string{"REDIS_URL": g.user("poor", "reset "+rules)}).want(1, want, "enqueue", "schema", id)
	}
	g.with(t, map[string]string{"REDIS_URL": strings.Replace(g.user("poor", "on >secret"), "secret", "wrong", 1)}).
		want(1, "REDIS_PASSWORD", "enqueue", "schema", id)
}
