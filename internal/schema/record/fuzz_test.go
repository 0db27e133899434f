package record

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/schema"
)

// FuzzRead checks that any content gives valid objects that a detector takes, and
// then maybe one *Error with a file, a problem and a cure.
func FuzzRead(f *testing.F) {
	seeds := []string{
		"", "a,b\n1,2\n", "a;b\n\"x\n\"\"y\";2\n", "n,n,\n1,2,3,4\n", "\xff\xfea\x00\n\x001\x00", "Gr\xf6\xdfe\n1\n",
		`[{"a":1},{"a":"\ud800"}]`, "{\"a\":{\"b\":[]}}\n{}", `[1`, "\x1f\x8b\x08", "a\r1\r", "\ufeff[null]", "PK\x03\x04",
		"{\"\\u0000\":\"\x00\"}", "a\tb\n5\"\t\n", "42",
	}
	for _, seed := range seeds {
		f.Add([]byte(seed), "a.csv")
		f.Add([]byte(seed), "a.json.gz")
	}
	f.Fuzz(func(t *testing.T, content []byte, name string) {
		opts := Options{MaxRecords: 50, MaxFields: 20, MaxRecordBytes: 4 << 10, MaxDepth: 8, MaxUnpackedBytes: 64 << 10}
		detector := schema.NewDetector(schema.DetectorConfig{MaxFields: 1 << 20, MaxDepth: opts.MaxDepth})
		count := 0
		for record, err := range Read(strings.NewReader(string(content)), name, opts) {
			if err != nil {
				var known *Error
				if !errors.As(err, &known) || known.File == "" || known.Problem == "" || known.Cure == "" {
					t.Fatalf("error = %#v, want an *Error that says it all", err)
				}
				return
			}
			if count++; !json.Valid(record) || record[0] != '{' || !utf8.Valid(record) {
				t.Fatalf("record %q is no JSON object in UTF-8", record)
			}
			if err := detector.Add(record); err != nil {
				t.Fatalf("detector: %v", err)
			}
		}
		if count == 0 || count > opts.MaxRecords {
			t.Fatalf("%d records and no error", count)
		}
	})
}
