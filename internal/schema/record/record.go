// Package record reads files as people have them (CSV, TSV, JSON, NDJSON, packed
// with gzip or not) into a stream of records, each one JSON object in UTF-8, fit
// for schema.Detector.
//
// The content decides the format; the extension of the name only helps where the
// content could be two things. A JSON file is one object, a list of objects, or
// objects one after the other. An object that holds a list of objects is still one
// record, since only its owner knows which list is meant.
//
// It does not find fields, guess missing headers, or repair broken rows. It
// guarantees bounded memory (one record and 64 KiB per layer), stops at every
// limit of Options, and reports what is wrong with a file as one *Error.
package record

import (
	"encoding/json"
	"errors"
	"io"
	"iter"

	"github.com/schemacast/schemacast/internal/schema"
)

// Options bounds what is read of a file.
type Options struct {
	// MaxRecords is how many records are read; what follows is not looked at. Negative
	// means all. Defaults to 1,000, enough to detect fields.
	MaxRecords int
	// MaxFields is how many columns a CSV header may have. Fields of JSON records are
	// counted by the detector. Defaults to 5,000.
	MaxFields int
	// MaxRecordBytes is how large one record may be in the file. Defaults to 1 MiB.
	MaxRecordBytes int
	// MaxDepth is how deep JSON may be nested, the record included. Defaults to 32.
	MaxDepth int
	// MaxUnpackedBytes is how much a gzip file may unpack to, as far as it is read.
	// Defaults to 256 MiB.
	MaxUnpackedBytes int64
}

func (o Options) withDefaults() Options {
	if o.MaxRecords == 0 {
		o.MaxRecords = 1000
	}
	if o.MaxFields <= 0 {
		o.MaxFields = schema.DefaultMaxFields
	}
	if o.MaxRecordBytes <= 0 {
		o.MaxRecordBytes = 1 << 20
	}
	if o.MaxDepth <= 0 {
		o.MaxDepth = schema.DefaultMaxDepth
	}
	if o.MaxUnpackedBytes <= 0 {
		o.MaxUnpackedBytes = 256 << 20
	}
	return o
}

// Read yields the records of r in their order; each belongs to the caller. name is
// the file's, for the hint of its extension and for errors. An error ends the
// sequence: an *Error for what is wrong with the content, else the wrapped error
// of r. A sequence without an error has at least one record.
//
// r is read once, so the sequence can be ranged over once, and is not closed.
func Read(r io.Reader, name string, opts Options) iter.Seq2[json.RawMessage, error] {
	opts = opts.withDefaults()
	return func(yield func(json.RawMessage, error) bool) {
		t, err := open(r, name, opts)
		if err != nil {
			yield(nil, err)
			return
		}
		next, err := t.records()
		for count := 0; err == nil && count != opts.MaxRecords; count++ {
			var record json.RawMessage
			if record, err = next(); err == nil && !yield(record, nil) {
				return
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			yield(nil, err)
		}
	}
}

// records returns the function that reads one record after the other, and then
// io.EOF, in the format of the text.
func (t *text) records() (func() (json.RawMessage, error), error) {
	if t.isJSON() {
		return newJSONReader(t).next, nil
	}
	c, err := newCSVReader(t)
	if err != nil {
		return nil, err
	}
	return c.next, nil
}
