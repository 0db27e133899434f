package broadcast

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/schema"
)

// keptError is how much of a failed event's sentence stays in its smallest form.
const keptError = 200

// envelope is the top level of every event. The first five keys are the app's, in
// its order; the others are ours.
type envelope struct {
	Status    schema.EventKind `json:"status,omitempty"` // absent in progress events
	SchemaID  int64            `json:"schema_id"`
	TenantID  string           `json:"tenant_id"`
	Data      any              `json:"data"`
	Timestamp string           `json:"timestamp"`

	EventID string `json:"event_id"`
	RunID   string `json:"run_id"`
	Seq     int64  `json:"seq"`
	Version int    `json:"v"`
	// Truncated names the keys of data that were left out or cut for size. Keys that
	// are never sent, such as sample values without Config.Samples, are not listed.
	Truncated []string `json:"truncated,omitempty"`
}

type startedData struct {
	Name   *string         `json:"name"`
	Hash   string          `json:"hash"`
	Tenant string          `json:"tenant"`
	Fields json.RawMessage `json:"detected_fields"`
}

type progressData struct {
	Stage string `json:"stage"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

// completedData loses both sides at once: the app's listener reloads the page when
// one is missing.
type completedData struct {
	Bronze        bronzeSchema  `json:"bronze_schema"`
	Silver        *silverEntity `json:"silver_entity"`
	MappingsCount int           `json:"mappings_count"`
}

// reducedData is completedData without its sides.
type reducedData struct {
	MappingsCount int `json:"mappings_count"`
}

type bronzeSchema struct {
	ID        int64           `json:"id"`
	Hash      string          `json:"hash"`
	Name      *string         `json:"name"`
	Type      schema.Kind     `json:"type"`
	Status    schema.Status   `json:"status"`
	Tenant    string          `json:"tenant"`
	Fields    json.RawMessage `json:"detected_fields"`
	CreatedAt *string         `json:"created_at"`
}

type silverEntity struct {
	ID     int64           `json:"id"`
	Name   *string         `json:"name"`
	Hash   string          `json:"hash"`
	Type   schema.Kind     `json:"type"`
	Fields json.RawMessage `json:"detected_fields"`
}

type failedData struct {
	Error string `json:"error"`
	Code  string `json:"code,omitempty"`
}

// eventName is what listeners bind to.
func eventName(kind schema.EventKind) string {
	if kind == schema.EventProgress {
		return ProgressEventName
	}
	return EventName
}

// form is how an event is rendered.
type form struct {
	rung    Rung
	samples bool // whether they would be sent if there was room
}

// encode renders an event.
func encode(ev schema.Event, f form) ([]byte, error) {
	e := envelope{
		Status:    ev.Kind,
		SchemaID:  ev.SchemaID,
		TenantID:  ev.TenantID,
		Timestamp: ev.OccurredAt.UTC().Format("2006-01-02T15:04:05-07:00"),
		EventID:   ev.ID,
		RunID:     ev.RunID,
		Seq:       ev.Seq,
		Version:   wireVersion,
	}
	switch {
	case ev.Kind == schema.EventStarted && ev.Started != nil:
		e.Data, e.Truncated = started(ev.Started, f)
	case ev.Kind == schema.EventProgress && ev.Progress != nil:
		e.Status = ""
		e.Data = progressData{Stage: ev.Progress.Stage, Done: ev.Progress.Done, Total: ev.Progress.Total}
	case ev.Kind == schema.EventCompleted && ev.Completed != nil:
		e.Data, e.Truncated = completed(ev.Completed, f)
	case ev.Kind == schema.EventFailed && ev.Failed != nil:
		e.Data, e.Truncated = failed(ev.Failed, f)
	default:
		return nil, fmt.Errorf("event %s of schema %d is of kind %q and holds no data of that kind", ev.ID, ev.SchemaID, ev.Kind)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // the escapes would only cost bytes
	if err := encoder.Encode(e); err != nil {
		return nil, fmt.Errorf("encode event %s of schema %d: %w", ev.ID, ev.SchemaID, err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

func started(s *schema.Started, f form) (any, []string) {
	fields, truncated := fieldList(s.Fields, f)
	return startedData{Name: nullable(s.Name), Hash: s.Hash, Tenant: s.TenantName, Fields: fields}, truncated
}

func completed(c *schema.Completed, f form) (any, []string) {
	if f.rung == RungBare {
		return reducedData{MappingsCount: c.MappingsCount}, []string{"bronze_schema", "silver_entity"}
	}
	bronze, truncated := fieldList(c.Schema.Fields, f)
	data := completedData{MappingsCount: c.MappingsCount, Bronze: bronzeSchema{
		ID: c.Schema.ID, Hash: c.Schema.Hash, Name: nullable(c.Schema.Name), Type: c.Schema.Kind, Status: c.Schema.Status,
		Tenant: c.Schema.TenantName, Fields: bronze, CreatedAt: date(c.Schema.CreatedAt),
	}}
	if c.Entity != nil {
		silver, more := fieldList(c.Entity.Fields, f)
		if !slices.Equal(truncated, more) {
			truncated = append(truncated, more...)
		}
		data.Silver = &silverEntity{
			ID: c.Entity.ID, Name: nullable(c.Entity.Name), Hash: c.Entity.Hash, Type: c.Entity.Kind, Fields: silver,
		}
	}
	return data, truncated
}

func failed(end *schema.Failed, f form) (any, []string) {
	if f.rung == RungBare && len(end.Error) > keptError {
		return failedData{Error: clip(end.Error, keptError), Code: end.Code}, []string{"error"}
	}
	return failedData{Error: end.Error, Code: end.Code}, nil
}

// fieldList is always a list, since the listener walks it.
func fieldList(raw json.RawMessage, f form) (json.RawMessage, []string) {
	empty := json.RawMessage("[]")
	if f.rung == RungBare {
		return empty, []string{"detected_fields"}
	}
	list, ok := cleanFields(raw)
	if !ok {
		return empty, []string{"detected_fields"}
	}
	if f.rung == RungFull {
		return list, nil
	}
	if !f.samples {
		return stripSamples(list), nil
	}
	return stripSamples(list), []string{sampleKey}
}

func nullable(name string) *string {
	if name == "" {
		return nil
	}
	return &name
}

func date(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	day := t.UTC().Format(time.DateOnly)
	return &day
}

// clip cuts s to at most limit bytes at a rune, and marks the cut.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const mark = "..."
	cut := limit - len(mark)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.ToValidUTF8(s[:cut], "") + mark
}
