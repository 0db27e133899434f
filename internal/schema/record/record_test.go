package record

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/schemacast/schemacast/internal/schema"
)

// readAll returns the records as text, and the error that ended them.
func readAll(t *testing.T, content, name string, opts Options) ([]string, error) {
	t.Helper()
	return readFrom(t, strings.NewReader(content), name, opts)
}

func readFrom(t *testing.T, r io.Reader, name string, opts Options) ([]string, error) {
	t.Helper()
	var got []string
	for record, err := range Read(r, name, opts) {
		if err != nil {
			return got, err
		}
		if !json.Valid(record) || record[0] != '{' {
			t.Errorf("record %q is no JSON object", record)
		}
		got = append(got, string(record))
	}
	return got, nil
}

func pack(t *testing.T, content string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestReadFormatByContent(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ file, content, want string }{
		"csv":                        {"a.csv", "a,b\n1,x\n", `{"a":1,"b":"x"}`},
		"csv without an extension":   {"", "a,b\n1,x", `{"a":1,"b":"x"}`},
		"csv named json":             {"a.json", "a,b\n1,x\n", `{"a":1,"b":"x"}`},
		"csv with brackets":          {"a.csv", "[id],[name]\n1,x\n", `{"[id]":1,"[name]":"x"}`},
		"csv with a brace":           {"a.csv", "{id},name\n1,x\n", `{"{id}":1,"name":"x"}`},
		"csv with excel's separator": {"a.csv", "sep=;\r\na;b,c\r\n1;x,y\r\n", `{"a":1,"b,c":"x,y"}`},
		"csv of one quoted column":   {"a.csv", "\"a\"\n\"x\"\n", `{"a":"x"}`},
		"json object":                {"a.json", `{"a":{"b":[1]}}`, `{"a":{"b":[1]}}`},
		"json object named csv":      {"a.csv", ` {"a":1}`, `{"a":1}`},
		"json list":                  {"a.json", "[\n{\"a\":1},\n{\"a\":2}\n]\n", `{"a":1} {"a":2}`},
		"json list without spaces":   {"", `[{"a":1},{"a":2}]`, `{"a":1} {"a":2}`},
		"object with one list":       {"a.json", `{"data":[{"a":1},{"a":2}]}`, `{"data":[{"a":1},{"a":2}]}`},
		"ndjson":                     {"a.ndjson", "{\"a\":1}\r\n\r\n{\"a\":2}", `{"a":1} {"a":2}`},
		"objects over lines":         {"a.jsonl", "{\n\"a\":1\n}\n{\n\"a\":2\n}", "{\n\"a\":1\n} {\n\"a\":2\n}"},
		"braces inside strings":      {"", `{"a":"}\"{"}{"a":"]\\"}`, `{"a":"}\"{"} {"a":"]\\"}`},
		"utf-8 mark before json":     {"", "\ufeff[{\"a\":1}]", `{"a":1}`},
		"big numbers in json":        {"", `{"a":123456789012345678901234567890.10}`, `{"a":123456789012345678901234567890.10}`},
		"object that has no fields":  {"", `{}`, `{}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readAll(t, tt.content, tt.file, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadEncodings(t *testing.T) {
	t.Parallel()
	const content = "Name;Größe\nJosé;10\n"
	want := []string{`{"Name":"José","Größe":10}`}
	encode := func(s string, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	utf16 := func(e unicode.Endianness) string {
		return encode(unicode.UTF16(e, unicode.UseBOM).NewEncoder().String(content))
	}
	tests := map[string]string{
		"utf-8":           content,
		"utf-8 with mark": "\ufeff" + content,
		"utf-16 le":       utf16(unicode.LittleEndian),
		"utf-16 be":       utf16(unicode.BigEndian),
		"windows-1252":    encode(charmap.Windows1252.NewEncoder().String(content)),
		"latin-1":         encode(charmap.ISO8859_1.NewEncoder().String(content)),
		"mac line ends":   strings.ReplaceAll(content, "\n", "\r"),
		"gzip":            pack(t, content),
		"gzip of utf-16":  pack(t, utf16(unicode.LittleEndian)),
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readFrom(t, iotest.OneByteReader(strings.NewReader(content)), "a.csv", Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadStopsAtMaxRecords(t *testing.T) {
	t.Parallel()
	endless := io.MultiReader(strings.NewReader("a\n"), &repeater{text: "1\n"})
	got, err := readFrom(t, endless, "a.csv", Options{})
	if err != nil || len(got) != 1000 {
		t.Errorf("records, error = %d, %v, want 1000 and none", len(got), err)
	}
	got, err = readAll(t, strings.Repeat("{}\n", 2500), "a", Options{MaxRecords: -1})
	if err != nil || len(got) != 2500 {
		t.Errorf("without a limit: records, error = %d, %v, want 2500 and none", len(got), err)
	}
}

func TestReadStopsWithItsConsumer(t *testing.T) {
	t.Parallel()
	count := 0
	for _, err := range Read(&repeater{text: "{}\n"}, "a", Options{MaxRecords: -1}) {
		if err != nil {
			t.Fatal(err)
		}
		if count++; count == 3 {
			break
		}
	}
	if count != 3 {
		t.Errorf("records = %d, want 3", count)
	}
}

func TestReadReturnsErrorsOfTheReader(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	for _, start := range []string{"", "a,b\n1,", `[{"a":1},{"a`, "a\n" + strings.Repeat("1\n", headBytes)} {
		r := io.MultiReader(strings.NewReader(start), iotest.ErrReader(broken))
		_, err := readFrom(t, r, "a.csv", Options{MaxRecords: -1})
		var known *Error
		if !errors.Is(err, broken) || errors.As(err, &known) || !strings.Contains(err.Error(), "read a.csv") {
			t.Errorf("after %.20q: error = %v, want the reader's, wrapped", start, err)
		}
	}
}

func TestRecordsBelongToTheCaller(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"a\n1\n2\n3\n", "{\"a\":1}{\"a\":2}{\"a\":3}"} {
		var kept []json.RawMessage
		for record, err := range Read(strings.NewReader(content), "", Options{}) {
			if err != nil {
				t.Fatal(err)
			}
			kept = append(kept, record)
		}
		if got := string(bytes.Join([][]byte{kept[0], kept[1], kept[2]}, nil)); got != `{"a":1}{"a":2}{"a":3}` {
			t.Errorf("kept records of %q = %s", content, got)
		}
	}
}

// TestReadIntoDetector is the way that a producer goes: file, records, fields.
func TestReadIntoDetector(t *testing.T) {
	t.Parallel()
	const content = "id;E-Mail;Signup;Phone;active;zip\n" +
		"1;a@example.com;2025-01-31;5551234567;TRUE;01234\n" +
		"2;;2025-02-01;5559876543;false;90210\n"
	d := schema.NewDetector(schema.DetectorConfig{})
	for record, err := range Read(strings.NewReader(content), "people.csv", Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Add(record); err != nil {
			t.Fatal(err)
		}
	}
	want := []schema.Field{
		{Name: "id", Type: "float", Required: true, Sample: json.RawMessage("1")},
		{Name: "E-Mail", Type: "email", Sample: json.RawMessage(`"a@example.com"`)},
		{Name: "Signup", Type: "date", Required: true, Sample: json.RawMessage(`"2025-01-31"`)},
		{Name: "Phone", Type: "string", Required: true, Sample: json.RawMessage(`"5551234567"`)},
		{Name: "active", Type: "boolean", Required: true, Sample: json.RawMessage("true")},
		{Name: "zip", Type: "string", Required: true, Sample: json.RawMessage(`"01234"`)},
	}
	if diff := cmp.Diff(want, d.Fields()); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

// repeater is a file without an end.
type repeater struct {
	text string
	rest string
}

func (r *repeater) Read(p []byte) (int, error) {
	if r.rest == "" {
		r.rest = r.text
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
