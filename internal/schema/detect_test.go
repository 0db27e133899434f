package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// detect runs records through a Detector.
func detect(t *testing.T, cfg DetectorConfig, records ...string) *Detector {
	t.Helper()
	d := NewDetector(cfg)
	for _, record := range records {
		if err := d.Add(json.RawMessage(record)); err != nil {
			t.Fatalf("add %s: %v", record, err)
		}
	}
	return d
}

// summary writes fields as name:type, with ! when required.
func summary(fields []Field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.Name + ":" + f.Type
		if f.Required {
			parts[i] += "!"
		}
	}
	return strings.Join(parts, " ")
}

// TestDetectorAgreesWithTheApp takes a row that the app's ingestion stored: the
// same sample has to give the same fields and the same hash.
func TestDetectorAgreesWithTheApp(t *testing.T) {
	t.Parallel()
	d := detect(t, DetectorConfig{}, `{"id":28585,"company_6":"n/a 0","contact":"Tom Chen",`+
		`"mobile_1":"+44 20 7185 2723","score":32.639,"utm_source_22":"open"}`)
	want := `[{"name":"id","type":"float","sample_value":28585,"required":true},` +
		`{"name":"company_6","type":"string","sample_value":"n/a 0","required":true},` +
		`{"name":"contact","type":"string","sample_value":"Tom Chen","required":true},` +
		`{"name":"mobile_1","type":"phone","sample_value":"+44 20 7185 2723","required":true},` +
		`{"name":"score","type":"float","sample_value":32.639,"required":true},` +
		`{"name":"utm_source_22","type":"string","sample_value":"open","required":true}]`
	got, err := EncodeFields(d.Fields())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("detected_fields (-want +got):\n%s", diff)
	}
	if got := InputHash(d.Fields()); got != "0c0d691b37128b1c" {
		t.Errorf("InputHash = %s, want 0c0d691b37128b1c", got)
	}
}

func TestDetectorFields(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		records []string
		want    string
	}{
		"scalars": {
			[]string{`{"a":null,"b":true,"c":1,"d":1.5,"e":"x"}`},
			"a:null b:boolean! c:float! d:float! e:string!",
		},
		"no fields":                      {[]string{`{}`, ` { } `}, ""},
		"first seen order":               {[]string{`{"b":1}`, `{"a":1,"b":2,"c":3}`}, "b:float! a:float c:float"},
		"null is not required":           {[]string{`{"a":1}`, `{"a":null}`}, "a:float"},
		"null yields":                    {[]string{`{"a":null}`, `{"a":"x"}`}, "a:string"},
		"nested":                         {[]string{`{"a":{"b":{"c":1},"d":"x"}}`}, "a.b.c:float! a.d:string!"},
		"nested and missing":             {[]string{`{"a":{"b":1}}`, `{"a":{}}`, `{"a":null}`}, "a.b:float"},
		"empty object":                   {[]string{`{"a":{}}`}, "a:object!"},
		"object and scalar":              {[]string{`{"a":"x"}`, `{"a":{"b":1}}`}, "a:string a.b:float"},
		"empty object and scalar":        {[]string{`{"a":{}}`, `{"a":1}`}, "a:float!"},
		"a dotted key":                   {[]string{`{"a":{"b":1}}`, `{"a.b":"x"}`}, "a.b:string!"},
		"the same path twice":            {[]string{`{"a":{"b":1},"a.b":2}`, `{}`}, "a.b:float"},
		"a key twice":                    {[]string{`{"a":1,"a":"x"}`}, "a:string!"},
		"number and boolean":             {[]string{`{"a":1}`, `{"a":true}`}, "a:string!"},
		"list and scalar":                {[]string{`{"a":[1]}`, `{"a":1}`}, "a:string!"},
		"formats":                        {[]string{`{"a":"x@example.com"}`, `{"a":"y@example.com"}`}, "a:email!"},
		"two formats":                    {[]string{`{"a":"2025-01-31"}`, `{"a":"2025-01-31T10:00:00Z"}`}, "a:string!"},
		"format and text":                {[]string{`{"a":"x@example.com"}`, `{"a":"none"}`}, "a:string!"},
		"format and blank":               {[]string{`{"a":" "}`, `{"a":"x@example.com"}`}, "a:email!"},
		"blank":                          {[]string{`{"a":""}`}, "a:string!"},
		"array":                          {[]string{`{"a":[1,2.5]}`}, "a:array[float]!"},
		"array of formats":               {[]string{`{"a":["x@example.com"]}`}, "a:array[email]!"},
		"array of two formats":           {[]string{`{"a":["x@example.com","x"]}`}, "a:array[string]!"},
		"empty array":                    {[]string{`{"a":[ ]}`}, "a:array[empty]!"},
		"empty array yields":             {[]string{`{"a":[]}`, `{"a":["x"]}`}, "a:array[string]!"},
		"array of null":                  {[]string{`{"a":[null]}`}, "a:array[null]!"},
		"null in an array yields":        {[]string{`{"a":[null,1]}`}, "a:array[float]!"},
		"nested array":                   {[]string{`{"a":[[1],[]]}`}, "a:array[array[float]]!"},
		"array of objects":               {[]string{`{"a":[{"b":1},{}]}`}, "a:array[object]!"},
		"mixed array":                    {[]string{`{"a":[1,"x",true]}`}, "a:array[mixed:string]!"},
		"mixed over records":             {[]string{`{"a":[1]}`, `{"a":["x"]}`}, "a:array[mixed:string]!"},
		"mixed array with objects":       {[]string{`{"a":[{"b":1},"x"]}`}, "a:array[mixed:object]!"},
		"mixed array with arrays":        {[]string{`{"a":[["x"],"x"]}`}, "a:array[mixed:array]!"},
		"brackets and quotes in strings": {[]string{`{"a":{"}\"":"]{\\"},"b":[ "[\"" ]}`}, `a.}":string! b:array[string]!`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, summary(detect(t, DetectorConfig{}, tt.records...).Fields())); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDetectorIntegers(t *testing.T) {
	t.Parallel()
	d := detect(t, DetectorConfig{Integers: true}, `{"a":1,"b":1,"c":[1,2],"d":1e3}`, `{"a":-2,"b":2.5,"c":[],"d":1}`)
	want := "a:integer! b:float! c:array[integer]! d:float!"
	if diff := cmp.Diff(want, summary(d.Fields())); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestDetectorSamples(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		records []string
		want    string
	}{
		"first value":           {[]string{`{"a":null}`, `{"a":1}`, `{"a":2}`}, "1"},
		"not blank if possible": {[]string{`{"a":" "}`, `{"a":"x"}`, `{"a":"y"}`}, `"x"`},
		"blank if need be":      {[]string{`{"a":""}`, `{"a":null}`}, `""`},
		"not an empty list":     {[]string{`{"a":[]}`, `{"a":["x", 1 ]}`}, `["x",1]`},
		"digits are kept":       {[]string{`{"a":123456789012345678901234567890.10}`}, `123456789012345678901234567890.10`},
		"no HTML escapes":       {[]string{`{"a":"<b>&"}`}, `"<b>&"`},
		"no NUL":                {[]string{`{"a":"x\u0000y"}`}, `"xy"`},
		"no lone surrogates":    {[]string{`{"a":"x\ud800y"}`}, "\"x\ufffdy\""},
		"only null":             {[]string{`{"a":null}`}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := string(detect(t, DetectorConfig{}, tt.records...).Fields()[0].Sample)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("sample (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDetectorSkipsNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 250)
	d := detect(t, DetectorConfig{},
		`{"ok":1,"":1,"o":{" ":1},"b\u0000c":1,"tab\t":{"x":1},"lone\ud800":1,"`+long+`":{"sixty":1,"four":1}}`,
		`{"ok":1,"":2}`)
	if diff := cmp.Diff("ok:float! "+long+".four:float", summary(d.Fields())); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	want := []SkippedField{
		{"", "the name is empty"},
		{"o. ", "the name is empty"},
		{"b\x00c", "the name holds a control character"},
		{"tab\t", "the name holds a control character"},
		{"lone\ufffd", "the name is not valid Unicode"},
		{long[:128], "the name has more than 255 characters"},
	}
	if diff := cmp.Diff(want, d.Skipped()); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

func TestDetectorRefuses(t *testing.T) {
	t.Parallel()
	d := detect(t, DetectorConfig{MaxFields: 3, MaxDepth: 3}, `{"a":1}`)
	const listCure = "; where keys are data, as in a map of users by id, store a list of objects"
	const object = "write every record as one JSON object in UTF-8"
	tests := map[string]string{
		``:                            "is not valid JSON; " + object,
		`{"a":1}{}`:                   "is not valid JSON; " + object,
		`[{"a":1}]`:                   "is not a JSON object; " + object,
		`null`:                        "is not a JSON object; " + object,
		"{\"a\":\"\xff\"}":            "is not valid UTF-8; " + object,
		`{"a":{"b":[{}]}}`:            "is nested 4 levels deep, more than the allowed 3; flatten it before the analysis",
		`{"a":1,"b":1,"c":1,"d":1}`:   "brings the number of fields to 4, more than the allowed 3" + listCure,
		`{"":1,"b":1,"c":1,"d":{}}`:   "brings the number of fields to 4, more than the allowed 3" + listCure,
		`{"b":1,"b.c":1,"b":{"d":1}}`: "brings the number of fields to 4, more than the allowed 3" + listCure,
	}
	for record, want := range tests {
		err := d.Add(json.RawMessage(record))
		var refused *DetectError
		if !errors.As(err, &refused) || err.Error() != "record 2 "+want {
			t.Errorf("add %s: error = %v, want record 2 %s", record, err, want)
		}
	}
	if d.Records() != 1 || len(d.Skipped()) != 0 || summary(d.Fields()) != "a:float!" {
		t.Errorf("after refusals: %d records, %v, %s, want the one of before", d.Records(), d.Skipped(), summary(d.Fields()))
	}
}

// TestDetectorIsBounded feeds what grows without adding fields.
func TestDetectorIsBounded(t *testing.T) {
	t.Parallel()
	d := NewDetector(DetectorConfig{MaxFields: 10})
	for i := range 1000 {
		record := fmt.Sprintf(`{"user%d":{"":1},"\u0000%d":1,"a":"%s"}`, i, i, strings.Repeat("x", 1000))
		if err := d.Add(json.RawMessage(record)); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.parents) != 0 || len(d.order) != 1 || len(d.skipped) != maxSkipped {
		t.Errorf("kept %d objects, %d fields, %d skipped, want 0, 1, %d", len(d.parents), len(d.order), len(d.skipped), maxSkipped)
	}
}

func BenchmarkDetector(b *testing.B) {
	var record strings.Builder
	record.WriteString(`{"id":1`)
	for i := range 5000 - 1 {
		fmt.Fprintf(&record, `,"field_%d":"some text %d"`, i, i)
	}
	record.WriteString("}")
	raw := json.RawMessage(record.String())
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	d := NewDetector(DetectorConfig{})
	for b.Loop() {
		if err := d.Add(raw); err != nil {
			b.Fatal(err)
		}
	}
}
