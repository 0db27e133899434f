package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/schema/record"
	"github.com/schemacast/schemacast/internal/store"
)

const (
	// maxSampleRows is how many records of a file go into its row: formulas are tried
	// on them.
	maxSampleRows = 20
	// maxSampleBytes bounds them together, as they travel with the row.
	maxSampleBytes = 256 << 10
)

// fileCmd stores the shape of files as the app's ingestion would, and queues them.
type fileCmd struct {
	Paths        []string `arg:"" name:"path" help:"CSV, JSON or NDJSON files, also gzipped; - reads standard input."`
	Tenant       string   `short:"t" help:"Tenant that the data belongs to: its id, or its name." xor:"tenant" required:""`
	CreateTenant string   `placeholder:"NAME" help:"Make a tenant of this name, or use it when it exists." xor:"tenant" required:""`
	Name         string   `short:"n" help:"Name of the schema. Defaults to the file's name without its extension; the analysis names what comes from standard input."`
	Force        bool     `help:"Analyse a known shape again, and let the result replace what humans decided."`
	Follow       `embed:""`
}

// Validate is called by the command line parser.
func (c *fileCmd) Validate() error {
	if c.Name != "" && len(c.Paths) > 1 {
		return fmt.Errorf("--name %q can name one schema and there are %d files; leave it out, or give one file", c.Name, len(c.Paths))
	}
	return nil
}

// Run reads all files before it stores anything: bad input leaves nothing behind.
func (c *fileCmd) Run(ctx context.Context, a *app) error {
	var shapes []shape
	var problems []error
	for _, path := range c.Paths {
		s, err := readShape(path, a.stdin)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		shapes = append(shapes, s)
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	if err := a.connect(ctx); err != nil {
		return err
	}
	tenant, err := c.tenant(ctx, a)
	if err != nil {
		return err
	}
	items := make([]*item, 0, len(shapes))
	for _, s := range shapes {
		stored, err := a.store.Add(ctx, store.NewSchema{
			TenantID: tenant.ID, Name: cmp.Or(c.Name, s.name), Fields: s.fields, Encoded: s.encoded, Samples: s.samples,
			By: a.requester, Force: c.Force,
		})
		if err != nil {
			return fmt.Errorf("%s: %w", s.path, err)
		}
		items = append(items, &item{path: s.path, fields: len(s.fields), records: s.records, known: stored.Known, request: stored.Request})
		for _, skipped := range s.skipped {
			a.note("%s: field %q is left out: %s", s.path, printable(skipped.Name), skipped.Reason)
		}
	}
	return a.queue(ctx, items, c.Follow)
}

func (c *fileCmd) tenant(ctx context.Context, a *app) (store.Tenant, error) {
	if c.CreateTenant == "" {
		return a.store.Tenant(ctx, c.Tenant)
	}
	tenant, created, err := a.store.CreateTenant(ctx, c.CreateTenant)
	if err == nil && created {
		a.note("tenant %s (%s) was made", tenant.ID, printable(tenant.Name))
	}
	return tenant, err
}

// shape is what a file looks like.
type shape struct {
	path    string
	name    string // from the file's name, empty for standard input
	records int
	fields  []schema.Field
	skipped []schema.SkippedField
	encoded json.RawMessage // fields as the app's column holds them
	samples json.RawMessage // the first records, cut to storable size
}

func readShape(path string, stdin io.Reader) (shape, error) {
	if path == "-" {
		return detect("standard input", stdin)
	}
	f, err := os.Open(path) //nolint:gosec // the user names the file on the command line
	if err != nil {
		return shape{}, err
	}
	s, err := detect(path, f)
	s.name = stem(path)
	return s, errors.Join(err, f.Close())
}

// stem is the file's name without folder and extensions.
func stem(path string) string {
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	return name
}

func detect(path string, r io.Reader) (shape, error) {
	detector := schema.NewDetector(schema.DetectorConfig{})
	var rows []json.RawMessage
	size := 0
	for row, err := range record.Read(r, filepath.Base(path), record.Options{}) {
		if err != nil {
			return shape{}, err
		}
		if err := detector.Add(row); err != nil {
			return shape{}, fmt.Errorf("%s: %w", path, err)
		}
		if sample := schema.SampleRecord(row); len(rows) == 0 || (len(rows) < maxSampleRows && size+len(sample) <= maxSampleBytes) {
			rows = append(rows, sample)
			size += len(sample)
		}
	}
	s := shape{path: path, records: detector.Records(), fields: detector.Fields(), skipped: detector.Skipped()}
	if len(s.fields) == 0 {
		return shape{}, fmt.Errorf("%s has no field that can be stored; see that its records have named values", path)
	}
	encoded, err := schema.EncodeFields(s.fields)
	if err != nil {
		return shape{}, fmt.Errorf("%s: %w", path, err)
	}
	s.encoded = encoded
	s.samples, err = sampleColumn(rows)
	return s, err
}

// sampleColumn renders sample_data as the app's ingestion does for one record: the
// object itself, and a list for more.
func sampleColumn(rows []json.RawMessage) (json.RawMessage, error) {
	if len(rows) == 1 {
		return rows[0], nil
	}
	return json.Marshal(rows)
}
