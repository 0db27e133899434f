package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/testenv"
)

// capturedEntity stands for the captured name of the entity, DataEntity: that is the
// junk name of the replaced service's fallback, and our naming makes a better one.
const capturedEntity = "SalesContact"

// capturedAnswer is what the replaced job's model said of the captured schema, in the
// form that our prompts ask for.
func capturedAnswer(a *llmtest.Answer) {
	fields := []llmtest.Field{{Name: "id", Type: "decimal"}, {Name: "company", Type: "string"}, {Name: "contact", Type: "string"},
		{Name: "mobile", Type: "string"}, {Name: "score", Type: "decimal"}, {Name: "utm_source", Type: "string"}}
	a.Decision, a.SourceName, a.Mappings = "create_new", "dataentity_source_0c0d691b", nil
	for i := range fields {
		fields[i].Required = true
		id := fmt.Sprint(i + 1)
		a.Mappings = append(a.Mappings, llmtest.Mapping{Sources: []string{"s" + id}, Target: "n" + id, Op: "direct", Args: []llmtest.Argument{}, Band: "high", Why: "equal"})
	}
	fields = append(fields, llmtest.Field{Name: "source_system_1011", Type: "string"})
	a.NewEntity = llmtest.NewEntity{Name: capturedEntity, Fields: fields}
	a.Mappings = append(a.Mappings, llmtest.Mapping{Sources: []string{}, Target: "n7", Op: "constant",
		Args: []llmtest.Argument{{Name: "literal", Value: "stub"}}, Band: "high", Why: "constant"})
	a.Unmapped = []string{}
}

func captured(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return decode[map[string]any](t, []byte(strings.ReplaceAll(string(text), `"DataEntity"`, `"`+capturedEntity+`"`)))
}

// The captured schema goes through the whole system once more: what it leaves in the
// tables and what the listener hears are the replaced job's, value for value, besides
// ids, times, words of the model and our own additional keys.
func TestLaravelRowsAndEventsAreThoseOfTheReplacedJob(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t), llmtest.Changed("captured", capturedAnswer))
	app.with("BROADCAST_SAMPLES", "on")
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant})
	who := app.addUser(app.tenant)
	app.start(t)
	row := captured(t, "laravel/testdata/row-schema-completed.json")
	sample := row["sample_data"].([]any)[0] // one object is what the ingestion service posts
	answer := decode[posted](t, app.request(201, "POST", "/api/schemas", user{}, map[string]any{
		"tenant_id": app.tenant, "hash": row["hash"], "detected_fields": row["detected_fields"], "sample_data": sample,
	}))
	app.ended()
	id := fmt.Sprint(answer.ID)
	row["sample_data"] = sample
	app.wantCapturedRow(id, row)
	entity := app.value("SELECT max(id) FROM schemas WHERE type = 'struct'")
	app.wantCapturedRow(entity, captured(t, "laravel/testdata/row-entity.json"))
	app.wantValue("none", "SELECT coalesce(min(kafka_topic), min(confirmed_at)::text, min(confirmed_by)::text, 'none') FROM schemas WHERE type = 'struct'")
	app.wantCapturedMappings(id, entity)
	app.wantCapturedEvents(receiver, id, entity)
	page := app.dashboard(who)
	page.wantSoundPage(t)
	if len(page.Sources) != 1 || len(page.Entities) != 1 || len(page.Edges) != 7 || len(page.Analysing) != 0 || page.Sources[0].CreatedAt == "" {
		t.Errorf("the page is %+v", page)
	}
}

// freeText are the places where our words need not be the captured ones.
var freeText = regexp.MustCompile(`\.(reasoning|analysis_timestamp|explanation|confidence|id|tenant_id|note|schema_id|target_schema_id|timestamp)$`)

// differences lists where got is not what was captured. Keys that only got has are
// ours and pass; lists must be equally long.
func differences(path string, want, got any) []string {
	if freeText.MatchString(path) && fmt.Sprintf("%T", want) == fmt.Sprintf("%T", got) {
		return nil
	}
	var list []string
	switch want := want.(type) {
	case map[string]any:
		have, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %v, want an object", path, got)}
		}
		for key, value := range want {
			found, ok := have[key]
			if !ok {
				list = append(list, path+"."+key+" is missing")
				continue
			}
			list = append(list, differences(path+"."+key, value, found)...)
		}
	case []any:
		have, ok := got.([]any)
		if !ok || len(have) != len(want) {
			return []string{fmt.Sprintf("%s is %v, want %d elements", path, got, len(want))}
		}
		for i := range want {
			list = append(list, differences(fmt.Sprintf("%s[%d]", path, i), want[i], have[i])...)
		}
	default:
		if diff := cmp.Diff(want, got); diff != "" {
			list = append(list, fmt.Sprintf("%s is %v, want %v", path, got, want))
		}
	}
	slices.Sort(list)
	return list
}

func (a *laravel) wantCapturedRow(id string, want map[string]any) {
	a.t.Helper()
	delete(want, "note")
	for column, value := range want {
		got := decode[any](a.t, []byte(a.value("SELECT coalesce(to_json("+column+")::text, 'null') FROM schemas WHERE id = $1", id)))
		for _, difference := range differences("."+column, value, got) {
			a.t.Errorf("row %s: %s", id, difference)
		}
	}
}

func (a *laravel) wantCapturedMappings(id, entity string) {
	a.t.Helper()
	want := captured(a.t, "laravel/testdata/rows-mappings.json")["rows"]
	got := decode[any](a.t, []byte(a.value("SELECT json_agg(m ORDER BY id)::text FROM schema_mappings m WHERE schema_id = $1 AND target_schema_id = $2", id, entity)))
	for _, difference := range differences("rows", want, got) {
		a.t.Errorf("schema_mappings: %s", difference)
	}
	a.wantValue("0", "SELECT count(*) FROM schema_mappings WHERE created_at IS NULL OR updated_at IS NULL")
}

// wantCapturedEvents compares field by field, and the order of the keys at the top.
func (a *laravel) wantCapturedEvents(receiver *testenv.Receiver, id, entity string) {
	a.t.Helper()
	today := a.value("SELECT to_char(created_at, 'YYYY-MM-DD') FROM schemas WHERE id = $1", id)
	for i, m := range receiver.WaitForStates(2, patience) {
		kind := []string{"started", "completed"}[i]
		want := captured(a.t, "testdata/event-"+kind+".json")["data"].(map[string]any)
		if kind == "completed" {
			want["data"].(map[string]any)["bronze_schema"].(map[string]any)["created_at"] = today
		}
		var got map[string]any
		m.Decode(a.t, &got)
		for _, difference := range differences("", want, got) {
			a.t.Errorf("event %s: %s\n%s", kind, difference, m.Payload)
		}
		if fmt.Sprint(got["schema_id"]) != id || got["tenant_id"] != a.tenant {
			a.t.Errorf("event %s is of schema %v of %v", kind, got["schema_id"], got["tenant_id"])
		}
		if kind == "completed" {
			silver := got["data"].(map[string]any)["silver_entity"].(map[string]any)
			if fmt.Sprint(silver["id"]) != entity {
				a.t.Errorf("the entity of the event is %v, want %s", silver["id"], entity)
			}
		}
		if !eventTime.MatchString(fmt.Sprint(got["timestamp"])) {
			a.t.Errorf("timestamp is %v", got["timestamp"])
		}
		if !strings.HasPrefix(string(m.Payload), `{"status":"`+kind+`","schema_id":`) {
			a.t.Errorf("event %s begins with %.60s", kind, m.Payload)
		}
	}
}

var eventTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$`)
