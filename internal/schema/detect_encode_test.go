package schema

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestEncodeFields(t *testing.T) {
	t.Parallel()
	fields := []Field{
		{Name: "a<b>", Type: "string", Required: true, Sample: json.RawMessage(`"x & \"y\" é"`), Format: "f", Description: "d"},
		{Name: "b.c", Type: "array[float]", Sample: json.RawMessage("[1.50, {\"z\":1, \"a\":2}]")},
		{Name: "n", Type: "null"},
	}
	got, err := EncodeFields(fields)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"name":"a<b>","type":"string","sample_value":"x & \"y\" é","required":true},` +
		`{"name":"b.c","type":"array[float]","sample_value":[1.50,{"z":1,"a":2}],"required":false},` +
		`{"name":"n","type":"null","sample_value":null,"required":false}]`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("detected_fields (-want +got):\n%s", diff)
	}
	if got, err := EncodeFields(nil); err != nil || string(got) != "[]" {
		t.Errorf("EncodeFields(nil) = %s, %v, want []", got, err)
	}
	if _, err := EncodeFields([]Field{{Name: "a", Sample: json.RawMessage("{")}}); err == nil {
		t.Error("a sample that is no JSON: no error")
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ value, want string }{
		"cut on a rune border": {`"` + strings.Repeat("é", 300) + `"`, `"` + strings.Repeat("é", MaxSampleRunes) + `"`},
		"just short enough":    {`"` + strings.Repeat("é", 256) + `"`, `"` + strings.Repeat("é", 256) + `"`},
		"endless number":       {strings.Repeat("1", 257), "null"},
		"long number":          {strings.Repeat("1", 256), strings.Repeat("1", 256)},
		"nested":               {"\n{ \"a\" : [ 1 , { \"b\" : \"\\u0000\" } , null ] }\n", `{"a":[1,{"b":""},null]}`},
		"a scalar in spaces":   {" true ", "true"},
		"not JSON":             {`{"a"`, "null"},
		"nothing":              {"", "null"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, string(sample([]byte(tt.value), maxSampleBytes))); diff != "" {
				t.Errorf("sample (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSampleStopsToGrow(t *testing.T) {
	t.Parallel()
	text := `"` + strings.Repeat("x", 1000) + `"`
	list := "[" + strings.Repeat(text+",", 1000) + text + "]"
	object := `{"a":` + list + `,"b":` + list + `,"c":1}`
	for _, value := range []string{list, object, "[" + object + "," + object + "]"} {
		got := sample([]byte(value), maxSampleBytes)
		if !json.Valid(got) || len(got) > 2*maxSampleBytes {
			t.Errorf("sample of %d bytes is %d bytes: %.40s", len(value), len(got), got)
		}
	}
	if got := SampleRecord(json.RawMessage(object)); !strings.HasSuffix(string(got), `"c":1}`) || !utf8.Valid(got) {
		t.Errorf("a sample record of %d bytes lost fields: %d bytes", len(object), len(got))
	}
}
