package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/testenv"
)

// rowShape is one of the shapes that rows of the app's table have.
type rowShape struct {
	name string
	// fields and sample are what the ingestion service posts; without fields the row is
	// written as columns say, for what its route refuses.
	fields []detected
	sample any
	// raw are columns of an inserted row: those of detected_fields and sample_data, and
	// an expression that sets others.
	rawFields, rawSample, set string
	// want is status, type and ai_analysis_status at the end.
	want string
	// mapped are the field paths of its mappings, any when empty.
	mapped string
	// error is a part of ai_analysis_error.
	error string
}

const good = "confirmed input completed"

var manyTypes = "n1:null b1:boolean i1:integer f1:float s1:string e1:email u1:url uu:uuid p1:phone j1:json d1:date dt:datetime ts:timestamp " +
	"o1:object as:array[string] am:array[mixed:string] ae:array[empty] an:array[array[float]] nn:number zz:whatever"

var rowShapes = []rowShape{
	{name: "one object", fields: columns("order_id order_total:float"), want: good, mapped: "order_id order_total",
		sample: map[string]any{"order_id": "A-7", "order_total": 12.5}},
	{name: "nested object, dotted names", fields: columns("ship.address.city ship.address.zip ship.id"), want: good, mapped: "ship.address.city ship.address.zip ship.id",
		sample: map[string]any{"ship": map[string]any{"id": "7", "address": map[string]any{"city": "Ulm", "zip": "89073"}}}},
	{name: "list of objects", fields: columns("van_id van_plate"), want: good, mapped: "van_id van_plate",
		sample: []any{map[string]any{"van_id": "1", "van_plate": "UL-1"}, map[string]any{"van_id": "2"}}},
	{name: "list of scalars", fields: columns("tag_id tag_word"), sample: []any{1, "two", nil, true}, want: good},
	{name: "mixed list", fields: columns("mix_id mix_word"), sample: []any{1, map[string]any{"mix_id": "1"}, []any{}}, want: good},
	{name: "object with the key 0", fields: columns("0 zero_id"), sample: map[string]any{"0": "x", "zero_id": "1"}, want: good, mapped: "0 zero_id"},
	{name: "one field", fields: columns("lonely_code"), want: good, mapped: "lonely_code"},
	{name: "every type", fields: columns(manyTypes), want: good},
	{name: "names with everything", want: good, fields: []detected{
		{Name: "Straße Nr.", Type: "string"}, {Name: "日本語", Type: "string"}, {Name: "quote\"d", Type: "string"}, {Name: "back\\slash", Type: "string"},
		{Name: "pipe | s9 |", Type: "string"}, {Name: " spaces ", Type: "string"}, {Name: "😀", Type: "string"},
		{Name: "$eval('x')", Type: "string"}, {Name: "`tick`", Type: "string"}, {Name: "<b>", Type: "string"}, {Name: "naming_id", Type: "string"}}},
	{name: "wide", fields: columns(wideNames(400)), want: good},
	{name: "large sample", fields: columns("blob_id blob_text"), want: good, sample: map[string]any{"blob_id": 1, "blob_text": strings.Repeat("ä", 60_000)}},

	{name: "sample []", rawFields: `[{"name":"bare_id","type":"string"},{"name":"bare_word","type":"string"}]`, rawSample: `[]`, want: good, mapped: "bare_id bare_word"},
	{name: "sample {}", rawFields: `[{"name":"void_id","type":"string"},{"name":"void_word","type":"string"}]`, rawSample: `{}`, want: good},
	{name: "sample null", rawFields: `[{"name":"nil_id","type":"string"},{"name":"nil_word","type":"string"}]`, rawSample: `null`, want: good},
	{name: "sample with escapes that no text holds", rawFields: `[{"name":"esc_id","type":"string"},{"name":"esc_word","type":"string"}]`,
		rawSample: `{"esc_id":"a\u0000b","esc_word":"\ud800"}`, want: good},
	{name: "fields named twice", rawFields: `[{"name":"twin_id","type":"string"},{"name":"twin_id","type":"float"},{"name":"twin_word","type":"string"}]`, want: good, mapped: "twin_id twin_word"},
	{name: "no time of creation", rawFields: `[{"name":"timeless_id","type":"string"},{"name":"timeless_word","type":"string"}]`, set: "created_at = NULL", want: good},
	{name: "a name that a human gave", rawFields: `[{"name":"named_id","type":"string"},{"name":"named_word","type":"string"}]`, set: "name = 'Ours'", want: good},
	{name: "a field without a name", rawFields: `[{"type":"string"},{"name":"","type":"string"},null,7,{"name":"odd_id"},{"name":"odd_word","type":null}]`, want: good},
	{name: "no fields", rawFields: `[]`, want: "pending input failed", error: "field"},
	{name: "fields are an object", rawFields: `{"a":1}`, want: "pending input failed", error: "field"},
	{name: "rejected", rawFields: `[{"name":"no_id","type":"string"}]`, set: "status = 'rejected'", want: "rejected input pending"},
	{name: "disabled", rawFields: `[{"name":"off_id","type":"string"}]`, set: "ai_analysis_status = 'disabled'", want: "pending input disabled"},
}

func wideNames(n int) string {
	var names strings.Builder
	for i := range n {
		fmt.Fprintf(&names, "wide_%c_%d ", 'a'+i%26, i)
	}
	return names.String()
}

// Rows of every shape are stored by the application or by hand, asked for by both Redis
// clients of PHP, and analysed; the page, which the replaced job's rows could crash,
// loads after all of them.
func TestLaravelRowsOfEveryShape(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant})
	who := app.addUser(app.tenant)
	ids := make([]string, len(rowShapes))
	var inserted []string
	for i, s := range rowShapes {
		if len(s.fields) > 0 {
			ids[i] = app.post(app.tenant, s.fields, s.sample)
			continue
		}
		ids[i] = app.insertShape(s)
		inserted = append(inserted, ids[i])
	}
	app.with("REDIS_CLIENT", "predis")
	app.configure()
	app.wantArtisan(1, "2 refused", append([]string{"schemacast:analyze"}, inserted...)...)
	human := app.humanRows()
	app.start(t)
	app.ended()
	for i, s := range rowShapes {
		t.Run(s.name, func(t *testing.T) { app.wantShape(t, who, ids[i], s) })
	}
	app.wantValue("Ours", "SELECT name FROM schemas WHERE hash = 'raw a name that a human gave'")
	app.wantHumanRows(human)
	app.wantAllStored()
	for id, statuses := range app.told(receiver) {
		if statuses != "started completed" && statuses != "started failed" {
			t.Errorf("schema %s: the listener heard %q", id, statuses)
		}
	}
	app.exec("UPDATE schemas SET created_at = now() WHERE created_at IS NULL") // the page crashes on those, as it always did
	app.dashboard(who).wantSoundPage(t)
}

// The page splits sourcePath at commas, unless sourceFields says what the inputs are.
func TestLaravelNamesWithACommaAreOneInput(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	who := app.addUser(app.tenant)
	app.start(t)
	id := app.post(app.tenant, []detected{{Name: "street,no", Type: "string", Sample: "x"}, {Name: "house_id", Type: "string", Sample: "x"}}, nil)
	app.ended()
	app.wantOneMappingEach(id, "house_id street,no")
	app.dashboard(who).wantSoundPage(t)
}

// insertShape writes a row as somebody with a database client does.
func (a *laravel) insertShape(s rowShape) string {
	a.t.Helper()
	sample := s.rawSample
	if sample == "" {
		sample = `{"a":1}`
	}
	id := a.value("INSERT INTO schemas (created_at, hash, tenant_id, sample_data, detected_fields) VALUES (now(), $1, $2, $3::text::json, $4::text::json) RETURNING id",
		"raw "+s.name, a.tenant, sample, s.rawFields)
	if s.set != "" {
		a.exec("UPDATE schemas SET "+s.set+" WHERE id = $1", id)
	}
	return id
}

// wantShape compares the end of one row.
func (a *laravel) wantShape(t *testing.T, who user, id string, s rowShape) {
	t.Helper()
	on := &laravel{ground: &ground{t: t, db: a.db, tenant: a.tenant}, dir: a.dir, url: a.url}
	on.wantRow(id, s.want)
	said := on.advice(who, id)
	if s.error != "" && (said.Error == nil || !strings.Contains(*said.Error, s.error)) {
		t.Errorf("the error is %v, want %q in it", said.Error, s.error)
	}
	if s.want != good {
		on.wantValue("0", "SELECT count(*) FROM schema_mappings WHERE schema_id = $1", id)
		return
	}
	if said.Status != "completed" || said.Error != nil || said.AnalyzedAt == nil || said.Recommendations == nil ||
		len(said.Recommendations.CanonicalSchema.Fields) == 0 {
		t.Fatalf("the route tells %+v", said)
	}
	if s.mapped != "" {
		on.wantOneMappingEach(id, s.mapped)
	}
	// What is neither mapped nor listed as unmapped was lost.
	told := map[string]bool{}
	for _, m := range said.Recommendations.FieldMappings {
		told[m.SourceField] = true
	}
	for _, u := range said.Recommendations.Unmapped {
		told[u.SourceField] = true
	}
	for _, f := range s.fields {
		if !told[f.Name] {
			t.Errorf("nothing is said about the field %q", f.Name)
		}
	}
}

// wantAllStored wants rows that the app can read: in every column that it casts.
func (a *laravel) wantAllStored() {
	a.t.Helper()
	a.wantValue("0", `SELECT count(*) FROM schemas WHERE ai_analysis_status = 'completed' AND (
		json_typeof(ai_recommendations -> 'field_mappings') <> 'array' OR json_typeof(ai_recommendations -> 'canonical_schema' -> 'fields') <> 'array'
		OR ai_recommendations ->> 'action' NOT IN ('create_new', 'map_to_existing') OR ai_analysis_error IS NOT NULL OR ai_analyzed_at IS NULL OR updated_at IS NULL)`)
	a.wantValue("0", "SELECT count(*) FROM schema_mappings WHERE json_array_length(mapping_definition -> 'schema_mapping' -> 'fields') <> 1")
	a.wantValue("0", "SELECT count(*) FROM schema_mappings WHERE (mapping_type = 'formula') <> (formula_expression IS NOT NULL AND formula_language = 'JSONata')")
	a.wantValue("0", "SELECT count(*) FROM schemas WHERE type = 'struct' AND name <> 'ByHand' AND (created_at IS NULL OR name IS NULL OR status <> 'confirmed' OR json_array_length(sample_data) <> 1)")
	a.wantValue("0", "SELECT sum(pending_records)::text FROM schemas")
}

// humanRows writes what people decided by hand, and asks for their analysis. It returns
// all columns and mappings of those rows.
func (a *laravel) humanRows() map[string]string {
	a.t.Helper()
	fields := `[{"name":"hand_id","type":"string"},{"name":"hand_word","type":"string"}]`
	entity := a.value("INSERT INTO schemas (created_at, hash, name, tenant_id, sample_data, detected_fields, type, status) VALUES (now(), 'hand-entity', 'ByHand', $1, "+
		`'{"hand_id":"1"}', '[{"name":"hand_id","type":"string","is_external_id":true,"source_field":"hand_id"}]', 'struct', 'confirmed') RETURNING id`, a.tenant)
	rows := map[string]string{}
	for name, set := range map[string]string{
		"mapped by hand": "type = 'entity', status = 'confirmed', confirmed_at = now(), name = 'Mine'",
		"confirmed":      "status = 'confirmed', name = 'Mine too'",
		"mapped, open":   "name = 'Mine as well'",
	} {
		id := a.insertShape(rowShape{name: name, rawFields: fields, set: set})
		definition := `{"entity_name":"ByHand","created_via":"ui","schema_mapping":{"fields":[{"sourcePath":"hand_id","fieldName":"hand_id","sourceType":"string","fieldType":"string","isArray":false}]}}`
		a.exec("INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, mapping_definition, created_at) VALUES ($1, $2, 'hand_id', $3::text::json, now())", id, entity, definition)
		rows[id] = ""
		a.wantArtisan(0, "", "schemacast:analyze", id)
	}
	for id := range rows {
		rows[id] = a.humanWork(id)
	}
	return rows
}

// humanWork is what a human decided about a row.
func (a *laravel) humanWork(id string) string {
	a.t.Helper()
	return a.value(`SELECT json_build_object('name', s.name, 'type', s.type, 'status', s.status, 'confirmed', s.confirmed_at,
		'mappings', (SELECT json_agg(m) FROM schema_mappings m WHERE m.schema_id = s.id))::text FROM schemas s WHERE s.id = $1`, id)
}

func (a *laravel) wantHumanRows(rows map[string]string) {
	a.t.Helper()
	for id, before := range rows {
		if diff := cmp.Diff(before, a.humanWork(id)); diff != "" {
			a.t.Errorf("what a human decided about row %s (-want +got):\n%s", id, diff)
		}
		a.wantValue("completed kept_human", "SELECT s.ai_analysis_status || ' ' || r.outcome FROM schemas s JOIN schemacast_runs r ON r.schema_id = s.id WHERE s.id = $1", id)
		if !json.Valid([]byte(a.value("SELECT ai_recommendations::text FROM schemas WHERE id = $1", id))) {
			a.t.Errorf("row %s has no recommendations", id)
		}
	}
}
