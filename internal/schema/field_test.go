package schema

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFields(t *testing.T) {
	t.Parallel()
	raw := `[
		{"name":"id","type":"float","sample_value":28585,"required":true},
		{"name":"mail","type":"email","format":"idn","description":"where to write","required":"true","sample_value":null},
		{"name":"mail","type":"string"},
		{"name":"odd","type":7,"format":null,"required":1,"sample_value":{"a": [1]},"metadata":{}},
		{"type":"string"}, {"name":""}, {"name":5}, "text", 1, null, [{"name":"inner"}]
	]`
	got, err := ParseFields(json.RawMessage(raw))
	if err != nil {
		t.Fatal(err)
	}
	want := []Field{
		{Name: "id", Type: "float", Required: true, Sample: json.RawMessage("28585")},
		{Name: "mail", Type: "email", Format: "idn", Description: "where to write"},
		{Name: "odd", Sample: json.RawMessage(`{"a": [1]}`)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestParseFieldsErrors(t *testing.T) {
	t.Parallel()
	const cure = `; store a list of objects with "name" and "type"`
	tests := map[string]string{
		"":                 "detected_fields is empty, not a list",
		"null":             "detected_fields is null, not a list",
		` {"fields":[]}`:   "detected_fields is an object, not a list",
		`"text"`:           "detected_fields is a string, not a list",
		"5":                "detected_fields is a scalar, not a list",
		"true":             "detected_fields is a scalar, not a list",
		"[":                "detected_fields is not valid JSON",
		`[{"name":"a"}] x`: "detected_fields is not valid JSON",
		"[]":               "detected_fields has no usable field among 0 elements",
		`[{"name":""},1]`:  "detected_fields has no usable field among 2 elements",
	}
	for raw, want := range tests {
		_, err := ParseFields(json.RawMessage(raw))
		var bad *FieldsError
		if !errors.As(err, &bad) || err.Error() != want+cure {
			t.Errorf("ParseFields(%s): error = %v, want %s", raw, err, want+cure)
		}
	}
}

func TestSampleRows(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		raw   string
		limit int
		want  []string
	}{
		"one object":             {` {"a":1} `, 5, []string{`{"a":1}`}},
		"an object with key 0":   {`{"0":{"a":1}}`, 5, []string{`{"0":{"a":1}}`}},
		"a list":                 {`[{"a":1}, {"a":2}]`, 5, []string{`{"a":1}`, `{"a":2}`}},
		"no more than the limit": {`[{"a":1},{"a":2},{"a":3}]`, 2, []string{`{"a":1}`, `{"a":2}`}},
		"other elements":         {`[1,"x",null,[{}],{"a":1}]`, 1, []string{`{"a":1}`}},
		"an empty object of PHP": {`[]`, 5, nil},
		"nothing":                {``, 5, nil},
		"a scalar":               {`"x"`, 5, nil},
		"broken":                 {`[{"a":1}`, 5, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, row := range SampleRows(json.RawMessage(tt.raw), tt.limit) {
				got = append(got, string(row))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}
