package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/testenv"
)

// This file is about status and events.

// statuses are what the listener heard of the schema's life cycle, in order.
func statuses(t *testing.T, messages []testenv.Message) string {
	t.Helper()
	var list []string
	for _, m := range messages {
		var e event
		m.Decode(t, &e)
		if e.Status != "" {
			list = append(list, e.Status)
		}
	}
	return strings.Join(list, " ")
}

// The row was completed before its entity existed, and stayed so when that failed.
func TestLaravelDefect11CompletedMeansCompleted(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	app.exec(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no entities today'; END $$;
		CREATE TRIGGER refuse BEFORE INSERT ON schemas FOR EACH ROW WHEN (NEW.type = 'struct') EXECUTE FUNCTION refuse()`)
	app.start(t)
	id := app.post(app.tenant, columns("furnace_id furnace_heat"), nil)
	app.awaitValue("retry", "SELECT coalesce(min(outcome), '') FROM schemacast_attempts")
	app.wantNothingWritten(id)
	app.exec("DROP TRIGGER refuse ON schemas")
	app.ended()
	app.wantRow(id, good)
	app.wantEvents(id, "started completed")
	if n := app.llm.Count(); n != 1 {
		t.Errorf("%d calls of the model, want 1: the answer was saved", n)
	}
}

// A dead event server turned a result into a failure, and three paid analyses.
func TestLaravelDefect12PublishingNeverChangesTheOutcome(t *testing.T) {
	t.Parallel()
	soketi := testenv.StartSoketi(t)
	app := newLaravel(t, soketi.SoketiApp)
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant, Watchdog: true})
	app.start(t)
	soketi.Stop()
	id := app.post(app.tenant, columns("antenna_id antenna_gain"), nil)
	app.awaitValue("completed", "SELECT ai_analysis_status FROM schemas WHERE id = $1", id)
	app.wantRow(id, good)
	app.wantValue("1 completed 0", "SELECT concat_ws(' ', r.attempts, r.outcome, s.sent_seq) FROM schemacast_runs r JOIN schemacast_streams s USING (schema_id)")
	receiver.WaitDisconnected(patience)
	soketi.Start()
	receiver.WaitReady(2, patience)
	app.ended()
	app.wantRow(id, good)
	app.wantEvents(id, "started completed")
	app.wantValue("0", "SELECT count(*) FROM schemacast_events WHERE dropped <> ''")
	if n := app.llm.Count(); n != 1 {
		t.Errorf("%d calls of the model, want 1", n)
	}
}

// A value of a type that nobody expected ended the job without a word.
func TestLaravelDefect13OddRowsEndWithAWord(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	app.start(t)
	var ids []string
	for _, fields := range []string{
		`[null]`, `[[]]`, `["a"]`, `7`, `null`, `"text"`, `[{"name":7,"type":[]}]`, `[{"name":"deep","type":{"a":1}}]`,
		`[{"name":"x","sample_value":{"y":[1,{"z":null}]},"required":"yes"}]`, `[{"name":null,"type":null}]`,
	} {
		id := app.insertShape(rowShape{name: fields, rawFields: fields, rawSample: `[[[]],null,1e999]`, set: "created_at = NULL, updated_at = NULL, kafka_topic = NULL"})
		ids = append(ids, id)
	}
	app.wantArtisan(0, "", append([]string{"schemacast:analyze"}, ids...)...)
	app.ended()
	app.wantValue("0", "SELECT count(*) FROM schemas WHERE type = 'input' AND ai_analysis_status NOT IN ('completed', 'failed')")
	app.wantValue(fmt.Sprintf("%d %[1]d", len(ids)), "SELECT concat_ws(' ', count(*) FILTER (WHERE kind = 'started'), count(*) FILTER (WHERE kind IN ('completed', 'failed'))) FROM schemacast_events")
	app.wantValue("0", "SELECT count(*) FROM schemas WHERE ai_analysis_status = 'failed' AND (ai_analysis_error NOT LIKE 'detected_fields %' OR length(ai_analysis_error) > 300)")
}

// A killed worker left its row in processing for ever. Nobody helps here: claim, sweep and
// task are the dead worker's for half a minute, and then another's.
func TestLaravelDefect14KilledWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t), llmtest.Hang())
	app.with("WORKER_SWEEP_INTERVAL", "1s")
	first := app.start(t)
	id := app.post(app.tenant, columns("buoy_id buoy_depth"), nil)
	app.asked(1)
	first.kill()
	app.wantRow(id, "pending input processing")
	app.start(t)
	app.ended()
	app.wantRow(id, good)
	app.wantEvents(id, "started completed")
}

// Every failed attempt was told, and every new one too.
func TestLaravelDefect15FailedIsToldOnce(t *testing.T) {
	t.Parallel()
	nonsense := llmtest.Content("I would rather not say.")
	app := newLaravel(t, testenv.Soketi(t), nonsense)
	app.llm.Otherwise(nonsense)
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant})
	app.start(t)
	id := app.post(app.tenant, columns("sonar_id sonar_range"), nil)
	app.ended()
	app.wantRow(id, "pending input failed")
	if got := statuses(t, receiver.WaitForStates(2, patience)); got != "started failed" {
		t.Errorf("the listener heard %q", got)
	}
	if n := decode[int](t, []byte(app.value("SELECT attempts FROM schemacast_runs"))); n < 2 {
		t.Errorf("%d attempts: nothing was tried again", n)
	}
}

// Two workers analysed one schema when its job was delivered twice.
func TestLaravelDefect16AskedForManyTimes(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	who := app.addUser(app.tenant)
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant})
	release := app.hold()
	id := app.post(app.tenant, columns("rudder_id rudder_angle"), nil)
	ask := func() {
		app.again(who, id)
		app.wantArtisan(0, "", "schemacast:analyze", id, "--queue=schemas-backfill")
		app.enqueue([]string{id})
	}
	ask() // before
	app.start(t)
	app.start(t)
	app.asked(1)
	ask() // meanwhile
	app.with("REDIS_CLIENT", "predis")
	app.configure()
	ask()
	release()
	app.ended()
	app.wantRow(id, good)
	app.wantValue("1 1", "SELECT concat_ws(' ', count(*), sum(attempts)::text) FROM schemacast_runs")
	if got := statuses(t, receiver.WaitForStates(2, patience)); got != "started completed" || app.llm.Count() != 1 {
		t.Errorf("the listener heard %q after %d calls of the model", got, app.llm.Count())
	}
	app.wantOneMappingEach(id, "rudder_angle rudder_id")
}

// Soketi drops an event of more than 100 KB and answers 200.
func TestLaravelDefect17WideSchemasAreTold(t *testing.T) {
	t.Parallel()
	const limit = 102_400
	app := newLaravel(t, testenv.Soketi(t))
	app.with("BROADCAST_SAMPLES", "on", "ANALYSIS_ENGINE", "offline")
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant})
	app.start(t)
	for i, wide := range []struct {
		fields, sample int
		without        []string // keys of data that the event of completion lacks
		truncated      string
	}{
		{fields: 50, sample: 40},
		{fields: 700, sample: 400, truncated: `"truncated":["sample_value"]`},
		{fields: 3000, sample: 40, without: []string{"bronze_schema", "silver_entity"}, truncated: `"truncated":["bronze_schema","silver_entity"]`},
	} {
		fields := columns(wideNames(wide.fields))
		for f := range fields {
			fields[f].Name = fmt.Sprintf("w%d_%s", i, fields[f].Name)
			fields[f].Sample = strings.Repeat("é", wide.sample/2)
		}
		id := app.post(app.tenant, fields, map[string]any{"a": 1})
		app.ended()
		app.wantRow(id, good)
		messages := lifecycle(receiver.WaitUntil(patience, func(all []testenv.Message) bool { return len(lifecycle(all)) >= 2*(i+1) }))
		last := string(messages[2*i+1].Payload)
		for _, key := range []string{"bronze_schema", "silver_entity"} {
			if has := strings.Contains(last, `"`+key+`":{`); has == slices.Contains(wide.without, key) {
				t.Errorf("%d fields: has %s is %t: %.300s", wide.fields, key, has, last)
			}
		}
		if !strings.Contains(last, wide.truncated) || !strings.Contains(last, `"mappings_count":`) || len(last) > limit {
			t.Errorf("%d fields: %d bytes, want %s: %.300s", wide.fields, len(last), wide.truncated, last)
		}
	}
	app.wantValue("0", "SELECT count(*) FROM schemacast_events WHERE dropped <> ''")
}

// lifecycle leaves progress out.
func lifecycle(all []testenv.Message) []testenv.Message {
	return slices.DeleteFunc(slices.Clone(all), func(m testenv.Message) bool { return m.Event != "schema.analysis" })
}

// Whoever knew the key of the app could read values of customers.
func TestLaravelDefect18NoSampleValuesInEvents(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant})
	worker := app.start(t)
	fields := columns("patient_id patient_name patient.note")
	for i := range fields {
		fields[i].Sample = map[string]any{"inner": "Jane Roe", "sample_value": "Jane Roe"}
	}
	app.post(app.tenant, fields, map[string]any{"patient_id": "Jane Roe", "patient_name": "Jane Roe", "patient": map[string]any{"note": "Jane Roe"}})
	app.ended()
	for _, m := range receiver.WaitForStates(2, patience) {
		if strings.Contains(string(m.Payload), "Jane Roe") || strings.Contains(string(m.Payload), "sample_value") {
			t.Errorf("an event holds a sample value: %s", m.Payload)
		}
	}
	if strings.Contains(app.llm.Last().User, "Jane Roe") || strings.Contains(worker.log.String(), "Jane Roe") {
		t.Error("the prompt or the log holds a sample value")
	}
}

// The page shows a failed schema as busy; row, route and event say what happened, and
// one line of its query mends the page.
func TestLaravelDefect19FailureIsVisible(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t), llmtest.Unauthorized())
	who := app.addUser(app.tenant)
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant})
	app.start(t)
	id := app.post(app.tenant, columns("winch_id winch_load"), nil)
	app.ended()
	app.wantRow(id, "pending input failed")
	said := app.advice(who, id)
	if said.Status != "failed" || said.Error == nil || said.AnalyzedAt == nil || said.Recommendations != nil {
		t.Fatalf("the route tells %+v", said)
	}
	messages := receiver.WaitForStates(2, patience)
	wantShape(t, "event-failed.json", messages[1])
	if !strings.Contains(string(messages[1].Payload), jsonText(t, *said.Error)) || strings.Contains(*said.Error, llmtest.Key) || strings.Contains(*said.Error, "SQLSTATE") {
		t.Errorf("the event %s and the row %q", messages[1].Payload, *said.Error)
	}
	page := app.dashboard(who)
	if len(page.Analysing) != 1 || len(page.AnalysingWithoutFailed) != 0 {
		t.Errorf("analysing: %v as it was, %v with the changed line", page.Analysing, page.AnalysingWithoutFailed)
	}
}
