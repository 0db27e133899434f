package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/schemacast/schemacast/internal/schema"
)

const (
	// maxSampleRows is how many records of a file are kept: formulas are tried on them.
	maxSampleRows = 20
	// maxSampleBytes bounds them together, as they travel with the row of the schema.
	maxSampleBytes = 256 << 10
)

// Shape is what a file looks like, in the form in which the app stores it.
type Shape struct {
	Name    string // from the file's name, empty for a stream
	Records int    // that were read to detect the fields
	Fields  []schema.Field
	Skipped []schema.SkippedField
	Encoded json.RawMessage // Fields as the column detected_fields holds them
	Samples json.RawMessage // the first records as the column sample_data holds them, cut to storable size
}

// ReadFile detects the shape of a file.
func ReadFile(path string) (Shape, error) {
	f, err := os.Open(path) //nolint:gosec // the user names the file
	if err != nil {
		return Shape{}, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return Shape{}, errors.Join(fmt.Errorf("%s is a folder; name the files in it", path), f.Close())
	}
	s, err := ReadShape(f, path)
	s.Name = stem(path)
	return s, errors.Join(err, f.Close())
}

// ReadUpload detects the shape of a file that somebody sends: name is what they call it.
func ReadUpload(r io.Reader, name string) (Shape, error) {
	s, err := ReadShape(r, filepath.Base(name))
	s.Name = stem(name)
	return s, err
}

// stem is the file's name without folder, extension, and what can not be shown.
func stem(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), ".gz")
	name = strings.TrimSuffix(name, filepath.Ext(name))
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }), " ")
}

// ReadShape detects the shape of a stream; name is the one that errors mention.
func ReadShape(r io.Reader, name string) (Shape, error) {
	detector := schema.NewDetector(schema.DetectorConfig{})
	var rows []json.RawMessage
	size := 0
	for row, err := range Read(r, name, Options{}) {
		if err != nil {
			return Shape{}, err
		}
		if err := detector.Add(row); err != nil {
			return Shape{}, fmt.Errorf("%s: %w", name, err)
		}
		if sample := schema.SampleRecord(row); len(rows) == 0 || (len(rows) < maxSampleRows && size+len(sample) <= maxSampleBytes) {
			rows = append(rows, sample)
			size += len(sample)
		}
	}
	s := Shape{Records: detector.Records(), Fields: detector.Fields(), Skipped: detector.Skipped()}
	if len(s.Fields) == 0 {
		return Shape{}, fmt.Errorf("%s has no field that can be stored; see that its records have named values", name)
	}
	encoded, err := schema.EncodeFields(s.Fields)
	if err != nil {
		return Shape{}, fmt.Errorf("%s: %w", name, err)
	}
	s.Encoded = encoded
	s.Samples, err = sampleColumn(rows)
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
