package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/testenv"
)

// The tests of the files laravel_defects_* are named by the numbers of the defects that
// the replaced job and its Python service had; each shows that ours does it right. This
// file is about data and tenants.

// A second tenant with equal fields collided with the first one's hash.
func TestLaravelDefect01HashesOfAnotherTenant(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	other := app.addTenant("-b", "Initech")
	app.start(t)
	first := app.post(app.tenant, columns("part_id part_name"), nil)
	app.ended()
	second := app.post(other, columns("Part_ID Part_Name"), nil) // other names, equal canonical fields
	app.ended()
	app.wantOneMappingEach(first, "part_id part_name")
	app.wantOneMappingEach(second, "Part_ID Part_Name")
	app.wantValue("2 2 2", "SELECT concat_ws(' ', count(*), count(DISTINCT hash), count(DISTINCT tenant_id)) FROM schemas WHERE type = 'struct'")
	// The salted entity is found again.
	third := app.post(other, columns("PartId PartName"), nil)
	app.ended()
	app.wantOneMappingEach(third, "PartId PartName")
	app.wantValue("2", "SELECT count(*) FROM schemas WHERE type = 'struct'")

	// The app's own route can not store an equal input of the second tenant: the index is
	// the app's, and so is that insert. What we insert goes around it.
	app.request(500, "POST", "/api/schemas", user{}, shape(other, columns("part_id part_name"), nil))
	csv := app.file("parts.csv", "part_id,part_name\nx,y\n")
	app.want(0, "2 of 2 fields mapped", "enqueue", "file", csv, "--tenant", other, "--wait")
	app.wantValue("1", "SELECT count(*) FROM schemas WHERE type = 'input' AND tenant_id = $1 AND hash <> $2 AND detected_fields::text LIKE '%part_id%'",
		other, inputHash(columns("part_id part_name")))
	app.want(0, "known", "enqueue", "file", csv, "--tenant", other, "--wait")
}

// An input of one field had the hash of the entity made from it.
func TestLaravelDefect02OneField(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	app.start(t)
	id := app.post(app.tenant, columns("sku"), nil)
	app.ended()
	app.wantRow(id, good)
	app.wantOneMappingEach(id, "sku")
	app.wantEvents(id, "started completed")
	app.wantValue("string", "SELECT detected_fields -> 0 ->> 'type' FROM schemas WHERE type = 'struct'") // so both rules gave one text
}

// An id from the model was taken as it was: any row of any tenant.
func TestLaravelDefect03EntitiesOfOthers(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	other := app.addTenant("-b", "Initech")
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant})
	app.start(t)
	theirs := app.post(other, columns("ledger_id ledger_secret"), nil)
	app.ended()
	app.exec("UPDATE schemas SET name = 'TheirSecretEntity' WHERE type = 'struct'")
	app.llm.Script(llmtest.InventedEntity())
	ours := app.post(app.tenant, columns("Ledger_Id Ledger_Note"), nil)
	app.ended()
	app.wantOneMappingEach(ours, "Ledger_Id Ledger_Note")
	app.wantOneMappingEach(theirs, "ledger_id ledger_secret")
	for _, request := range app.llm.Requests()[1:] {
		if strings.Contains(request.User, "TheirSecretEntity") || strings.Contains(request.User, "ledger_secret") {
			t.Errorf("a prompt holds another tenant's entity:\n%s", request.User)
		}
	}
	for _, m := range receiver.WaitForStates(2, patience) {
		if strings.Contains(string(m.Payload), "ecret") {
			t.Errorf("an event holds another tenant's entity: %s", m.Payload)
		}
	}
}

// The chosen entity may stop being one of this tenant while the model thinks.
func TestLaravelDefect03EntityChangesMeanwhile(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	other := app.addTenant("-b", "Initech")
	app.start(t)
	for i, change := range []string{"tenant_id = '" + other + "'", "status = 'pending'", "type = 'entity'"} {
		name := fmt.Sprintf("gauge%d", i)
		app.post(app.tenant, columns(name+"_id "+name+"_unit"), nil)
		app.ended()
		entity := app.value("SELECT max(id) FROM schemas WHERE type = 'struct'")
		release, asked := app.hold(), app.llm.Count()
		id := app.post(app.tenant, columns(name+"_ID "+name+"_Unit "+name+"_note"), nil)
		app.asked(asked + 1)
		app.exec("UPDATE schemas SET " + change + " WHERE id = " + entity)
		release()
		app.ended()
		app.wantValue("0", "SELECT count(*) FROM schema_mappings WHERE schema_id = $1 AND target_schema_id = $2", id, entity)
		app.wantOneMappingEach(id, name+"_ID "+name+"_Unit "+name+"_note")
		app.wantEvents(id, "started completed")
	}
}

// Unknown and doubled names were stored and became edges that lead nowhere.
func TestLaravelDefect04UnknownAndDoubledFields(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t), llmtest.InventedIDs())
	who := app.addUser(app.tenant)
	app.start(t)
	invented := app.post(app.tenant, columns("pump_id pump_flow pump_head"), nil)
	app.ended()
	app.llm.Script(llmtest.DuplicateTargets(), llmtest.DuplicateTargets())
	doubled := app.post(app.tenant, columns("valve_id valve_size valve_kind"), nil)
	app.ended()
	app.wantOneMappingEach(invented, "pump_flow pump_head pump_id")
	app.wantValue("0", "SELECT count(*) FROM (SELECT FROM schema_mappings GROUP BY schema_id, mapping_definition #>> '{schema_mapping,fields,0,fieldName}' HAVING count(*) > 1) AS doubled")
	app.wantRow(doubled, good)
	said := app.advice(who, doubled).Recommendations
	if len(said.FieldMappings) != 2 || len(said.Unmapped) == 0 || said.Unmapped[0].SourceField == "" || said.Unmapped[0].Code == "" {
		t.Errorf("the result does not say what was left out: %+v", said)
	}
	app.dashboard(who).wantSoundPage(t)
}

// A second run deleted what humans had made, and renamed the schema.
func TestLaravelDefect05HumanWorkSurvives(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	who := app.addUser(app.tenant)
	app.start(t)
	for name, decision := range map[string]string{
		"edited mapping":                  "UPDATE schema_mappings SET formula_expression = '$uppercase(x)', mapping_type = 'formula', formula_language = 'JSONata' WHERE id = (SELECT min(id) FROM schema_mappings WHERE schema_id = $1)",
		"deleted mapping and one by hand": "UPDATE schema_mappings SET mapping_definition = '{\"type\":\"manual\"}' WHERE schema_id = $1",
		"saved by hand":                   "UPDATE schemas SET type = 'entity', confirmed_at = now() WHERE id = $1",
		"rejected":                        "UPDATE schemas SET status = 'rejected' WHERE id = $1",
	} {
		id := app.post(app.tenant, columns(strings.ReplaceAll(name, " ", "_")+"_id lot_number"), nil)
		app.ended()
		app.exec(decision, id)
		app.exec("UPDATE schemas SET name = 'A human''s name' WHERE id = $1", id)
		before := app.humanWork(id)
		if name == "rejected" {
			app.request(409, "POST", "/api/schemas/"+id+"/analyze", who, map[string]any{})
		} else {
			app.again(who, id)
		}
		app.ended()
		if diff := cmp.Diff(before, app.humanWork(id)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		// Only who says so replaces it.
		app.request(202, "POST", "/api/schemas/"+id+"/analyze", who, map[string]any{"force": true})
		app.awaitValue("0", "SELECT count(*) FROM schemacast_runs WHERE active_schema_id IS NOT NULL")
		if before == app.humanWork(id) {
			t.Errorf("%s: force changed nothing", name)
		}
	}
	app.wantValue("true", "SELECT bool_and(requested_by = $1) FROM schemacast_runs WHERE force", fmt.Sprint(who.ID))
}

// What a human confirmed during the model's answer was overwritten by it.
func TestLaravelDefect06HumanDecidesMeanwhile(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant})
	release := app.hold()
	app.start(t)
	id := app.post(app.tenant, columns("crane_id crane_load"), nil)
	app.asked(1)
	app.exec("UPDATE schemas SET type = 'entity', status = 'confirmed', confirmed_at = now(), name = 'Crane by hand' WHERE id = $1", id)
	entity := app.value("INSERT INTO schemas (created_at, hash, name, tenant_id, sample_data, detected_fields, type, status) VALUES (now(), 'crane', 'Crane', $1, "+
		`'[{}]', '[{"name":"crane_id","type":"string"}]', 'struct', 'confirmed') RETURNING id`, app.tenant)
	app.exec("INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, created_at) VALUES ($1, $2, 'crane_id', now())", id, entity)
	before := app.humanWork(id)
	release()
	app.ended()
	if diff := cmp.Diff(before, app.humanWork(id)); diff != "" {
		t.Errorf("what the human decided (-want +got):\n%s", diff)
	}
	app.wantValue("completed kept_human t", "SELECT concat_ws(' ', s.ai_analysis_status, r.outcome, s.ai_recommendations IS NOT NULL) FROM schemas s JOIN schemacast_runs r ON r.schema_id = s.id")
	told := string(receiver.WaitForStates(2, patience)[1].Payload)
	for _, want := range []string{`"status":"completed"`, `"name":"Crane by hand"`, `"type":"entity"`, `"name":"Crane","hash":"crane"`, `"mappings_count":1`} {
		if !strings.Contains(told, want) {
			t.Errorf("the event has no %s: %s", want, told)
		}
	}
}

// The result was seven commits and more; a crash left any part of them.
func TestLaravelDefect07AllOrNothing(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	release := app.hold()
	first := app.start(t)
	id := app.post(app.tenant, columns("wagon_id wagon_axles"), nil)
	app.asked(1)
	unlock := app.lockRow(id)
	release()
	app.awaitValue("1", "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
	app.wantNothingWritten(id)
	first.kill()
	unlock()
	app.wantNothingWritten(id)
	app.makeStale()
	app.start(t)
	app.wantArtisan(0, "", "schemacast:analyze", id, "--queue=schemas-backfill") // the dead worker's task blocks the other queue
	app.ended()
	app.wantRow(id, good)
	app.wantOneMappingEach(id, "wagon_axles wagon_id")
	app.wantEvents(id, "started completed")
	app.wantValue("1", "SELECT count(*) FROM schemas WHERE type = 'struct'")
	if n := app.llm.Count(); n != 1 {
		t.Errorf("%d calls of the model, want 1: the answer was saved", n)
	}
}

// The job confirmed everything, and nobody could say otherwise.
func TestLaravelDefect08ConfirmingIsAPolicy(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	always := app.start(t)
	id := app.post(app.tenant, columns("kiln_id kiln_heat"), nil)
	app.ended()
	app.wantRow(id, good)
	app.wantValue("0", "SELECT count(*) FROM schemas WHERE confirmed_at IS NOT NULL OR confirmed_by IS NOT NULL")
	always.stop()
	app.with("ANALYSIS_CONFIRM", "verified")
	app.start(t)
	app.exec(`UPDATE schemas SET detected_fields = '[{"name":"kiln_id","type":"string"},{"name":"kiln_heat","type":"string"},{"name":"kiln_owner","type":"string","required":true}]' WHERE type = 'struct'`)
	doubtful := app.post(app.tenant, columns("kiln_id kiln_heat kiln_note"), nil) // nothing for what the entity requires
	app.ended()
	app.wantRow(doubtful, "pending input completed")
	app.wantOneMappingEach(doubtful, "kiln_heat kiln_id")
	sure := app.post(app.tenant, columns("loom_id loom_width"), nil)
	app.ended()
	app.wantRow(sure, good)
}

// Two jobs at once each made a Customer.
func TestLaravelDefect09TwoAtOnce(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	who := app.addUser(app.tenant)
	first, second := app.hold(), app.hold()
	app.start(t)
	app.start(t)
	ids := []string{
		app.post(app.tenant, columns("customer_id customer_name customer_mail"), nil),
		app.post(app.tenant, columns("CustomerId CustomerName CustomerMail loyalty_points"), nil),
	}
	app.asked(2) // both see no entity yet
	first()
	second()
	app.ended()
	app.wantValue("Customer", "SELECT string_agg(name, ' ') FROM schemas WHERE type = 'struct'")
	app.wantValue("2", "SELECT count(DISTINCT schema_id) FROM schema_mappings")
	for _, id := range ids {
		app.wantRow(id, good)
	}
	app.dashboard(who).wantSoundPage(t)
}

// PostgreSQL refused what was too long after the model was paid.
func TestLaravelDefect10TooLongAndUnstorable(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t), llmtest.Changed("too long", func(a *llmtest.Answer) {
		a.SourceName = strings.Repeat("ä", 400) + "\x00"
		a.NewEntity.Name = "Turbine" + strings.Repeat("日本", 300) + "\x00"
		a.NewEntity.Fields[0].Name = "rotor" + strings.Repeat("x", 500)
		a.NewEntity.Fields[1].Description = "nul \x00 here"
		a.Reasoning = strings.Repeat("because \x00", 5000)
	}))
	who := app.addUser(app.tenant)
	app.start(t)
	fields := columns("rotor_id turbine_id deep_id deeper_id")
	fields[2].Name = "deep." + strings.Repeat("er.", 80) + "id" // fits the column, just
	fields[3].Name = "deep." + strings.Repeat("er.", 90) + "id" // does not
	id := app.post(app.tenant, fields, nil)
	app.ended()
	app.wantRow(id, good)
	app.wantEvents(id, "started completed")
	if n := app.llm.Count(); n != 1 {
		t.Errorf("%d calls of the model, want 1", n)
	}
	said := app.advice(who, id).Recommendations
	if said.EntityName == "" || strings.Contains(jsonText(t, said), `\u0000`) || len(said.FieldMappings) != 3 || len(said.Unmapped) != 1 {
		t.Errorf("the recommendations are %+v", said)
	}
	app.dashboard(who).wantSoundPage(t)
}
