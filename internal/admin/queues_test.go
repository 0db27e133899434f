package admin

import (
	"regexp"
	"strings"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

const (
	someID = "schema:analyze:7"
	asText = "Accept: text/html"
)

// startQueues is a UI with Asynqmon over a Redis with one task of each tenant.
func startQueues(t *testing.T, write bool) *UI {
	t.Helper()
	addr := testenv.Redis(t)
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: addr})
	for id, tenant := range map[string]string{someID: "acme", "schema:analyze:8": "globex"} {
		job := asynq.NewTask(task.Type, []byte(`{"schema_id":7,"tenant_id":"`+tenant+`","v":1}`))
		if _, err := client.Enqueue(job, asynq.TaskID(id), asynq.Queue(task.QueueInteractive)); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	monitor, err := task.NewMonitor(func() redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: addr}) },
		task.MonitorConfig{Root: QueuesPath, Write: write})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = monitor.Close() })
	return startUIWith(t, someConfig, Ports{Graphs: &lake{}, Tenants: &lake{}, Requests: &lake{}, Queues: monitor})
}

// The queues hold every tenant's tasks, so only who may see all tenants sees them.
func TestQueuesAreForThoseWhoSeeEveryTenant(t *testing.T) {
	t.Parallel()
	u := startQueues(t, true)
	for _, path := range []string{
		"/asynqmon", "/asynqmon/", "/asynqmon/queues/schemas", "/asynqmon/api/queues", "/asynqmon/api/queues/schemas/pending_tasks",
		"/asynqmon/static/js/main.5adda2da.chunk.js", "/asynqmon/favicon.ico",
	} {
		u.ask(t, "GET", path, "").want(t, path+" by nobody", 401, "sign in")
		u.ask(t, "GET", path, "", asAcme).want(t, path+" by acme", 403, "TOKEN=*")
		u.ask(t, "GET", path, "", asAll).want(t, path+" by all", 200, "")
	}
	const remove = "/asynqmon/api/queues/schemas/pending_tasks/" + someID
	u.ask(t, "DELETE", remove, "").want(t, "delete by nobody", 401, "")
	u.ask(t, "DELETE", remove, "", asAcme).want(t, "delete by acme", 403, "")
	u.ask(t, "DELETE", remove, "", asAll, "Sec-Fetch-Site: cross-site").want(t, "delete by another site", 403, `"code":"cross_site"`)
	u.ask(t, "DELETE", remove, "", asAll).want(t, "delete by all", 204, "")
	startUI(t, someConfig, &lake{}).ask(t, "GET", "/asynqmon/", "", asAll).want(t, "ADMIN_ASYNQMON=off", 404, "")
	reader := startQueues(t, false)
	reader.ask(t, "DELETE", remove, "", asAll).want(t, "delete in a reading one", 405, "")
	reader.ask(t, "POST", "/asynqmon/api/queues/schemas:pause", "", asAll).want(t, "pause in a reading one", 405, "")
}

// The page may run what it was built with, and nothing that finds its way into it.
func TestQueuesPageIsClosed(t *testing.T) {
	t.Parallel()
	u := startQueues(t, false)
	page := u.ask(t, "GET", "/asynqmon/queues/schemas/tasks/"+someID, "", asAll, asText)
	policy := page.header.Get("Content-Security-Policy")
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Count(policy, "sha256-") != 2 || strings.Contains(page.body, "googleapis") {
		t.Errorf("the policy is %s of %s", policy, page.body)
	}
	for _, want := range []string{"default-src 'none';", "connect-src 'self';", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	nonce := regexp.MustCompile(`style-src 'nonce-([^']+)'`).FindStringSubmatch(policy)
	if nonce == nil || !strings.Contains(page.body, `content="`+nonce[1]+`"`) {
		t.Errorf("the page does not know the nonce of %s", policy)
	}
	if again := u.ask(t, "GET", "/asynqmon/", "", asAll); again.header.Get("Content-Security-Policy") == policy {
		t.Error("two pages have one nonce")
	}
	for _, path := range []string{"/asynqmon/api/queues", "/asynqmon/static/js/main.5adda2da.chunk.js"} {
		got := u.ask(t, "GET", path, "", asAll)
		if got.header.Get("Content-Security-Policy") != closedPolicy || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s comes with %v", path, got.header)
		}
	}
	if kind := u.ask(t, "GET", "/asynqmon/api/queues", "", asAll).header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("the API answers with %q", kind)
	}
}

// A real browser draws the queue and its tasks, and the policy stops nothing of it.
func TestQueuesInABrowser(t *testing.T) {
	t.Parallel()
	u := startQueues(t, false)
	address := testenv.SignedIn(t, "http://"+u.Addr(), allToken)
	for path, wants := range map[string][]string{
		"/asynqmon/": {">schemas<"},
		"/asynqmon/queues/schemas?status=pending": {someID, "tenant_id", "globex"},
	} {
		dom, console := testenv.Browse(t, address+path)
		for _, want := range wants {
			if !strings.Contains(dom, want) {
				t.Errorf("%s lacks %s:\n%s\n%s", path, want, dom, console)
			}
		}
		if strings.Contains(console, "Content Security Policy") {
			t.Errorf("%s: the policy stops something:\n%s", path, console)
		}
	}
}
