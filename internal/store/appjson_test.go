package store

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
)

// golden reads a file of testdata.
func golden(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func goldenJSON(t *testing.T, name string) map[string]any {
	t.Helper()
	return decodeJSON(t, golden(t, name)).(map[string]any)
}

// The captured rows of the job that this service replaced are committed again by
// us; what the app reads must be the same.
func TestRowsAreTheOnesThatTheAppReads(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		captured := goldenJSON(t, "row-schema-completed.json")
		fields, err := json.Marshal(captured["detected_fields"])
		g.must(err)
		id := g.insert(g.tenant, captured["hash"].(string), string(fields))
		g.commit(g.claim(id, "a"), capturedRecommendation(t, captured))

		var row struct{ Recommendations, Name, EntityFields, EntitySample, EntityHash, EntityName, EntityRest string }
		g.must(g.db.Raw("SELECT "+g.dialect.text("s.ai_recommendations")+" AS recommendations, s.name, "+g.dialect.text("e.detected_fields")+" AS entity_fields, "+
			g.dialect.text("e.sample_data")+" AS entity_sample, e.hash AS entity_hash, e.name AS entity_name, e.type || ' ' || e.status || ' ' || e.ai_analysis_status AS entity_rest "+
			"FROM schemas s, schemas e WHERE s.id = ? AND e.type = 'struct'", id).Scan(&row).Error)
		entity := goldenJSON(t, "row-entity.json")
		for name, pair := range map[string][2]any{
			"name":          {captured["name"], row.Name},
			"entity fields": {entity["detected_fields"], decodeJSON(t, row.EntityFields)},
			"entity sample": {entity["sample_data"], decodeJSON(t, row.EntitySample)},
			"entity hash":   {entity["hash"], row.EntityHash},
			"entity name":   {entity["name"], row.EntityName},
			"entity rest":   {"struct confirmed completed", row.EntityRest},
			"mappings":      {capturedMappings(t), g.mappings(id)},
		} {
			if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		wantRecommendation(t, captured["ai_recommendations"].(map[string]any), decodeJSON(t, row.Recommendations).(map[string]any))
	})
}

// wantRecommendation wants every captured key with its value; ours may add keys.
func wantRecommendation(t *testing.T, want, got map[string]any) {
	t.Helper()
	for key, value := range want {
		switch key {
		case "analysis_timestamp":
			if text, _ := got[key].(string); len(text) != len("2025-10-27T12:34:56.123456") {
				t.Errorf("%s = %v", key, got[key])
			}
		case "field_mappings":
			mappings := got[key].([]any)
			for i, m := range value.([]any) {
				for k, v := range m.(map[string]any) {
					if diff := cmp.Diff(v, mappings[i].(map[string]any)[k]); diff != "" {
						t.Errorf("field_mappings[%d].%s (-want +got):\n%s", i, k, diff)
					}
				}
			}
		default:
			if diff := cmp.Diff(value, got[key]); diff != "" {
				t.Errorf("ai_recommendations.%s (-want +got):\n%s", key, diff)
			}
		}
	}
}

func capturedRecommendation(t *testing.T, captured map[string]any) analysis.Recommendation {
	t.Helper()
	text, err := json.Marshal(captured["ai_recommendations"])
	if err != nil {
		t.Fatal(err)
	}
	r := decodeRecommendation(string(text))
	if r == nil {
		t.Fatal("the captured recommendation can not be read")
	}
	for i := range r.Mappings {
		r.Mappings[i].Engine = schema.EngineLLM
	}
	return *r
}

func capturedMappings(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, r := range goldenJSON(t, "rows-mappings.json")["rows"].([]any) {
		row := r.(map[string]any)
		list = append(list, fmt.Sprint(row["field_path"], " ", row["is_array"], " ", row["mapping_type"], " ", orNull(row["formula_expression"]), " ", orNull(row["formula_language"]), " ", row["mapping_definition"]))
	}
	return list
}

func (g *ground) mappings(id int64) []string {
	g.t.Helper()
	var rows []struct {
		FieldPath, MappingType, Definition string
		IsArray                            bool
		FormulaExpression, FormulaLanguage *string
	}
	g.must(g.db.Raw("SELECT field_path, is_array, mapping_type, formula_expression, formula_language, "+g.dialect.text("mapping_definition")+
		" AS definition FROM schema_mappings WHERE schema_id = ? AND created_at = updated_at ORDER BY id", id).Scan(&rows).Error)
	var list []string
	for _, r := range rows {
		null := func(s *string) any {
			if s == nil {
				return orNull(nil)
			}
			return *s
		}
		list = append(list, fmt.Sprint(r.FieldPath, " ", r.IsArray, " ", r.MappingType, " ", null(r.FormulaExpression), " ", null(r.FormulaLanguage), " ", decodeJSON(g.t, r.Definition)))
	}
	return list
}

func orNull(v any) any {
	if v == nil {
		return "NULL"
	}
	return v
}
