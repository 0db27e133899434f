package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parseFieldsByMaps is ParseFields as it says what it means: element by element and key by
// key through encoding/json.
func parseFieldsByMaps(raw json.RawMessage) []Field {
	var elements []json.RawMessage
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '[' || json.Unmarshal(trimmed, &elements) != nil {
		return nil
	}
	var fields []Field
	for _, element := range elements {
		var keys map[string]json.RawMessage
		if json.Unmarshal(element, &keys) != nil {
			continue
		}
		text := func(key string) (s string) {
			if json.Unmarshal(keys[key], &s) != nil {
				return ""
			}
			return s
		}
		field := Field{Name: text("name"), Type: text("type"), Format: text("format"), Description: text("description")}
		field.Required = string(keys["required"]) == "true"
		if sample, ok := keys["sample_value"]; ok && string(sample) != "null" {
			field.Sample = sample
		}
		if field.Name != "" && !slices.ContainsFunc(fields, func(f Field) bool { return f.Name == field.Name }) {
			fields = append(fields, field)
		}
	}
	return fields
}

func sampleRowsByMaps(raw json.RawMessage, limit int) (rows []json.RawMessage) {
	var elements []json.RawMessage
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '[' || json.Unmarshal(trimmed, &elements) != nil {
		return nil
	}
	for _, element := range elements {
		if len(rows) < limit && element[0] == '{' {
			rows = append(rows, element)
		}
	}
	return rows
}

func sameFields(t *testing.T, raw []byte) {
	t.Helper()
	got, err := ParseFields(raw)
	want := parseFieldsByMaps(raw)
	if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != nil) {
		t.Fatalf("fields of %q, %v (-want +got):\n%s", raw, err, diff)
	}
	if trimmed := bytes.TrimSpace(raw); len(trimmed) > 0 && trimmed[0] == '[' {
		if diff := cmp.Diff(sampleRowsByMaps(raw, 2), SampleRows(raw, 2)); diff != "" {
			t.Fatalf("rows of %q (-want +got):\n%s", raw, diff)
		}
	}
}

const oddFields = ` [ { "name" : "a\u00e9\n" , "type":"string","required":true , "sample_value": {"x":["]",{"}":"\\\""}],"y":[ ]} },
	{"n\u0061me":"b","name":"c","Name":"d","type":"nope","type":7,"sample_value":1,"sample_value":null,"required":"true"},{},[],[[{}]],
	null,1.5e-3,"{\"name\":\"x\"}",{"name":"` + "\xff\xc3" + `","required":false,"description":"\ud800","format":null,"sample_value":-0.0},
	{"name":"e","sample_value":"null","description":"x","type":"email", "metadata":{"name":"inner"}, "":"" , "` + "\xff" + `name":1 } ]
`

func TestParseFieldsAsByMaps(t *testing.T) {
	t.Parallel()
	sameFields(t, []byte(oddFields))
	const bytesOfJSON = "{}[]\",:\\ntf01.-eu \n\x00\xff"
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		raw := []byte(oddFields)
		for range 1 + random.IntN(3) {
			at := random.IntN(len(raw))
			switch random.IntN(3) {
			case 0:
				raw[at] = bytesOfJSON[random.IntN(len(bytesOfJSON))]
			case 1:
				raw = slices.Insert(raw, at, bytesOfJSON[random.IntN(len(bytesOfJSON))])
			default:
				raw = slices.Delete(raw, at, min(len(raw), at+1+random.IntN(8)))
			}
		}
		sameFields(t, raw)
	}
}

// TestParseFieldsOwnsSamples wants samples that neither keep the column nor each other's
// neighbours within reach.
func TestParseFieldsOwnsSamples(t *testing.T) {
	t.Parallel()
	raw := []byte(`[{"name":"a","sample_value":1},{"name":"b","sample_value":2}]`)
	fields, err := ParseFields(raw)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw)
	_ = append(fields[0].Sample, '9')
	if got := fmt.Sprintf("%s %s", fields[0].Sample, fields[1].Sample); got != "1 2" {
		t.Errorf("samples are %s, want 1 2", got)
	}
}

func FuzzParseFieldsAsByMaps(f *testing.F) {
	f.Add([]byte(oddFields))
	f.Fuzz(sameFields)
}
