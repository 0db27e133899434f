// Package examples holds source files as people have them, and no code. These tests
// say what Schemacast sees in them.
package examples

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/schema/record"
)

var update = flag.Bool("update", false, "rewrite the golden file")

const golden = "testdata/fields.txt"

// example is one file as detection sees it.
type example struct {
	file    string
	fields  []schema.Field
	skipped []schema.SkippedField
	rows    []json.RawMessage
}

func read(t *testing.T, file string) example {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // was only read
	e := example{file: file}
	detector := schema.NewDetector(schema.DetectorConfig{})
	for row, err := range record.Read(f, file, record.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := detector.Add(row); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		e.rows = append(e.rows, row)
	}
	e.fields, e.skipped = detector.Fields(), detector.Skipped()
	return e
}

// all are the files that the demo analyses.
func all(t *testing.T) []string {
	t.Helper()
	files := in(t, ".")
	if len(files) < 12 {
		t.Fatalf("%d files: too few for a demo", len(files))
	}
	return files
}

// in are the files of a folder.
func in(t *testing.T, folder string) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.csv", "*.tsv", "*.json", "*.ndjson"} {
		found, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

func TestFieldsAreDetected(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	for _, file := range append(all(t), in(t, "more")...) {
		e := read(t, file)
		if len(e.skipped) > 0 {
			t.Errorf("%s: fields are left out: %v", file, e.skipped)
		}
		fmt.Fprintf(&got, "%s: %d\n", file, len(e.rows))
		for _, f := range e.fields {
			fmt.Fprintf(&got, "  %s:%s\n", f.Name, f.Type)
		}
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("records and fields (-want +got); go test ./examples -update accepts them:\n%s", diff)
	}
}

// The README lists every file, and nobody in them can be written or called to.
func TestFilesAreListedAndInvented(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(all(t), in(t, "more")...) {
		if !strings.Contains(string(readme), "`"+file+"`") {
			t.Errorf("README.md does not list %s", file)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range strings.FieldsFunc(string(content), func(r rune) bool { return strings.ContainsRune(" ,;|\t\"\r\n", r) }) {
			if _, domain, is := strings.Cut(word, "@"); is && domain != "example.com" && domain != "example.org" && domain != "example.net" {
				t.Errorf("%s: %s may be somebody's address", file, word)
			}
		}
	}
}

// catalog is a tenant that remembers the entities made for it.
type catalog struct{ entities []schema.Entity }

func (c *catalog) EntityVersion(context.Context, string) (string, error) { return "", nil }

func (c *catalog) Entities(context.Context, string) ([]schema.Entity, error) { return c.entities, nil }

// decide lets the engine without a model analyse a file, and creates what it asks for.
func (c *catalog) decide(t *testing.T, e example) analysis.Recommendation {
	t.Helper()
	fields, err := schema.EncodeFields(e.fields)
	if err != nil {
		t.Fatal(err)
	}
	samples, err := json.Marshal(e.rows)
	if err != nil {
		t.Fatal(err)
	}
	analyzer, err := analysis.New(c, nil, analysis.Config{})
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(filepath.Base(e.file), ".")
	result, err := analyzer.Analyze(t.Context(), analysis.Request{
		Schema: schema.Schema{ID: 1, TenantID: "demo", Name: name, Kind: schema.KindInput, Fields: e.fields, RawFields: fields, RawSamples: samples},
		Save:   func(context.Context, []byte, analysis.Usage) error { return nil }, Progress: func(string, int, int) {},
	})
	if err != nil {
		t.Fatalf("%s: %v", e.file, err)
	}
	r := result.Recommendation
	if r.Action == analysis.ActionCreateNew {
		id := int64(len(c.entities) + 100)
		c.entities = append(c.entities, schema.Entity{ID: id, TenantID: "demo", Name: r.EntityName, Fields: r.Fields})
	}
	return r
}

// Sources of one thing meet in one entity, whichever comes first, and the others stay
// away from it. It is what the demo shows.
func TestSourcesOfOneThingMeet(t *testing.T) {
	t.Parallel()
	thing := map[string]string{
		"shop_customers.csv": "customer", "crm_contacts.json": "customer", "loyalty_members.ndjson": "customer",
		"shop_orders.csv": "order", "marketplace_orders.json": "order",
		"helpdesk_tickets.csv": "ticket", "support_inbox.json": "ticket",
		"more/orders_pos.csv": "order", "more/customers_erp.json": "customer", "more/chat_tickets.ndjson": "ticket",
	}
	forwards := append(all(t), in(t, "more")...) // the demo adds these last
	backwards := slices.Clone(forwards)
	slices.Reverse(backwards)
	for name, files := range map[string][]string{"forwards": forwards, "backwards": backwards} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := &catalog{}
			entities := map[string]string{} // by thing
			for _, file := range files {
				what, several := thing[file]
				if !several {
					what = file
				}
				r := tenant.decide(t, read(t, file))
				known, seen := entities[what]
				switch {
				case !seen && r.Action != analysis.ActionCreateNew:
					t.Errorf("%s was taken for a %s: %s", file, r.EntityName, r.Reasoning)
				case seen && r.EntityName != known:
					t.Errorf("%s became %s, and not a %s: %s", file, r.EntityName, known, r.Reasoning)
				case len(r.Mappings) < 6:
					t.Errorf("%s: %d fields are mapped", file, len(r.Mappings))
				}
				entities[what] = r.EntityName
			}
		})
	}
}
