package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/schema/record"
	"github.com/schemacast/schemacast/internal/store"
)

// maxName is the width of the app's column, in characters.
const maxName = 255

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
	switch {
	case c.Tenant == "" && c.CreateTenant == "":
		return errors.New("the tenant is missing; write its id or name behind --tenant, or a new name behind --create-tenant")
	case c.Name != "" && len(c.Paths) > 1:
		return fmt.Errorf("--name %q can name one schema and there are %d files; leave it out, or give one file", c.Name, len(c.Paths))
	case printable(c.Name) != c.Name || utf8.RuneCountInString(c.Name) > maxName:
		return fmt.Errorf("--name %q can not be the name of a schema; use at most %d characters that can be shown", c.Name, maxName)
	case occurrences(c.Paths, "-") > 1:
		return errors.New("standard input can be read once; write - once")
	}
	return c.check()
}

func occurrences(list []string, what string) (n int) {
	for _, element := range list {
		if element == what {
			n++
		}
	}
	return n
}

// Run reads all files before it stores anything: bad input leaves nothing behind.
func (c *fileCmd) Run(ctx context.Context, a *app) error {
	shapes, err := readShapes(ctx, c.Paths, a.stdin)
	if err != nil {
		return err
	}
	if err := a.connect(ctx); err != nil {
		return err
	}
	tenant, err := c.tenant(ctx, a)
	if err != nil {
		return err
	}
	items := make([]*item, len(shapes))
	for i, s := range shapes {
		path := named(c.Paths[i])
		stored, err := a.store.Add(ctx, store.NewSchema{
			TenantID: tenant.ID, Name: cmp.Or(c.Name, s.Name), Fields: s.Fields, Encoded: s.Encoded, Samples: s.Samples,
			By: a.requester, Force: c.Force, Queue: queueOf(c.Queue),
		})
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		items[i] = &item{path: path, fields: len(s.Fields), records: s.Records, known: stored.Known, request: stored.Request}
		for _, skipped := range s.Skipped {
			a.note("%s: field %q is left out: %s", path, printable(skipped.Name), skipped.Reason)
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

// readShapes reads all files and reports every bad one. A read from a pipe that nobody
// writes to can not be interrupted: it is left behind, for the program to end.
func readShapes(ctx context.Context, paths []string, stdin io.Reader) ([]record.Shape, error) {
	shapes := make([]record.Shape, len(paths))
	problems := make([]error, len(paths))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i, path := range paths {
			shapes[i], problems[i] = readShape(path, stdin)
		}
	}()
	select {
	case <-ctx.Done():
		return nil, errors.New("interrupted while reading; nothing is stored")
	case <-done:
		return shapes, errors.Join(problems...)
	}
}

// named is what messages call a path of the command line.
func named(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

func readShape(path string, stdin io.Reader) (record.Shape, error) {
	if path == "-" {
		return record.ReadShape(stdin, named(path))
	}
	return record.ReadFile(path)
}
