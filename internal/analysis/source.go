package analysis

import (
	"fmt"
	"slices"
	"strings"

	"github.com/schemacast/schemacast/internal/analysis/formula"
	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

const (
	// maxFields of one schema are analysed; the rest is reported as unmapped.
	maxFields = 5000
	// sampleRows of a schema are what formulas run on.
	sampleRows = 10
	// matchedSamples of a field are what the matcher looks at.
	matchedSamples = 5
)

// source is a schema made ready: the fields that can be mapped, their profiles and
// the sample rows.
type source struct {
	schema   schema.Schema
	fields   []schema.Field
	profiles []match.Profile
	position map[string]int // name -> index into fields
	rows     *rows
	skipped  []Unmapped       // fields that can not be mapped at all
	values   []string         // see quotable
	formats  map[int][]string // see timeFormats
	parent   string           // the path in front of every field, see commonParent
	spelled  []string         // the names behind it, in words; see called
}

// newSource fails with a *schema.FieldsError when nothing is left to analyse.
func newSource(s schema.Schema) (*source, error) {
	src := &source{schema: s, position: make(map[string]int, len(s.Fields)), formats: make(map[int][]string)}
	for _, f := range s.Fields {
		_, twice := src.position[f.Name]
		switch {
		case twice || f.Name == "":
		case !storable(f.Name):
			src.skip(f.Name, fmt.Sprintf("the name is longer than %d characters or has characters that can not be stored; rename the field in the source", maxName))
		case len(src.fields) == maxFields:
			src.skip(f.Name, fmt.Sprintf("only the first %d fields of a schema are analysed", maxFields))
		default:
			src.position[f.Name] = len(src.fields)
			src.fields = append(src.fields, f)
		}
	}
	if len(src.fields) == 0 {
		return nil, &schema.FieldsError{Column: "detected_fields", Reason: "has no field with a usable name"}
	}
	src.rows = newRows(schema.SampleRows(s.RawSamples, rowsFor(len(src.fields))))
	src.parent = commonParent(src.fields)
	for i := range src.fields {
		f := &src.fields[i]
		f.Samples = append(slices.Clip(f.Samples), src.rows.scalars(f.Name, matchedSamples)...)
		src.spelled = append(src.spelled, inWords(f.Name[len(src.parent):]))
	}
	src.profiles = match.ProfilesOf(src.fields)
	return src, nil
}

// rowsFor bounds the work of verifying a wide schema: every field's formula runs on
// every row.
func rowsFor(fields int) int {
	return max(2, min(sampleRows, 5*maxFields/fields))
}

// timeFormats are the formats in which the sample values of a field are points in
// time: none where they are not, and two where day and month could change places.
func (s *source) timeFormats(position int) []string {
	formats, known := s.formats[position]
	if !known {
		name := s.fields[position].Name
		formats = formula.NewRowVerifier(s.rows.project([]string{name})).TimeFormats(name)
		s.formats[position] = formats
	}
	return formats
}

// called says that a field has a name, spelled out or not.
func (s *source) called(position int, name string) bool {
	own := s.fields[position].Name
	if strings.EqualFold(own, name) {
		return true
	}
	words := inWords(name)
	return words != "" && (words == s.spelled[position] || s.parent != "" && words == inWords(own))
}

// inWords is a name as its words and numbers, spelled out.
func inWords(name string) string { return strings.Join(match.Spelled(name), " ") }

func (s *source) skip(name, detail string) {
	s.skipped = append(s.skipped, Unmapped{Source: shown(name), Code: CodeNoTarget, Detail: detail})
}

func (s *source) names(positions []int) []string {
	names := make([]string, len(positions))
	for i, p := range positions {
		names[i] = s.fields[p].Name
	}
	return names
}

func (s *source) pick(positions []int) []schema.Field {
	fields := make([]schema.Field, len(positions))
	for i, p := range positions {
		fields[i] = s.fields[p]
	}
	return fields
}
