package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

// This file holds the steps that tests of the Laravel application are made of.

// detected is one of detected_fields as the ingestion service posts it.
type detected struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Sample   any    `json:"sample_value"`
	Required bool   `json:"required"`
}

// columns makes detected fields of "name:type" words; without a type it is string.
func columns(words string) []detected {
	var list []detected
	for word := range strings.FieldsSeq(words) {
		name, typ, _ := strings.Cut(word, ":")
		if typ == "" {
			typ = "string"
		}
		list = append(list, detected{Name: name, Type: typ, Sample: "x", Required: true})
	}
	return list
}

// inputHash is the hash that the ingestion service gives a shape.
func inputHash(fields []detected) string {
	var list []schema.Field
	for _, f := range fields {
		list = append(list, schema.Field{Name: f.Name, Type: f.Type})
	}
	return schema.InputHash(list)
}

// posted is the application's answer to a new shape.
type posted struct {
	ID       int64  `json:"id"`
	Status   string `json:"status"`
	Analysis *struct {
		Outcome string `json:"outcome"`
		Reason  string `json:"reason"`
	} `json:"analysis"`
}

// post sends a new shape to the application as the ingestion service does, and wants
// it queued.
func (a *laravel) post(tenant string, fields []detected, sample any) string {
	a.t.Helper()
	answer := decode[posted](a.t, a.request(201, "POST", "/api/schemas", user{}, shape(tenant, fields, sample)))
	// A sweeper that looks every second may have found the row first.
	if answer.Analysis == nil || answer.Analysis.Outcome != "enqueued" && answer.Analysis.Outcome != "already_queued" {
		a.t.Fatalf("the analysis of schema %d is %+v, want it queued\n%s", answer.ID, answer.Analysis, a.log())
	}
	return fmt.Sprint(answer.ID)
}

// shape is the body of POST /api/schemas.
func shape(tenant string, fields []detected, sample any) map[string]any {
	if sample == nil {
		row := map[string]any{}
		for _, f := range fields {
			row[f.Name] = f.Sample
		}
		sample = row
	}
	return map[string]any{"tenant_id": tenant, "hash": inputHash(fields), "detected_fields": fields, "sample_data": sample}
}

// addTenant adds a tenant whose id no other test uses.
func (a *laravel) addTenant(suffix, name string) string {
	a.t.Helper()
	id := a.tenant + suffix
	a.exec("INSERT INTO tenants (id, name, created_at) VALUES ($1, $2, now())", id, name)
	return id
}

// ended waits until the analyses of all rows have ended, and their events are sent.
func (a *laravel) ended() {
	a.t.Helper()
	a.awaitValue("0", "SELECT count(*) FROM schemas WHERE type = 'input' AND status = 'pending' AND ai_analysis_status IN ('pending', 'processing')")
	a.awaitValue("0", "SELECT count(*) FROM schemacast_runs WHERE active_schema_id IS NOT NULL")
	a.awaitValue("0", "SELECT count(*) FROM schemacast_streams WHERE sent_seq < last_seq")
}

// wantRow compares status, type and ai_analysis_status of a row.
func (a *laravel) wantRow(id, want string) {
	a.t.Helper()
	a.wantValue(want, "SELECT concat_ws(' ', status, type, ai_analysis_status) FROM schemas WHERE id = $1", id)
}

// wantEvents compares the kinds of a schema's events, progress left out.
func (a *laravel) wantEvents(id, want string) {
	a.t.Helper()
	a.wantValue(want, "SELECT coalesce(string_agg(kind, ' ' ORDER BY seq), '') FROM schemacast_events WHERE kind <> 'progress' AND schema_id = $1", id)
}

// wantNothingWritten wants a tenant for whom a run has begun, and no part of a result.
func (a *laravel) wantNothingWritten(id string) {
	a.t.Helper()
	a.wantRow(id, "pending input processing")
	a.wantValue("0", "SELECT (SELECT count(*) FROM schema_mappings) + (SELECT count(*) FROM schemas WHERE type = 'struct' OR ai_recommendations IS NOT NULL OR name IS NOT NULL)")
	a.wantEvents(id, "started")
}

// wantOneMappingEach wants exactly these field paths mapped, each once, to an entity of
// the schema's own tenant.
func (a *laravel) wantOneMappingEach(id, paths string) {
	a.t.Helper()
	a.wantValue(paths, `SELECT coalesce(string_agg(m.field_path, ' ' ORDER BY m.field_path COLLATE "C"), '') FROM schema_mappings m
		JOIN schemas s ON s.id = m.schema_id
		JOIN schemas e ON e.id = m.target_schema_id AND e.type = 'struct' AND e.status = 'confirmed' AND e.tenant_id = s.tenant_id
		WHERE s.id = $1`, id)
	a.wantValue(fmt.Sprint(len(strings.Fields(paths))), "SELECT count(*) FROM schema_mappings WHERE schema_id = $1", id)
}

// dashboard is what the existing dashboard's page makes of its queries.
type dashboard struct {
	Sources   []node  `json:"sources"`
	Entities  []node  `json:"entities"`
	Edges     []edge  `json:"edges"`
	Analysing []int64 `json:"analysing"`
	// AnalysingWithoutFailed is the same after the one-line change of the package's README.
	AnalysingWithoutFailed []int64 `json:"analysing_without_failed"`
	Stats                  struct {
		Schemas   int `json:"schemas"`
		Entities  int `json:"entities"`
		Analysing int `json:"analysing"`
	} `json:"stats"`
}

type node struct {
	ID        int64    `json:"id"`
	Label     string   `json:"label"`
	Tenant    string   `json:"tenant"`
	CreatedAt string   `json:"created_at"`
	Handles   []string `json:"handles"`
}

type edge struct {
	Source     string `json:"source"`
	Target     string `json:"target"`
	Formula    string `json:"formula"`
	Language   string `json:"language"`
	SourceType string `json:"source_type"`
	TargetType string `json:"target_type"`
}

// dashboard loads the page as a user.
func (a *laravel) dashboard(who user) dashboard {
	a.t.Helper()
	return decode[dashboard](a.t, a.request(200, "GET", "/api/dashboard", who, nil))
}

// dangling are the edges with an end that no node has. The page draws constants from
// a handle that does not exist, as it always did.
func (d dashboard) dangling() []edge {
	handles := map[string]bool{}
	for _, n := range append(slices.Clone(d.Sources), d.Entities...) {
		for _, handle := range n.Handles {
			handles[handle] = true
		}
	}
	var list []edge
	for _, e := range d.Edges {
		constant := strings.HasSuffix(e.Source, "-") && e.Formula != ""
		if !handles[e.Target] || !handles[e.Source] && !constant {
			list = append(list, e)
		}
	}
	return list
}

// wantSoundPage wants a page without dangling edges and without two entities of one
// name, whose handles could not be told apart.
func (d dashboard) wantSoundPage(t *testing.T) {
	t.Helper()
	if diff := cmp.Diff([]edge(nil), d.dangling()); diff != "" {
		t.Errorf("edges that lead nowhere (-want +got):\n%s", diff)
	}
	names := map[string]bool{}
	for _, n := range d.Entities {
		if names[n.Label] {
			t.Errorf("two entities are called %q", n.Label)
		}
		names[n.Label] = true
	}
}

// advice is the answer of GET /api/schemas/{id}/ai-recommendations.
type advice struct {
	Recommendations *struct {
		Action          string `json:"action"`
		Engine          string `json:"engine"`
		EntityName      string `json:"entity_name"`
		CanonicalSchema struct {
			Fields []schema.Field `json:"fields"`
		} `json:"canonical_schema"`
		FieldMappings []struct {
			SourceField string  `json:"source_field"`
			TargetField string  `json:"target_field"`
			Formula     *string `json:"jsonata_formula"`
			Confidence  float64 `json:"confidence"`
		} `json:"field_mappings"`
		Unmapped []struct {
			SourceField string `json:"source_field"`
			TargetField string `json:"target_field"`
			Code        string `json:"code"`
		} `json:"unmapped"`
	} `json:"recommendations"`
	Status     string  `json:"status"`
	AnalyzedAt *string `json:"analyzed_at"`
	Error      *string `json:"error"`
}

func (a *laravel) advice(who user, id string) advice {
	a.t.Helper()
	return decode[advice](a.t, a.request(200, "GET", "/api/schemas/"+id+"/ai-recommendations", who, nil))
}

// again asks for another analysis as the button does, and wants it accepted.
func (a *laravel) again(who user, id string) {
	a.t.Helper()
	a.request(202, "POST", "/api/schemas/"+id+"/analyze", who, map[string]any{})
}

// jsonText encodes a value that always encodes.
func jsonText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
