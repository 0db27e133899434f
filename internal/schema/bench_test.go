package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// BenchmarkParseFields reads the list of one entity of ten fields.
func BenchmarkParseFields(b *testing.B) {
	var list []string
	for i := range 10 {
		list = append(list, fmt.Sprintf(`{"name": "customer_field_%d", "type": "string", "required": true, "sample_value": "Erika Mustermann"}`, i))
	}
	raw := json.RawMessage("[" + strings.Join(list, ", ") + "]")
	b.ReportAllocs()
	for b.Loop() {
		if fields, err := ParseFields(raw); err != nil || len(fields) != len(list) {
			b.Fatal(len(fields), err)
		}
	}
}
