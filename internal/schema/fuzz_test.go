package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzDetect checks that any record is either refused or gives fields that can be
// stored and read again.
func FuzzDetect(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"a":1,"b":{"c":[1,"x",null,{"d":[]}]}}`, `{"":{"":1},"a.b":-1.5e+3}`, `{"\u0000":"\ud800"}`,
		`{"a":"}\"]\\","a":["\\\""]}`, ` { "a" : [ ] , "b" : { } } `, `[1]`, `{"a":"2025-01-31T10:15:30+02:00"}`,
		`{"ts":"1700000000","p":"+1 (555) 123-4567 x12","u":"http://[::1]/","m":"a@b.co","j":"[1]"}`,
	} {
		f.Add([]byte(seed), "text")
	}
	for _, text := range []string{
		"31.01.2025 10:15", "Mon, 02 Jan 2006 15:04:05 GMT", "(020) 7946-0958", "2025-01-31T10:1", "+", "0044 1",
	} {
		f.Add([]byte(`{"a":1}`), text)
	}
	f.Fuzz(func(t *testing.T, record []byte, text string) {
		d := NewDetector(DetectorConfig{})
		quoted, err := json.Marshal(map[string]string{"created_at": text})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Add(quoted); err != nil {
			t.Fatalf("add %s: %v", quoted, err)
		}
		var refused *DetectError
		if err := d.Add(record); err != nil && (!errors.As(err, &refused) || refused.Cure == "") {
			t.Fatalf("error = %#v, want a *DetectError with a cure", err)
		}
		var object map[string]any
		if err := json.Unmarshal(record, &object); (err != nil || object == nil) && d.Records() == 2 {
			t.Fatalf("took %q, which is no object", record)
		}
		raw, err := EncodeFields(d.Fields())
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(raw) || bytes.Contains(raw, []byte(`\u0000`)) && !strings.Contains(string(record)+text, "u0000") {
			t.Fatalf("fields %s can not be stored", raw)
		}
		parsed, err := ParseFields(raw)
		if err != nil || len(parsed) != len(d.Fields()) {
			t.Fatalf("stored %s, read %d fields, %v", raw, len(parsed), err)
		}
	})
}

// FuzzParseFields checks that what is read from a row has names, all different,
// and survives being stored again.
func FuzzParseFields(f *testing.F) {
	for _, seed := range []string{
		``, `[]`, `{}`, `[{"name":"a","type":"string","required":true,"sample_value":[1]}]`, `[1,null,{"name":7}]`,
		`[{"name":"a"},{"name":"a"}]`, `[{"name":"\ud800"},{"name":"\u0000","sample_value":null}]`, "[{\"name\":\"\xff\"}]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		fields, err := ParseFields(raw)
		if err != nil {
			var bad *FieldsError
			if !errors.As(err, &bad) || fields != nil {
				t.Fatalf("error = %#v with %d fields, want a *FieldsError alone", err, len(fields))
			}
			return
		}
		seen := map[string]bool{}
		for _, field := range fields {
			if field.Name == "" || seen[field.Name] {
				t.Fatalf("name %q is empty or there twice", field.Name)
			}
			seen[field.Name] = true
		}
		stored, err := EncodeFields(fields)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseFields(stored)
		if err != nil || InputHash(again) != InputHash(fields) || StructHash(again) != StructHash(fields) {
			t.Fatalf("stored %s, read something else: %v", stored, err)
		}
	})
}
