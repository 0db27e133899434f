package task

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/testenv"
)

const monitorRoot = "/asynqmon"

// monitor is Asynqmon over a queue, as its own page asks it.
type monitor struct {
	t   *testing.T
	url string
}

func startMonitor(t *testing.T, b bed, write bool) monitor {
	t.Helper()
	m, err := NewMonitor(func() redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: b.opt.Addr}) }, MonitorConfig{Root: monitorRoot, Write: write})
	must(t, err)
	server := httptest.NewServer(m)
	t.Cleanup(func() {
		server.Close()
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return monitor{t, server.URL + monitorRoot}
}

func (m monitor) ask(method, path string) (int, string) {
	m.t.Helper()
	request, err := http.NewRequestWithContext(m.t.Context(), method, m.url+path, http.NoBody)
	must(m.t, err)
	response, err := http.DefaultClient.Do(request)
	must(m.t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	must(m.t, err)
	return response.StatusCode, string(body)
}

type monitorTasks struct {
	Tasks []struct {
		ID      string `json:"id"`
		Payload string `json:"payload"`
		Error   string `json:"error_message"`
	} `json:"tasks"`
}

// list returns the tasks that one tab of the queue's page shows.
func (m monitor) list(state string) (list monitorTasks) {
	m.t.Helper()
	code, body := m.ask("GET", "/api/queues/"+QueueInteractive+"/"+state+"_tasks?page=1&size=20")
	if code != http.StatusOK {
		m.t.Fatalf("%s tasks: HTTP %d %s", state, code, body)
	}
	must(m.t, json.Unmarshal([]byte(body), &list))
	return list
}

func (m monitor) ids(state string) (ids []string) {
	m.t.Helper()
	for _, task := range m.list(state).Tasks {
		ids = append(ids, task.ID)
	}
	slices.Sort(ids)
	return ids
}

// fillStates makes a task in each state that ours can be in.
func fillStates(t *testing.T, b bed) map[string]string {
	t.Helper()
	handled(errors.New("the model is away"))(t, b, ID(3)) // first, since its server takes what there is
	client()(t, b, ID(1))
	dead(t, b, ID(2))
	archived(t, b, ID(4))
	client(asynq.ProcessIn(time.Hour))(t, b, ID(5))
	return map[string]string{"pending": ID(1), "active": ID(2), "retry": ID(3), "archived": ID(4), "scheduled": ID(5)}
}

// Asynqmon shows our tasks in each state, beside damaged ones too: it leaves out what it can
// not read. Two kinds of damage break a page of it until the queue doctor, which looks every
// 20 seconds, takes them away: a message that nobody can decode whose lease is over, and an
// id without a task.
func TestMonitorShowsEveryState(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Redis(t)).of(t)
	states := fillStates(t, b)
	m := startMonitor(t, b, false)
	compare := func(when string) {
		t.Helper()
		for state, id := range states {
			if got := m.ids(state); !slices.Equal(got, []string{id}) {
				t.Errorf("%s: %s tasks are %q, want %s", when, state, got, id)
			}
		}
		for _, path := range []string{"/api/queues", "/api/queues/" + QueueInteractive, "/api/servers", "/api/redis_info", "/api/queue_stats"} {
			if code, body := m.ask("GET", path); code != http.StatusOK {
				t.Errorf("%s: %s: HTTP %d %s", when, path, code, body)
			}
		}
	}
	compare("whole tasks")
	if pending := m.list("pending").Tasks[0]; pending.Payload != `{"schema_id":7,"v":1}` {
		t.Errorf("the payload is shown as %s", pending.Payload)
	}
	if retry := m.list("retry").Tasks[0]; retry.Error != "the model is away" {
		t.Errorf("the error is shown as %q", retry.Error)
	}

	for n, state := range []func(*testing.T, bed, string){
		client(), steps(client(), inState("retry"), listed(retrySet)), archived, client(asynq.ProcessIn(time.Hour)),
	} {
		steps(state, withMessage("\xff<script>alert(1)</script>"))(t, b, ID(int64(100+n)))
	}
	compare("undecodable messages")

	steps(dead, withMessage("\xff"))(t, b, ID(200))
	ghost("active")(t, b, ID(201))
	for _, path := range []string{"", "/active_tasks"} {
		if code, _ := m.ask("GET", "/api/queues/"+QueueInteractive+path); code != http.StatusInternalServerError {
			t.Errorf("%s: HTTP %d: this Asynqmon bears the damage; say so in docs/security.md", path, code)
		}
	}
	if found := examine(t, newRepairer(t, b, RepairerConfig{})); found.Quarantined != 5 || found.Ghosts != 1 {
		t.Errorf("the doctor found %+v", found)
	}
	compare("after the queue doctor")
}

func TestMonitorShowsStrangePayloads(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Redis(t)).of(t)
	for payload, want := range map[string]string{
		"\xff\xfe":                  "not text",
		strings.Repeat("ü", 5000):   strings.Repeat("ü", maxPayload) + "…",
		"<script>alert(1)</script>": "<script>alert(1)</script>", // as JSON; the page shows it as text
	} {
		c := asynq.NewClient(b.opt)
		info, err := c.Enqueue(asynq.NewTask(Type, []byte(payload)), asynq.Queue(QueueInteractive))
		must(t, err)
		must(t, c.Close())
		m := startMonitor(t, b, false)
		code, body := m.ask("GET", "/api/queues/"+QueueInteractive+"/tasks/"+info.ID)
		var got struct {
			Payload string `json:"payload"`
		}
		must(t, json.Unmarshal([]byte(body), &got))
		if code != http.StatusOK || got.Payload != want || strings.Contains(body, "<script") {
			t.Errorf("HTTP %d %.200s, want %.50s", code, body, want)
		}
	}
}

func TestMonitorWritesOnlyWhenItMay(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Redis(t)).of(t)
	states := fillStates(t, b)
	reader, writer := startMonitor(t, b, false), startMonitor(t, b, true)
	queue := "/api/queues/" + QueueInteractive
	for _, request := range []string{
		"DELETE " + queue + "/pending_tasks/" + states["pending"], "POST " + queue + "/archived_tasks/" + states["archived"] + ":run",
		"POST " + queue + ":pause", "DELETE " + queue, "POST /api/anything", "PUT /anything",
	} {
		method, path, _ := strings.Cut(request, " ")
		if code, _ := reader.ask(method, path); code != http.StatusMethodNotAllowed {
			t.Errorf("%s: HTTP %d, want 405", request, code)
		}
	}
	if code, body := writer.ask("DELETE", queue+"/pending_tasks/"+states["pending"]); code != http.StatusNoContent {
		t.Errorf("deleting: HTTP %d %s", code, body)
	}
	if got := reader.ids("pending"); len(got) > 0 {
		t.Errorf("still there: %q", got)
	}
}

func TestMonitorWithoutRedis(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	m := startMonitor(t, newBed(t, server.Addr), false)
	server.Stop()
	if code, body := m.ask("GET", "/api/queues"); code != http.StatusInternalServerError || !strings.Contains(body, server.Addr) {
		t.Errorf("HTTP %d %s", code, body)
	}
	if code, body := m.ask("GET", "/"); code != http.StatusOK || !strings.Contains(body, "<title>") {
		t.Errorf("the page: HTTP %d %s", code, body)
	}
	if _, err := NewMonitor(nil, MonitorConfig{Root: "x"}); err == nil {
		t.Error("a monitor without redis")
	}
}
