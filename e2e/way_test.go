package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/testenv"
)

const customersCSV = "id,company,contact,mobile,score,created_at\n" +
	"28585,Initech,Tom Chen,+44 20 7185 2723,32.639,2026-01-31\n" +
	"28586,Hooli,Ana Silva,+44 20 7185 2724,12.5,2026-02-01\n"

// event is what the app's listener gets.
type event struct {
	Status   string          `json:"status"`
	SchemaID int64           `json:"schema_id"`
	TenantID string          `json:"tenant_id"`
	Data     json.RawMessage `json:"data"`
	EventID  string          `json:"event_id"`
	RunID    string          `json:"run_id"`
	Seq      int64           `json:"seq"`
}

func TestOneSchemaAllTheWay(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: g.soketi, Tenant: g.tenant})
	w := g.start(t)

	out := g.want(0, "6 of 6 fields mapped", "enqueue", "file", g.file("customers.csv", customersCSV), "--tenant", g.tenant, "--wait")
	for _, column := range []string{"id", "company", "contact", "mobile", "score", "created_at"} {
		if !strings.Contains(out.stdout, column) {
			t.Errorf("the table has no %s:\n%s", column, out.stdout)
		}
	}
	messages := states(receiver, 2)
	var events []event
	for _, m := range messages {
		var e event
		m.Decode(t, &e)
		events = append(events, e)
		wantShape(t, "event-"+e.Status+".json", m)
	}
	if len(events) != 2 || events[0].Status != "started" || events[1].Status != "completed" {
		t.Fatalf("events = %+v, want started and completed", events)
	}
	for i, e := range events {
		if e.Seq < int64(i+1) || e.TenantID != g.tenant || e.RunID != events[0].RunID || e.EventID == "" || e.SchemaID != events[0].SchemaID {
			t.Errorf("event %d = %+v", i, e)
		}
	}
	if strings.Contains(string(messages[0].Payload)+string(messages[1].Payload), "Tom Chen") {
		t.Error("an event holds a sample value")
	}

	id := events[0].SchemaID
	g.wantValue("confirmed completed", "SELECT status || ' ' || ai_analysis_status FROM schemas WHERE id = $1", id)
	g.wantValue("6", "SELECT count(*) FROM schema_mappings m JOIN schemas e ON e.id = m.target_schema_id WHERE m.schema_id = $1 AND e.type = 'struct' AND e.tenant_id = $2", id, g.tenant)
	g.wantValue("completed completed 1", "SELECT state || ' ' || outcome || ' ' || calls FROM schemacast_runs WHERE schema_id = $1", id)
	await(t, "the outbox is empty", func() bool {
		return g.value("SELECT count(*) FROM schemacast_streams WHERE sent_seq < last_seq") == "0"
	})
	await(t, "the task is gone", func() bool {
		return g.redis.Exists(t.Context(), fmt.Sprintf("asynq:{schemas}:t:schema:analyze:%d", id)).Val() == 0
	})
	w.stop()
	if strings.Contains(w.log.String(), "Tom Chen") || strings.Contains(w.log.String(), llmtest.Key) || strings.Contains(w.log.String(), g.soketi.Secret) {
		t.Error("the log holds a sample value or a secret")
	}
	if strings.Contains(g.llm.Last().User, "Tom Chen") {
		t.Error("the prompt holds a sample value although nobody opted in")
	}
}

// states waits for n events of the life cycle: a machine that is busy tells of progress
// between them.
func states(receiver *testenv.Receiver, n int) []testenv.Message {
	var list []testenv.Message
	receiver.WaitUntil(patience, func(messages []testenv.Message) bool {
		list = nil
		for _, m := range messages {
			if m.Event == "schema.analysis" {
				list = append(list, m)
			}
		}
		return len(list) >= n
	})
	return list
}

// wantShape wants every key of a captured event, with values of the same types.
func wantShape(t *testing.T, file string, m testenv.Message) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	captured := decode[struct {
		Data any `json:"data"`
	}](t, text)
	var got any
	m.Decode(t, &got)
	want, have := paths("", captured.Data), paths("", got)
	missing := without(want, have)
	// Sample values are left out unless BROADCAST_SAMPLES is on.
	missing = filter(missing, func(path string) bool { return !strings.Contains(path, "sample_value") })
	if len(missing) > 0 {
		t.Errorf("%s: the event lacks %v\n%s", file, missing, m.Payload)
	}
	extra := without(have, want)
	allowed := []string{".event_id string", ".run_id string", ".seq float64", ".v float64", ".truncated", ".data.code string"}
	extra = filter(extra, func(path string) bool {
		for _, a := range allowed {
			if strings.HasPrefix(path, a) {
				return false
			}
		}
		return true
	})
	if len(extra) > 0 {
		t.Errorf("%s: the event has %v besides what is documented", file, extra)
	}
}

// paths lists the keys of a document with the types of their values.
func paths(prefix string, v any) []string {
	set := map[string]bool{}
	var walk func(string, any)
	walk = func(prefix string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				walk(prefix+"."+key, value)
			}
		case []any:
			for _, value := range v {
				walk(prefix+"[]", value)
			}
		default:
			if prefix == ".data.name" || strings.HasSuffix(prefix, "[].format") {
				v = "" // null, or a string when there is one
			}
			set[fmt.Sprintf("%s %T", prefix, v)] = true
		}
	}
	walk(prefix, v)
	var list []string
	for path := range set {
		list = append(list, path)
	}
	sort.Strings(list)
	return list
}

func without(all, minus []string) []string {
	return filter(all, func(s string) bool {
		for _, m := range minus {
			if s == m {
				return false
			}
		}
		return true
	})
}

func filter(list []string, keep func(string) bool) []string {
	var kept []string
	for _, s := range list {
		if keep(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

func TestSecondSourceMapsOntoTheFirstEntity(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	g.start(t)
	g.want(0, "", "enqueue", "file", g.file("customers.csv", customersCSV), "--tenant", g.tenant, "--wait")
	more := g.file("more.json", `[{"id": 1, "company": "Umbrella", "mobile": "+44 20 7185 2725", "vip": true}]`)
	g.want(0, "", "enqueue", "file", more, "--tenant", g.tenant, "--wait")
	g.wantValue("1", "SELECT count(DISTINCT target_schema_id) FROM schema_mappings")
	g.wantValue("1", "SELECT count(*) FROM schemas WHERE type = 'struct'")
	g.want(0, "known", "enqueue", "file", more, "--tenant", g.tenant, "--wait")
	if n := g.llm.Count(); n > 4 {
		t.Errorf("%d calls of the model for two schemas", n)
	}
}

func TestFailureIsToldOnceAndInCleanWords(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t), llmtest.Unauthorized())
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: g.soketi, Tenant: g.tenant})
	g.start(t)
	g.want(1, "llm_config", "enqueue", "file", g.file("customers.csv", customersCSV), "--tenant", g.tenant, "--wait")
	wantShape(t, "event-failed.json", states(receiver, 2)[1])
	g.wantValue("pending failed", "SELECT status || ' ' || ai_analysis_status FROM schemas")
	g.wantValue("0", "SELECT count(*) FROM schema_mappings")
	if text := g.value("SELECT ai_analysis_error FROM schemas"); strings.Contains(text, llmtest.Key) || len(text) > 300 {
		t.Errorf("the error is %q", text)
	}
	// Asked again, with a model that answers, the same schema goes through.
	g.want(0, "6 of 6 fields mapped", "enqueue", "schema", g.value("SELECT id FROM schemas"), "--wait")
	var statuses []string
	for _, m := range states(receiver, 4) {
		var e event
		m.Decode(t, &e)
		statuses = append(statuses, e.Status)
	}
	if diff := cmp.Diff([]string{"started", "failed", "started", "completed"}, statuses); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
