package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

// Asynqmon of a real worker shows what it works on, in a real browser: a task that runs,
// one that is tried again later, one that was put away, one that waits; and damaged ones
// in between do not stop it.
func TestAsynqmon(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.StartRecorder(t, nil).App)
	g.ahead = "1 hour"
	g.env["ADMIN_ADDR"], g.env["ADMIN_TOKENS"] = "127.0.0.1:0", ownerToken+"=* "+foreignToken+"="+g.tenant
	g.env["WORKER_CONCURRENCY"], g.env["WORKER_BACKFILL_CONCURRENCY"] = "2", "0"
	release := g.hold()
	w := g.start(t)
	ids := g.add(shapes(3)...)
	g.enqueue(ids[:1])
	g.asked(1)
	g.llm.Script(llmtest.RateLimited("600"))
	g.enqueue(ids[1:2])
	g.enqueue(ids[2:], "--queue", task.QueueBackfill)
	client := asynq.NewClientFromRedisClient(g.redis)
	_, err := client.Enqueue(asynq.NewTask(task.Type, []byte(`{"schema_id":"none"}`)), asynq.Queue(task.QueueInteractive), asynq.TaskID("foreign"), asynq.MaxRetry(9))
	must(t, err)
	g.damage()

	all, one := adminOf(t, w, ownerToken), adminOf(t, w, foreignToken)
	one.want(http.StatusForbidden, "GET", "/asynqmon/api/queues", "")
	shown := map[string]string{ // state and queue, and what is to be seen there
		"active_tasks of " + task.QueueInteractive: "schema:analyze:" + ids[0], "retry_tasks of " + task.QueueInteractive: "schema:analyze:" + ids[1],
		"archived_tasks of " + task.QueueInteractive: "foreign", "pending_tasks of " + task.QueueBackfill: "schema:analyze:" + ids[2],
	}
	await(t, "the queue doctor has looked, and every list is there", func() bool {
		for place, want := range shown {
			state, queue, _ := strings.Cut(place, " of ")
			status, body := all.ask("GET", "/asynqmon/api/queues/"+queue+"/"+state, "")
			if status != http.StatusOK || !strings.Contains(string(body), fmt.Sprintf("%q", want)) {
				return false
			}
			if status, _ := all.ask("GET", "/asynqmon/api/queues/"+queue, ""); status != http.StatusOK {
				return false
			}
		}
		return g.redis.ZCard(t.Context(), "schemacast:quarantine:{schemas}").Val() == 2
	})
	address := testenv.SignedIn(t, all.url, ownerToken)
	for place, want := range shown {
		state, queue, _ := strings.Cut(place, "_tasks of ")
		dom, console := testenv.Browse(t, address+"/asynqmon/queues/"+queue+"?status="+state)
		if !strings.Contains(dom, want) || strings.Contains(console, "Content Security Policy") {
			t.Errorf("%s tasks of %s lack %s:\n%s\n%s", state, queue, want, dom, console)
		}
	}
	release()
	g.awaitValue("completed", "SELECT ai_analysis_status FROM schemas WHERE id = $1", ids[0])
	w.stop()
}

// damage puts into the queue what nobody can decode, and an id without a task.
func (g *ground) damage() {
	g.t.Helper()
	ctx, prefix := g.t.Context(), "asynq:{"+task.QueueInteractive+"}:"
	for id, set := range map[string]string{"bad-1": "archived", "bad-2": "retry"} {
		must(g.t, g.redis.HSet(ctx, prefix+"t:"+id, "state", set, "msg", "\xff<script>").Err())
		must(g.t, g.redis.ZAdd(ctx, prefix+set, redis.Z{Score: float64(time.Now().Add(time.Hour).Unix()), Member: id}).Err())
	}
	must(g.t, g.redis.LPush(ctx, prefix+"active", "ghost").Err())
	must(g.t, g.redis.ZAdd(ctx, prefix+"lease", redis.Z{Score: float64(time.Now().Add(time.Hour).Unix()), Member: "ghost"}).Err())
}
