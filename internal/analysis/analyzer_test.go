package analysis_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
)

// pairsOf are the mappings as "source -> target", with the operation unless direct.
func pairsOf(r analysis.Recommendation) []string {
	list := []string{}
	for _, m := range r.Mappings {
		pair := strings.Join(m.Sources, "+") + " -> " + m.Target
		if m.Op != schema.OpDirect {
			pair += " (" + string(m.Op) + ")"
		}
		list = append(list, pair)
	}
	return list
}

// gapsOf are the unmapped as "source -> target: code".
func gapsOf(r analysis.Recommendation) []string {
	list := []string{}
	for _, u := range r.Unmapped {
		list = append(list, u.Source+" -> "+u.Target+": "+u.Code)
	}
	return list
}

func TestOfflineMapsOntoExisting(t *testing.T) {
	t.Parallel()
	b := setup(t, analysis.Config{}, shop())
	result := b.analyze(t, bronze(t, customerFields, customerRow), nil)
	r := result.Recommendation

	if r.Action != analysis.ActionMapToExisting || r.EntityID != 11 || r.EntityName != "Customer" {
		t.Fatalf("decision is %s %d %q, want the entity Customer", r.Action, r.EntityID, r.EntityName)
	}
	want := []string{
		"cust_id -> customer_id", "fname -> first_name", "lname -> last_name",
		"mail -> email", "mobile_1 -> phone", "dob -> birth_date",
	}
	if diff := cmp.Diff(want, pairsOf(r)); diff != "" {
		t.Errorf("mappings (-want +got):\n%s", diff)
	}
	for _, m := range r.Mappings {
		if m.Engine != schema.EngineOffline || m.Confidence > 0.75 || m.Confidence < 0.5 {
			t.Errorf("mapping of %v: engine %s, confidence %g; want offline and at most .75", m.Sources, m.Engine, m.Confidence)
		}
	}
	if r.Engine != schema.EngineOffline || r.Model != "" || r.Similarity == nil || *r.Similarity < 70 {
		t.Errorf("engine %q, model %q, similarity %v", r.Engine, r.Model, r.Similarity)
	}
	if diff := cmp.Diff(map[int64]bool{11: true, 12: true, 13: true}, result.Seen); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{analysis.StageMatch, analysis.StageVerify}, b.recorder.stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
}

// TestOfflineSameThingInOtherWords maps a second source, which shares next to no name
// with the first.
func TestOfflineSameThingInOtherWords(t *testing.T) {
	t.Parallel()
	b := setup(t, analysis.Config{}, shop())
	r := b.analyze(t, bronze(t,
		`[{"name":"contact_id","type":"string"},{"name":"given_name","type":"string"},{"name":"family_name","type":"string"},
		  {"name":"e_mail_address","type":"email"},{"name":"mobile","type":"phone"},{"name":"born_on","type":"date"},
		  {"name":"address.city","type":"string"},{"name":"lifetime_value","type":"float"}]`,
		`{"contact_id":"c-77","given_name":"Ana","family_name":"Silva","e_mail_address":"ana@silva.example","mobile":"+351 21 000 1111",
		  "born_on":"1988-11-03","address":{"city":"Lisboa"},"lifetime_value":1299.5}`), nil).Recommendation
	want := []string{
		"given_name -> first_name", "family_name -> last_name", "e_mail_address -> email", "mobile -> phone",
		"born_on -> birth_date", "address.city -> city",
	}
	if diff := cmp.Diff(want, pairsOf(r)); diff != "" || r.EntityName != "Customer" {
		t.Errorf("mapped onto %s (-want +got):\n%s", r.EntityName, diff)
	}
}

// TestOfflineCreatesEntity makes the entity of the captured example (without what a
// model added to it).
func TestOfflineCreatesEntity(t *testing.T) {
	t.Parallel()
	b := setup(t, analysis.Config{}, shop())
	r := b.analyze(t, bronze(t,
		`[{"name":"id","type":"float","required":true},{"name":"company_6","type":"string","required":true},
		  {"name":"contact","type":"string","required":true},{"name":"mobile_1","type":"phone","required":true},
		  {"name":"score","type":"float","required":true},{"name":"utm_source_22","type":"string","required":true}]`,
		`[{"id":28585,"company_6":"n/a 0","contact":"Tom Chen","mobile_1":"+44 20 7185 2723","score":32.639,"utm_source_22":"open"}]`,
	), nil).Recommendation

	want := []schema.Field{
		{Name: "id", Type: "decimal", Required: true},
		{Name: "company", Type: "string", Required: true},
		{Name: "contact", Type: "string", Required: true},
		{Name: "mobile", Type: "string", Format: "phone", Required: true},
		{Name: "score", Type: "decimal", Required: true},
		{Name: "utm_source", Type: "string", Required: true},
	}
	if diff := cmp.Diff(want, r.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	wantPairs := []string{
		"id -> id", "company_6 -> company", "contact -> contact", "mobile_1 -> mobile", "score -> score", "utm_source_22 -> utm_source",
	}
	if diff := cmp.Diff(wantPairs, pairsOf(r)); diff != "" {
		t.Errorf("mappings (-want +got):\n%s", diff)
	}
	if r.Action != analysis.ActionCreateNew || r.EntityID != 0 || r.Similarity != nil {
		t.Errorf("decision is %s %d similarity %v, want create_new without them", r.Action, r.EntityID, r.Similarity)
	}
	if r.EntityName != "CompanyContact" || r.SourceName != "company_contact_source_0c0d691b" {
		t.Errorf("names are %q and %q", r.EntityName, r.SourceName)
	}
}

func TestOfflineShapes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	tests := []struct {
		name            string
		fields, samples string
		pairs, gaps     []string
		entity          string
		review          []string
	}{
		{
			name: "one field", fields: `[{"name":"voltage","type":"float"}]`, samples: `{"voltage":230}`,
			pairs: []string{"voltage -> voltage"}, gaps: []string{}, entity: "Voltage",
		},
		{
			name: "no samples", fields: `[{"name":"ticket_id","type":"float"},{"name":"ticket_state","type":"string"}]`, samples: ``,
			pairs: []string{"ticket_id -> ticket_id", "ticket_state -> ticket_state"}, gaps: []string{}, entity: "Ticket",
		},
		{
			name: "samples are scalars", fields: `[{"name":"ticket_id","type":"float"}]`, samples: `[1,"two",null]`,
			pairs: []string{"ticket_id -> ticket_id"}, gaps: []string{}, entity: "Ticket",
		},
		{
			name: "nothing to name it by", fields: `[{"name":"a","type":"string"},{"name":"1","type":"string"},{"name":"__","type":"float"}]`,
			samples: `{"a":"x","1":"y","__":2}`,
			pairs:   []string{"a -> a", "1 -> field_1", "__ -> field_3"}, gaps: []string{}, entity: "Shape2DD4473D",
		},
		{
			name: "same canonical name twice", fields: `[{"name":"tag_1","type":"string"},{"name":"tag_2","type":"string"}]`, samples: `{}`,
			pairs: []string{"tag_1 -> tag_1", "tag_2 -> tag_2"}, gaps: []string{}, entity: "Tag",
		},
		{
			name: "common parent", fields: `[{"name":"payload.reading","type":"float"},{"name":"payload.unit.name","type":"string"}]`,
			samples: `{"payload":{"reading":1.5,"unit":{"name":"bar"}}}`,
			pairs:   []string{"payload.reading -> reading", "payload.unit.name -> unit_name"}, gaps: []string{}, entity: "Reading",
		},
		{
			name: "nested values", fields: `[{"name":"lines","type":"array[object]"},{"name":"meta","type":"object"}]`,
			samples: `{"lines":[{"a":1}],"meta":{"k":"v"}}`,
			pairs:   []string{"lines -> lines", "meta -> meta"}, gaps: []string{}, entity: "LinesMeta",
		},
		{
			name:    "names that can not be stored",
			fields:  `[{"name":"` + long + `","type":"string"},{"name":"nul\u0000","type":"string"},{"name":"engine_hours","type":"float"}]`,
			samples: `{"engine_hours":3}`,
			pairs:   []string{"engine_hours -> engine_hours"},
			gaps:    []string{long[:255] + " -> : no_target", "nul -> : no_target"},
			entity:  "EngineHour", review: []string{analysis.ReviewTruncatedFields},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, analysis.Config{}, nil)
			r := b.analyze(t, bronze(t, tt.fields, tt.samples), nil).Recommendation
			if diff := cmp.Diff(tt.pairs, pairsOf(r)); diff != "" {
				t.Errorf("mappings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.gaps, gapsOf(r)); diff != "" {
				t.Errorf("unmapped (-want +got):\n%s", diff)
			}
			if r.EntityName != tt.entity {
				t.Errorf("entity is named %q, want %q", r.EntityName, tt.entity)
			}
			if diff := cmp.Diff(tt.review, r.Review); diff != "" {
				t.Errorf("review (-want +got):\n%s", diff)
			}
		})
	}
}

// What an analysis made must be what the next one finds, field by field.
func TestOfflineFindsWhatItMade(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"col_%d", "q%d", "outer.k%d", "addr%d_line", "measure %d"} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			var fields []string
			for i := range 30 {
				fields = append(fields, fmt.Sprintf(`{"name":%q,"type":"float"}`, fmt.Sprintf(pattern, i)))
			}
			source := bronze(t, "["+strings.Join(fields, ",")+"]", `{}`)
			made := setup(t, analysis.Config{}, nil).analyze(t, source, nil).Recommendation
			found := setup(t, analysis.Config{}, []schema.Entity{entity(5, made.EntityName, made.Fields...)}).analyze(t, source, nil).Recommendation
			if found.EntityID != 5 {
				t.Fatalf("the second analysis decides %s %q", found.Action, found.EntityName)
			}
			if diff := cmp.Diff(pairsOf(made), pairsOf(found)); diff != "" {
				t.Errorf("mappings (-first +second):\n%s", diff)
			}
		})
	}
}

func TestOfflineReportsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	b := setup(t, analysis.Config{}, []schema.Entity{
		entity(5, "Visit", required("visit_id", "decimal"), field("visit_date", "date"), required("patient_name", "string"), field("ward", "string")),
	})
	r := b.analyze(t, bronze(t,
		`[{"name":"visit_id","type":"string"},{"name":"visit_date","type":"boolean"},{"name":"ward","type":"string"},{"name":"colour","type":"string"}]`,
		`[{"visit_id":"17","visit_date":true,"ward":"B2","colour":"red"}]`), nil).Recommendation
	if diff := cmp.Diff([]string{"visit_id -> visit_id (format_conversion)", "ward -> ward"}, pairsOf(r)); diff != "" {
		t.Errorf("mappings; a cast is no direct mapping (-want +got):\n%s", diff)
	}
	want := []string{"visit_date -> visit_date: type_mismatch", "colour -> : no_target", " -> patient_name: required_missing"}
	if diff := cmp.Diff(want, gapsOf(r)); diff != "" {
		t.Errorf("unmapped (-want +got):\n%s", diff)
	}
	if !slices.Contains(r.Review, analysis.ReviewRequiredMissing) {
		t.Errorf("review is %v, want %s in it", r.Review, analysis.ReviewRequiredMissing)
	}
}

// TestTimesOfTheSource: times are converted from the way in which the source writes
// them, and a guess between day and month is shown.
func TestTimesOfTheSource(t *testing.T) {
	t.Parallel()
	visit := entity(5, "Visit", field("visit_id", "string"), field("visit_date", "date"),
		field("checked_in_at", "datetime"), field("ward_name", "string"))
	tests := []struct {
		name, typ, target string
		dates             []string
		op                schema.Op // "" is unmapped
		formula, review   string    // a part of the formula
	}{
		{"iso", "date", "visit_date", []string{`"2024-03-14"`}, schema.OpDirect, "visit_date", ""},
		{"dots", "date", "visit_date", []string{`"03.04.2024"`}, schema.OpFormatConversion, `[D1].[M1].[Y0001]`, ""},
		{"day beyond 12", "date", "visit_date", []string{`"03/14/2024"`, `"03/04/2024"`}, schema.OpFormatConversion, `[M1]/[D1]/[Y0001]`, ""},
		{"either", "date", "visit_date", []string{`"03/04/2024"`, `"05/06/2024"`}, schema.OpFormatConversion, `[D1]/[M1]/[Y0001]`, analysis.ReviewMappingAmbiguous},
		{"datetime in a text", "string", "visit_date", []string{`"2024-03-14T10:00:00Z"`}, schema.OpFormatConversion, `[Y0001]-[M01]-[D01]`, ""},
		{"date for a datetime", "date", "checked_in_at", []string{`"14.03.2024"`}, schema.OpFormatConversion, `[D1].[M1].[Y0001]`, ""},
		{"seconds", "float", "checked_in_at", []string{"1706659200"}, schema.OpFormatConversion, "* 1000", ""},
		{"a number", "float", "checked_in_at", []string{"17"}, "", "", ""},
		{"no times", "string", "visit_date", []string{`"soon"`}, "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rows := make([]string, len(tt.dates))
			for i, date := range tt.dates {
				rows[i] = fmt.Sprintf(`{"visit_id":"v%d","%s":%s,"ward_name":"B2"}`, i, tt.target, date)
			}
			s := bronze(t, fmt.Sprintf(`[{"name":"visit_id","type":"string"},{"name":"%s","type":"%s"},{"name":"ward_name","type":"string"}]`, tt.target, tt.typ),
				"["+strings.Join(rows, ",")+"]")
			r := setup(t, analysis.Config{}, []schema.Entity{visit}).analyze(t, s, nil).Recommendation
			var m schema.Mapping
			if i := slices.IndexFunc(r.Mappings, func(m schema.Mapping) bool { return m.Target == tt.target }); i >= 0 {
				m = r.Mappings[i]
			}
			if m.Op != tt.op || !strings.Contains(m.Formula, tt.formula) || m.Review != tt.review {
				t.Errorf("mapping is %+v, want %q with %q, review %q; unmapped are %+v", m, tt.op, tt.formula, tt.review, r.Unmapped)
			}
		})
	}
}

// TestTimesOfANewEntity: a new entity gets dates where they are sure, and else the
// text, so that nothing is lost.
func TestTimesOfANewEntity(t *testing.T) {
	t.Parallel()
	b := setup(t, analysis.Config{}, nil)
	r := b.analyze(t, bronze(t, `[{"name":"due","type":"date"},{"name":"paid","type":"date"},{"name":"hours","type":"string"}]`,
		`[{"due":"14.03.2024","paid":"03/04/2024","hours":40},{"due":"15.03.2024","paid":"05/06/2024","hours":"38,5"}]`), nil).Recommendation
	want := []schema.Field{{Name: "due", Type: "date"}, {Name: "paid", Type: "string"}, {Name: "hours", Type: "string"}}
	if diff := cmp.Diff(want, r.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"due -> due (format_conversion)", "paid -> paid", "hours -> hours (format_conversion)"}, pairsOf(r)); diff != "" {
		t.Errorf("mappings (-want +got):\n%s", diff)
	}
}

func TestBadEntitiesDoNotBlock(t *testing.T) {
	t.Parallel()
	entities := append(shop(), entity(20, ""), entity(21, "Empty"), entity(22, "Nul\x00", field("mail", "string")),
		entity(23, "Odd", field("", "string"), field("a\x00", "string")))
	b := setup(t, analysis.Config{}, entities)
	result := b.analyze(t, bronze(t, customerFields, customerRow), nil)
	if result.Recommendation.EntityID != 11 {
		t.Errorf("mapped to entity %d, want 11", result.Recommendation.EntityID)
	}
	if !result.Seen[21] {
		t.Error("an entity that can not be mapped to was not counted as seen")
	}
}

func TestForeignEntityIsAnError(t *testing.T) {
	t.Parallel()
	foreign := entity(99, "Customer", field("email", "string"))
	foreign.TenantID = "somebody-else"
	b := setup(t, analysis.Config{}, append(shop(), foreign))
	_, err := b.analyzer.Analyze(t.Context(), b.recorder.request(bronze(t, customerFields, customerRow), nil))
	if err == nil || !strings.Contains(err.Error(), "entity 99 of another tenant") {
		t.Errorf("error is %v, want one about entity 99", err)
	}
}

func TestAnalyzeErrors(t *testing.T) {
	t.Parallel()
	t.Run("no usable field", func(t *testing.T) {
		t.Parallel()
		b := setup(t, analysis.Config{}, nil)
		s := bronze(t, `[{"name":"x","type":"string"}]`, `{}`)
		s.Fields[0].Name = "x\x00"
		_, err := b.analyzer.Analyze(t.Context(), b.recorder.request(s, nil))
		var fields *schema.FieldsError
		if !errors.As(err, &fields) {
			t.Errorf("error is %v, want a *schema.FieldsError", err)
		}
	})
	t.Run("catalog", func(t *testing.T) {
		t.Parallel()
		b := setup(t, analysis.Config{}, nil)
		b.catalog.err = errors.New("connection refused")
		_, err := b.analyzer.Analyze(t.Context(), b.recorder.request(bronze(t, customerFields, ``), nil))
		if !errors.Is(err, b.catalog.err) {
			t.Errorf("error is %v, want the catalog's", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		b := setup(t, analysis.Config{}, shop())
		cause := errors.New("cancelled by somebody")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		_, err := b.analyzer.Analyze(ctx, b.recorder.request(bronze(t, customerFields, customerRow), nil))
		if !errors.Is(err, cause) {
			t.Errorf("error is %v, want the cause of the context", err)
		}
	})
	t.Run("request", func(t *testing.T) {
		t.Parallel()
		b := setup(t, analysis.Config{}, nil)
		if _, err := b.analyzer.Analyze(t.Context(), analysis.Request{Schema: bronze(t, customerFields, ``)}); err == nil {
			t.Error("a request without Save was accepted")
		}
	})
}

func TestNewRefusesBadConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]analysis.Config{
		"threshold": {CreateBelow: 1.5},
		"cache":     {CachedBytes: -1},
		"fallback":  {Fallback: "maybe"},
	} {
		if _, err := analysis.New(&catalog{}, nil, cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := analysis.New(nil, nil, analysis.Config{}); err == nil {
		t.Error("no catalog: accepted")
	}
}

// TestChangedCatalogIsSeen guards the cache of indexes: an entity that changed, and
// kept its id and name, must be matched as it is now.
func TestChangedCatalogIsSeen(t *testing.T) {
	t.Parallel()
	b := setup(t, analysis.Config{}, shop())
	s := bronze(t, `[{"name":"sku","type":"string"},{"name":"title","type":"string"},{"name":"price","type":"float"},{"name":"warehouse","type":"string"}]`, `{}`)
	if gaps := gapsOf(b.analyze(t, s, nil).Recommendation); !slices.Contains(gaps, "warehouse -> : no_target") {
		t.Fatalf("unmapped are %v, want warehouse among them", gaps)
	}
	changed := shop()
	changed[2].Fields = append(changed[2].Fields, field("warehouse", "string"))
	b.catalog.entities = changed
	if pairs := pairsOf(b.analyze(t, s, nil).Recommendation); !slices.Contains(pairs, "warehouse -> warehouse") {
		t.Errorf("mappings are %v, want the new field among them", pairs)
	}
}

// TestConcurrentAnalyses shares one index between analyses; the race detector looks
// on.
func TestConcurrentAnalyses(t *testing.T) {
	t.Parallel()
	b := setup(t, analysis.Config{}, shop())
	s := bronze(t, customerFields, customerRow)
	done := make(chan string)
	for range 8 {
		go func() {
			r, err := b.analyzer.Analyze(t.Context(), (&recorder{}).request(s, nil))
			if err != nil {
				done <- err.Error()
				return
			}
			done <- fmt.Sprint(pairsOf(r.Recommendation))
		}()
	}
	first := <-done
	for range 7 {
		if other := <-done; other != first {
			t.Errorf("two analyses differ:\n%s\n%s", first, other)
		}
	}
}

func TestWideSchemas(t *testing.T) {
	t.Parallel()
	t.Run("new entity", func(t *testing.T) {
		t.Parallel()
		r := setup(t, analysis.Config{}, nil).analyze(t, wide(t, 5000, "payload."), nil).Recommendation
		if len(r.Fields) != 5000 || len(r.Mappings) != 5000 || len(r.Unmapped) != 0 {
			t.Errorf("%d fields, %d mappings, %d unmapped; want 5000, 5000, 0", len(r.Fields), len(r.Mappings), len(r.Unmapped))
		}
	})
	t.Run("existing entity", func(t *testing.T) {
		t.Parallel()
		b := setup(t, analysis.Config{CreateBelow: 0.01}, []schema.Entity{wideEntity(500)})
		r := b.analyze(t, wide(t, 5000, ""), nil).Recommendation
		if r.EntityID != 77 || len(r.Mappings) < 490 || len(r.Mappings)+len(r.Unmapped) != 5000 {
			t.Errorf("entity %d, %d mappings, %d unmapped", r.EntityID, len(r.Mappings), len(r.Unmapped))
		}
	})
	t.Run("more than are analysed", func(t *testing.T) {
		t.Parallel()
		r := setup(t, analysis.Config{}, nil).analyze(t, wide(t, 5003, ""), nil).Recommendation
		if len(r.Mappings) != 5000 || len(r.Unmapped) != 3 {
			t.Errorf("%d mappings, %d unmapped; want 5000 and 3", len(r.Mappings), len(r.Unmapped))
		}
	})
}

// TestResultsAreRepeatable: the same input gives the same bytes, whatever the order
// of maps.
func TestResultsAreRepeatable(t *testing.T) {
	t.Parallel()
	s := bronze(t, customerFields, customerRow)
	var first []byte
	for range 20 {
		r := setup(t, analysis.Config{}, shop()).analyze(t, s, nil).Recommendation
		encoded, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = encoded
		}
		if diff := cmp.Diff(string(first), string(encoded)); diff != "" {
			t.Fatalf("two runs differ (-first +later):\n%s", diff)
		}
	}
}
