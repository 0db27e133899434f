package broadcast

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

const (
	testTenant = "a0000001-5eed-4000-8000-000000000002"
	additive   = `,"event_id":"01JD7Z","run_id":"01JD7R","seq":7,"v":1}`
)

// captured is an event that the app itself sent, from testdata.
type captured struct {
	Name     string          `json:"name"`
	Channels []string        `json:"channels"`
	Data     json.RawMessage `json:"data"`
}

func readCaptured(t *testing.T, kind string) captured {
	t.Helper()
	raw, err := os.ReadFile("testdata/event-" + kind + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var c captured
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, c.Data); err != nil {
		t.Fatal(err)
	}
	c.Data = compact.Bytes()
	return c
}

// fieldsOf returns the list below the dotted path of a captured event, as it stood
// in the file: with white space, as a column may be.
func fieldsOf(t *testing.T, kind string, path ...string) json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile("testdata/event-" + kind + ".json")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range append([]string{"data", "data"}, append(path, "detected_fields")...) {
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(raw, &keys); err != nil {
			t.Fatal(err)
		}
		raw = keys[key]
	}
	return raw
}

func testEvent(kind schema.EventKind) schema.Event {
	return schema.Event{
		ID: "01JD7Z", RunID: "01JD7R", SchemaID: 1, TenantID: testTenant, Seq: 7, Kind: kind,
		// Milliseconds and another zone, neither of which the wire shows.
		OccurredAt: time.Date(2026, 11, 22, 20, 15, 33, 987e6, time.FixedZone("CET", 3600)),
	}
}

func startedEvent(t *testing.T) schema.Event {
	ev := testEvent(schema.EventStarted)
	ev.Started = &schema.Started{Hash: "0c0d691b37128b1c", TenantName: "Globex", Fields: fieldsOf(t, "started")}
	return ev
}

func completedEvent(t *testing.T) schema.Event {
	ev := testEvent(schema.EventCompleted)
	ev.Completed = &schema.Completed{
		Schema: schema.CompletedSchema{
			ID: 1, Hash: "0c0d691b37128b1c", Name: "dataentity_source_0c0d691b", Kind: schema.KindInput,
			Status: schema.StatusConfirmed, TenantName: "Globex", Fields: fieldsOf(t, "completed", "bronze_schema"),
			CreatedAt: time.Date(2026, 11, 22, 23, 59, 59, 0, time.UTC),
		},
		Entity: &schema.CompletedEntity{
			ID: 31, Name: "DataEntity", Hash: "d61614fbbe2eb072", Kind: schema.KindStruct,
			Fields: fieldsOf(t, "completed", "silver_entity"),
		},
		MappingsCount: 7,
	}
	return ev
}

func failedEvent(text, code string) schema.Event {
	ev := testEvent(schema.EventFailed)
	ev.OccurredAt = time.Date(2026, 11, 22, 19, 16, 0, 0, time.UTC)
	ev.Failed = &schema.Failed{Error: text, Code: code}
	return ev
}

func newTestRenderer(t *testing.T, change func(*Config)) *Renderer {
	t.Helper()
	cfg := Config{Mode: ModePublic, Samples: true, Host: "soketi.test", AppID: "ai-data-lake", Key: "app-key", Secret: "app-secret"}
	if change != nil {
		change(&cfg)
	}
	r, err := NewRenderer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustRender(t *testing.T, r *Renderer, ev schema.Event, from Rung) Rendered {
	t.Helper()
	out, err := r.Render(ev, from)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The bytes are those of the app, keys in its order, with ours behind them.
func TestRenderMatchesTheApp(t *testing.T) {
	t.Parallel()
	failedText := func() string {
		var data struct{ Data struct{ Error string } }
		if err := json.Unmarshal(readCaptured(t, "failed").Data, &data); err != nil {
			t.Fatal(err)
		}
		return data.Data.Error
	}
	for kind, ev := range map[string]schema.Event{
		"started":   startedEvent(t),
		"completed": completedEvent(t),
		"failed":    failedEvent(failedText(), ""),
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			golden := readCaptured(t, kind)
			got := mustRender(t, newTestRenderer(t, nil), ev, RungFull)
			want := Rendered{
				Name: golden.Name, Channels: golden.Channels, Rung: RungFull,
				Data: strings.TrimSuffix(string(golden.Data), "}") + additive,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rendered event (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRenderForms(t *testing.T) {
	t.Parallel()
	const head = `"schema_id":1,"tenant_id":"` + testTenant + `","data":`
	const stamp = `,"timestamp":"2026-11-22T19:15:33+00:00"`
	progress := testEvent(schema.EventProgress)
	progress.Progress = &schema.Progress{Stage: "ask", Done: 2, Total: 5}
	named := startedEvent(t)
	named.Started = &schema.Started{Name: `<Kunden & "Co">`, Hash: "h", TenantName: "Müller", Fields: json.RawMessage(`[]`)}
	noEntity := completedEvent(t)
	noEntity.Completed.Entity, noEntity.Completed.MappingsCount = nil, 0
	noEntity.Completed.Schema.CreatedAt, noEntity.Completed.Schema.Name = time.Time{}, ""
	noEntity.Completed.Schema.Fields = json.RawMessage(`[]`)
	tests := map[string]struct {
		event      schema.Event
		name, want string
	}{
		"progress has a name of its own and no status": {
			progress, ProgressEventName,
			`{` + head + `{"stage":"ask","done":2,"total":5}` + stamp + additive,
		},
		"html is not escaped": {
			named, EventName,
			`{"status":"started",` + head + `{"name":"<Kunden & \"Co\">","hash":"h","tenant":"Müller","detected_fields":[]}` + stamp + additive,
		},
		"no entity, no name, no date": {
			noEntity, EventName,
			`{"status":"completed",` + head + `{"bronze_schema":{"id":1,"hash":"0c0d691b37128b1c","name":null,"type":"input","status":"confirmed",` +
				`"tenant":"Globex","detected_fields":[],"created_at":null},"silver_entity":null,"mappings_count":0}` + stamp + additive,
		},
		"failed with its code": {
			failedEvent("the model refused", "llm_refused"), EventName,
			`{"status":"failed",` + head + `{"error":"the model refused","code":"llm_refused"},"timestamp":"2026-11-22T19:16:00+00:00"` + additive,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := mustRender(t, newTestRenderer(t, nil), tt.event, RungFull)
			if diff := cmp.Diff(tt.want, got.Data); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
			if got.Name != tt.name {
				t.Errorf("name = %q, want %q", got.Name, tt.name)
			}
		})
	}
}

// The listener walks detected_fields, so it is a list whatever the column holds.
func TestRenderOddFieldColumns(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ column, want string }{
		"numbers, order and unknown keys stay": {
			"[ {\"type\":\"float\", \"max\": 1.0e2, \"name\":\"a\\/b\", \"meta\":{}, \"big\":12345678901234567890.10} ]",
			`"detected_fields":[{"type":"float","max":1.0e2,"name":"a\/b","meta":{},"big":12345678901234567890.10}]`,
		},
		"null":              {`null`, `"detected_fields":[]},`},
		"nothing":           {``, `"detected_fields":[]},`},
		"an object":         {`{"0":{"name":"a"}}`, `"detected_fields":[]},`},
		"broken":            {`[{"name":`, `"detected_fields":[]},`},
		"two documents":     {`[] []`, `"detected_fields":[]},`},
		"invalid UTF-8":     {"[{\"name\":\"a\xff\"}]", "\"detected_fields\":[{\"name\":\"a\uFFFD\"}]},"},
		"scalars":           {`[1,"two",null]`, `"detected_fields":[1,"two",null]},`},
		"too deep to check": {strings.Repeat("[", 20000) + strings.Repeat("]", 20000), `"detected_fields":[]},`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ev := startedEvent(t)
			ev.Started.Fields = json.RawMessage(tt.column)
			got := mustRender(t, newTestRenderer(t, nil), ev, RungFull)
			if !strings.Contains(got.Data, tt.want) {
				t.Errorf("data = %s, want it to contain %s", got.Data, tt.want)
			}
			if lost := strings.HasSuffix(tt.want, ":[]},"); lost != strings.Contains(got.Data, `"truncated":["detected_fields"]`) {
				t.Errorf("data = %s: a lost list is told, a kept one is not", got.Data)
			}
		})
	}
}

func TestRenderRefusesAnEventWithoutData(t *testing.T) {
	t.Parallel()
	for _, kind := range []schema.EventKind{schema.EventStarted, schema.EventProgress, schema.EventCompleted, schema.EventFailed, "paused"} {
		if out, err := newTestRenderer(t, nil).Render(testEvent(kind), RungFull); err == nil {
			t.Errorf("kind %q without data was rendered as %s", kind, out.Data)
		}
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in    string
		limit int
		want  string
	}{
		{"short", 10, "short"},
		{"exactly ten", 11, "exactly ten"},
		{"a long sentence", 10, "a long ..."},
		{"ääääääää", 10, "äää..."},
	} {
		if got := clip(tt.in, tt.limit); got != tt.want {
			t.Errorf("clip(%q, %d) = %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
}
