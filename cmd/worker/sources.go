package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"sync"

	"github.com/schemacast/schemacast/internal/admin"
	"github.com/schemacast/schemacast/internal/schema/record"
	"github.com/schemacast/schemacast/internal/store"
)

// sources implements admin.Sources for the demo: the files of a folder, and those that
// people bring.
type sources struct {
	*requests
	folder string

	mu    sync.Mutex
	known []admin.Sample // once they were read
}

var _ admin.Sources = (*sources)(nil)

// Samples implements admin.Sources. The files are read once: they do not change.
func (s *sources) Samples(context.Context) ([]admin.Sample, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known != nil {
		return s.known, nil
	}
	files, err := examples(s.folder)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		shape, err := record.ReadFile(file)
		if err != nil {
			return nil, err
		}
		s.known = append(s.known, admin.Sample{File: filepath.Base(file), Fields: len(shape.Fields)})
	}
	return s.known, nil
}

// AddSample implements admin.Sources. Only names of the list lead to files.
func (s *sources) AddSample(ctx context.Context, file string) (admin.Added, error) {
	known, err := s.Samples(ctx)
	if err != nil {
		return admin.Added{}, err
	}
	if !slices.ContainsFunc(known, func(sample admin.Sample) bool { return sample.File == file }) {
		return admin.Added{}, &admin.InputError{Err: fmt.Errorf("no sample is called %q; GET /api/config lists them", file)}
	}
	shape, err := record.ReadFile(filepath.Join(s.folder, file))
	if err != nil {
		return admin.Added{}, err
	}
	return s.add(ctx, shape)
}

// AddFile implements admin.Sources.
func (s *sources) AddFile(ctx context.Context, name string, content io.Reader) (admin.Added, error) {
	shape, err := record.ReadUpload(content, name)
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return admin.Added{}, err
		}
		return admin.Added{}, &admin.InputError{Err: err}
	}
	return s.add(ctx, shape)
}

func (s *sources) add(ctx context.Context, shape record.Shape) (admin.Added, error) {
	stored, err := s.db.Add(ctx, store.NewSchema{
		TenantID: demoTenant, Name: shape.Name, Fields: shape.Fields, Encoded: shape.Encoded, Samples: shape.Samples,
		By: dashboardRequester, Again: true,
	})
	if err != nil {
		return admin.Added{}, err
	}
	if stored.Request.State == store.RequestRefused {
		return admin.Added{}, &admin.InputError{Err: fmt.Errorf("%s is known and is not analysed: %s", shape.Name, stored.Request.Reason)}
	}
	s.enqueue(ctx, stored.SchemaID, demoTenant)
	return admin.Added{SchemaID: stored.SchemaID, Name: shape.Name}, nil
}
