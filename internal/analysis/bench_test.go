package analysis_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
)

// wide is a schema of n fields, flat or under one parent, with sample rows.
func wide(t testing.TB, n int, parent string) schema.Schema {
	t.Helper()
	fields := make([]map[string]any, n)
	row := make(map[string]any, n)
	for i := range n {
		name := fmt.Sprintf("%s_%s_%d", []string{"meter", "pump", "valve", "tank"}[i%4], []string{"pressure", "state", "flow", "level", "alarm"}[i%5], i)
		fields[i] = map[string]any{"name": parent + name, "type": "float", "required": true}
		row[name] = float64(i) + 0.5
	}
	rows := []any{row, row, row, row, row}
	if parent != "" {
		for i := range rows {
			rows[i] = map[string]any{parent[:len(parent)-1]: row}
		}
	}
	encodedFields, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	encodedRows, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	return bronze(t, string(encodedFields), string(encodedRows))
}

// wideEntity is an entity of n fields that a wide schema partly fits.
func wideEntity(n int) schema.Entity {
	e := entity(77, "Plant")
	for i := range n {
		e.Fields = append(e.Fields, field(fmt.Sprintf("%s_%s_%d", []string{"meter", "pump", "valve", "tank"}[i%4], []string{"pressure", "state", "flow", "level", "alarm"}[i%5], i), "decimal"))
	}
	return e
}

// BenchmarkOffline5000 holds the bar of 2 s for 5,000 fields against 500.
func BenchmarkOffline5000(b *testing.B) {
	for _, bench := range []struct {
		name     string
		parent   string
		entities []schema.Entity
	}{
		{"map to 500 fields", "", []schema.Entity{wideEntity(500)}},
		{"map to 5000 fields", "", []schema.Entity{wideEntity(5000)}},
		{"new entity", "", nil},
		{"new entity from nested fields", "payload.", nil},
	} {
		b.Run(bench.name, func(b *testing.B) {
			bed := setup(b, analysis.Config{CreateBelow: 0.01}, bench.entities)
			s := wide(b, 5000, bench.parent)
			b.ReportAllocs()
			for b.Loop() {
				bed.analyze(b, s, nil)
			}
		})
	}
}
func BenchmarkAsked5000(b *testing.B) {
	s, e := strange(b, 5000)
	e.Fields = e.Fields[:500]
	truth := strangeTruth(schema.Schema{Fields: s.Fields[:500]}, e)
	for _, bench := range []struct {
		name string
		id   int64
	}{{"existing", e.ID}, {"new", 0}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bed := oracle(b, analysis.Config{}, []schema.Entity{e}, knowing(bench.id, truth))
				bed.analyze(b, s, nil)
				saved := bed.recorder.saved[len(bed.recorder.saved)-1]
				b.ReportMetric(float64(len(saved)), "checkpoint-bytes")
				b.ReportMetric(float64(len(bed.model.asked)), "questions")
			}
		})
	}
}
