package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/testenv"
)

// This file is about how an analysis is asked for.

// A job for a row that was not committed yet was done at once.
func TestLaravelDefect29OpenTransactions(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	batch := func(shapes ...map[string]any) map[string]any { return map[string]any{"schemas": shapes} }
	first, second := shape(app.tenant, columns("hull_id hull_length"), nil), shape(app.tenant, columns("mast_id mast_height"), nil)
	app.request(500, "POST", "/api/schemas/batch", user{}, batch(first, second, first)) // the third breaks the index
	app.wantValue("0", "SELECT (SELECT count(*) FROM schemas) + (SELECT count(*) FROM schemacast_runs)")
	if keys := app.redis.Keys(t.Context(), "*").Val(); len(keys) > 0 {
		t.Errorf("a transaction that was rolled back left %v in Redis", keys)
	}
	type outcome struct {
		SchemaID int64  `json:"schema_id"`
		Outcome  string `json:"outcome"`
	}
	outcomes := decode[[]outcome](t, app.request(201, "POST", "/api/schemas/batch", user{}, batch(first, second)))
	for _, o := range outcomes {
		if o.Outcome != "deferred" {
			t.Errorf("schema %d is %s in an open transaction", o.SchemaID, o.Outcome)
		}
	}
	// A row that is deleted before its turn is no work and no failure of anybody.
	app.exec("DELETE FROM schemas WHERE id = $1", outcomes[0].SchemaID)
	app.start(t)
	app.awaitValue("completed", "SELECT ai_analysis_status FROM schemas WHERE id = $1", outcomes[1].SchemaID)
	app.ended()
	app.wantValue("0", "SELECT count(*) FROM schemacast_events WHERE schema_id = $1", outcomes[0].SchemaID)
}

// The order of fields is random, and every number of JSON is a float.
func TestLaravelDefect30OrderAndNumbers(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	app.with("ANALYSIS_ENGINE", "offline")
	other := app.addTenant("-b", "Initech")
	app.start(t)
	fields := columns("meter_id:float meter_reading:float meter_unit")
	fields[0].Sample, fields[1].Sample = 28585.0, 17.0
	first := app.post(app.tenant, fields, nil)
	app.ended()
	mapped := func(id string) string {
		return app.value(`SELECT string_agg(concat_ws('>', m.field_path, m.mapping_definition #>> '{schema_mapping,fields,0,fieldName}', m.mapping_definition #>> '{schema_mapping,fields,0,fieldType}'), ' ' ORDER BY m.field_path)
			FROM schema_mappings m WHERE schema_id = $1`, id)
	}
	backwards := slices.Clone(fields)
	slices.Reverse(backwards)
	second := decode[posted](t, app.request(201, "POST", "/api/schemas", user{}, map[string]any{
		"tenant_id": other, "hash": "another", "detected_fields": backwards, "sample_data": map[string]any{"meter_id": 1.0}}))
	app.ended()
	if diff := cmp.Diff(mapped(first), mapped(fmt.Sprint(second.ID))); diff != "" {
		t.Errorf("the same fields in another order (-first +second):\n%s", diff)
	}
	if strings.Contains(mapped(first), "integer") {
		t.Errorf("a float became an integer: %s", mapped(first))
	}
}

// The route behind the button "analyse again" failed, always.
func TestLaravelDefect31AnalyseAgain(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t), llmtest.Unauthorized())
	who := app.addUser(app.tenant)
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant})
	app.start(t)
	id := app.post(app.tenant, columns("canal_id canal_depth"), nil)
	app.ended()
	app.wantRow(id, "pending input failed")
	app.again(who, id)
	app.ended()
	app.wantRow(id, good)
	app.again(who, id) // and what was completed can be repeated too
	app.ended()
	app.wantOneMappingEach(id, "canal_depth canal_id")
	app.wantValue(fmt.Sprintf(",%d,%[1]d", who.ID), "SELECT string_agg(requested_by, ',' ORDER BY requested_ms) FROM schemacast_runs")
	if got := statuses(t, receiver.WaitForStates(6, patience)); got != "started failed started completed started completed" {
		t.Errorf("the listener heard %q", got)
	}
	if advice := app.advice(who, id); advice.Error != nil {
		t.Errorf("the old error is still there: %s", *advice.Error)
	}
}
