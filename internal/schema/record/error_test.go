package record

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the errors of several tests end with.
const (
	objectsCure   = "; write one object, a list of objects, or one object a line"
	recordCure    = "; close open quotes, or put large lists into records of their own"
	quoteCure     = "; put quotes around the whole value and double those inside, or close the open one"
	mendCure      = "; mend the JSON there"
	formatCure    = "; export it as CSV, JSON or NDJSON"
	utf8Cure      = "; save the file as UTF-8"
	bracesCure    = "; copy the file again, or close the braces and quotes"
	splitCure     = "; split the table, or store it as rows of name and value"
	commaCure     = "; remove it, or add the missing comma or bracket"
	delimiterCure = "; quote the value that contains the delimiter ','"
)

func TestReadErrors(t *testing.T) {
	t.Parallel()
	small := Options{MaxRecordBytes: 64, MaxFields: 3, MaxDepth: 3, MaxUnpackedBytes: 1000}
	tests := map[string]struct {
		file, content string
		records       int // before the error
		want          string
	}{
		"empty":         {"a.csv", "", 0, "a.csv: the file is empty; export at least one record"},
		"blank":         {"", "\ufeff \r\n\n", 0, "the input: the file is empty; export at least one record"},
		"empty gzip":    {"a.gz", pack(t, ""), 0, "a.gz: the file is empty; export at least one record"},
		"binary":        {"a.csv", "a,b\x00\n", 0, "a.csv: the file is binary" + formatCure},
		"control bytes": {"a.csv", "\x01\x02\x03\x04,b\n", 0, "a.csv: the file is binary" + formatCure},
		"excel": {
			"a.xlsx", "PK\x03\x04rest", 0,
			"a.xlsx: the file is a ZIP or Excel file; export the sheet as CSV",
		},
		"packed twice": {
			"a.gz", pack(t, pack(t, "a\n1\n")), 0,
			"a.gz: the file is packed with gzip twice; unpack it once",
		},
		"utf-32":          {"a", "\xff\xfe\x00\x00a\x00\x00\x00", 0, "a: the text is UTF-32" + utf8Cure},
		"xml":             {"a", "\ufeff<?xml?><a/>", 0, "a: the file is XML or HTML" + formatCure},
		"damaged gzip":    {"a.gz", "\x1f\x8bzzzzzzzzzzzzzz", 0, "a.gz: the gzip file is damaged; copy it again"},
		"cut gzip":        {"a.gz", pack(t, "a,b\n1,2\n")[:20], 0, "a.gz: the gzip file ends too early; copy it again"},
		"cut gzip header": {"a.gz", "\x1f\x8b", 0, "a.gz: the gzip file ends too early; copy it again"},
		"gzip bomb": {
			"a.gz", pack(t, strings.Repeat("a\n", 600)), 0,
			"a.gz: the file unpacks to more than 1000 bytes; split the file",
		},
		"only a header": {
			"a.csv", "a,b\n\n,\n", 0,
			"a.csv: the file has only a header; export at least one record below it",
		},
		"too many columns": {
			"a.csv", "\na,b,c,d\n", 0,
			"a.csv, line 2: the header has 4 columns, more than the allowed 3" + splitCure,
		},
		"long row": {
			"a.csv", "a,b\n1,2\n\n1,2,3\n", 1,
			`a.csv, line 4: the row has 3 values, but the header names 2 columns` + delimiterCure,
		},
		"open quote": {
			"a.csv", "a,b\n1,\"2\n3,4\n", 0,
			"a.csv, line 2: the row that starts here has a stray or open quote" + quoteCure,
		},
		"stray quote": {
			"a.csv", "a,b\n1,2\n1,5\"\n", 1,
			"a.csv, line 3: the row that starts here has a stray or open quote" + quoteCure,
		},
		"bad utf-8 in csv": {"a.csv", "ä,ö\n1,2\nü,\xfc\n", 1, "a.csv, line 3: the text is not valid UTF-8" + utf8Cure},
		"bad utf-8 in json": {
			"a.json", "[{\"a\":1},\n{\"a\":1,\n\"b\":\"\xfc\"}]", 1,
			"a.json, line 3: the text is not valid UTF-8" + utf8Cure,
		},
		"title above the header": {
			"a.csv", "Report\n\nid,name\n1,a\n", 0,
			"a.csv, line 3: the row has 2 values, but the first line, which has to be the header, names one column" +
				"; remove what stands above the header, or" + strings.TrimPrefix(delimiterCure, ";"),
		},
		"json number": {"a.json", "42", 0, "a.json, line 1: here is a number, not an object" + objectsCure},
		"json string": {"", "\n\"x\"\n", 0, "the input, line 2: here is a string, not an object" + objectsCure},
		"json null":   {"", "null", 0, "the input, line 1: here is true, false or null, not an object" + objectsCure},
		"yaml named json": {
			"a.json", "a: 1\nb: 2\n", 0,
			"a.json, line 1: here is 'a', not an object" + objectsCure,
		},
		"list of scalars": {
			"a.json", "[\n1, 2]", 0,
			"a.json, line 2: element 1 of the list is a number, not an object" + objectsCure,
		},
		"list of lists": {
			"a.json", "[[1], [2]]", 0,
			"a.json, line 1: element 1 of the list is a list, not an object" + objectsCure,
		},
		"mixed list": {
			"a.json", "[{},\nnull]", 1,
			"a.json, line 2: element 2 of the list is true, false or null, not an object" + objectsCure,
		},
		"scalar in ndjson": {"a.ndjson", "{}\n7\n", 1, "a.ndjson, line 2: here is a number, not an object" + objectsCure},
		"empty list":       {"a.json", "[ ]", 0, "a.json, line 1: the list is empty; export at least one record"},
		"cut object": {
			"a.json", "{}\n{\"a\":\n1", 1,
			"a.json, line 2: the object that starts here is cut off" + bracesCure,
		},
		"cut list": {
			"a.json", "[{}\n,{}\n", 2,
			"a.json, line 3: the list is cut off after 2 objects; copy the file again",
		},
		"only a bracket": {"a.json", "[", 0, "a.json, line 1: the list is cut off after 0 objects; copy the file again"},
		"missing comma":  {"a.json", "[{} {}]", 1, "a.json, line 1: '{' stands where none may" + commaCure},
		"trailing comma": {
			"a.json", "[{},]", 1,
			"a.json, line 1: a comma stands before the end of the list; remove it",
		},
		"after the list": {"a.json", "[{}]\n{}", 1, "a.json, line 2: something follows the end of the list" + objectsCure},
		"broken object": {
			"a.json", "{}\n{\"a\":1,\n\"b\" 2}", 1,
			"a.json, line 3: the object is not valid JSON: invalid character '2' after object key" + mendCure,
		},
		"wrong bracket": {
			"a.json", "{\"a\":[1}}", 0,
			"a.json, line 1: the object is not valid JSON: invalid character '}' after array element" + mendCure,
		},
		"deep object": {
			"a.json", "{}\n{\"a\":\n[[[1]]]}", 1,
			"a.json, line 3: the object is nested deeper than 3 levels; flatten it",
		},
		"large object": {
			"a.json", "{}\n{\"a\":\"" + strings.Repeat("x", 99) + "\"}", 1,
			"a.json, line 2: the record that starts here has more than 64 bytes" + recordCure,
		},
		"large row": {
			"a.csv", "a\n\"x\ny\"\n" + strings.Repeat("x", 9000), 1,
			"a.csv, line 4: the record that starts here has more than 64 bytes" + recordCure,
		},
		"large quoted row": {
			"a.csv", "a\n\"" + strings.Repeat("x\n", 5000), 0,
			"a.csv, line 2: the record that starts here has more than 64 bytes" + recordCure,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readAll(t, tt.content, tt.file, small)
			var known *Error
			if !errors.As(err, &known) {
				t.Fatalf("error = %v, want an *Error", err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if len(got) != tt.records {
				t.Errorf("records before the error = %d, want %d", len(got), tt.records)
			}
		})
	}
}

// TestErrorBeyondTheHead checks lines where the file is longer than what decides
// its format and encoding.
func TestErrorBeyondTheHead(t *testing.T) {
	t.Parallel()
	rows := headBytes // more than a byte each
	content := "a,b\n" + strings.Repeat("1,x\n", rows) + "1,\xff\n"
	got, err := readAll(t, content, "a.csv", Options{MaxRecords: -1})
	want := fmt.Sprintf("a.csv, line %d: the text is not valid UTF-8"+utf8Cure, rows+2)
	if err == nil || err.Error() != want || len(got) != rows {
		t.Errorf("error after %d records = %v, want %s", len(got), err, want)
	}
}

// TestReadBoundsMemory reads a record without an end from a file without an end.
func TestReadBoundsMemory(t *testing.T) {
	t.Parallel()
	for _, start := range []string{"a\n\"", `{"a":"`, "["} {
		endless := &repeater{text: "x ", rest: start}
		if start == "[" {
			endless.text = "[" // depth
		}
		counted := &countingReader{r: endless}
		_, err := readFrom(t, counted, "a", Options{})
		var known *Error
		if !errors.As(err, &known) {
			t.Errorf("after %q: error = %v, want an *Error", start, err)
		}
		if limit := 1<<20 + 4*headBytes; counted.n > limit {
			t.Errorf("after %q: read %d bytes, want at most %d", start, counted.n, limit)
		}
	}
}

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}
