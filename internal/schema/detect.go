package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Limits of detection. They keep one broken file from becoming a schema that
// nobody can store, draw or pay for.
const (
	DefaultMaxFields = 5000
	DefaultMaxDepth  = 32
	// maxSkipped is how many skipped fields a Detector remembers.
	maxSkipped = 100
)

// DetectorConfig bounds a Detector.
type DetectorConfig struct {
	// MaxFields is how many fields the records may have together. Defaults to 5,000.
	MaxFields int
	// MaxDepth is how deep objects and arrays may be nested, the record itself
	// included. Defaults to 32.
	MaxDepth int
	// Integers tells whole numbers apart, as "integer". The app's ingestion does
	// not, so a schema detected with it gets another InputHash than the same records
	// get there. Defaults to false: every number is a "float".
	Integers bool
}

// Detector finds the fields of records that it sees one after the other, as the
// app's ingestion does. It keeps one sample a field and never the records, so its
// memory depends on the fields alone. It is not safe for concurrent use.
//
// The types of a field over all records are merged, whatever their order: null
// yields to everything, and an empty object or an empty list to one that is not.
// integer and float are float, two formats of strings are string, and values
// that have nothing else in common (a number and a boolean, a list and a string)
// are string. A blank string does not spoil the format of the others.
type Detector struct {
	cfg     DetectorConfig
	records int
	byName  map[string]*detected
	order   []*detected     // first seen first
	parents map[string]bool // paths that were objects with members
	skipped []SkippedField
	leaves  []leaf // of the record in hand, reused
	names   []byte // their names, one after the other
}

// SkippedField is a field that can not be stored or addressed, and was left out.
type SkippedField struct {
	Name   string // the path, cut to 64 characters
	Reason string
}

// DetectError says why a record was refused. The detector is as it was before.
type DetectError struct {
	Record  int // counted from 1 through the accepted and the refused one
	Problem string
	Cure    string
}

func (e *DetectError) Error() string {
	return fmt.Sprintf("record %d %s; %s", e.Record, e.Problem, e.Cure)
}

// detected is what is known about one field.
type detected struct {
	name        string
	shape       shape
	present     int // records with a value that is not null
	lastPresent int // number of the last of them
	sample      json.RawMessage
	blankSample bool // the sample is a blank string, or an empty object or list
}

// leaf is one value of a record under its dotted name.
type leaf struct {
	from, to int // of the name in Detector.names
	value    []byte
	parent   bool // an object whose members follow as leaves of their own
}

// NewDetector returns a Detector without records.
func NewDetector(cfg DetectorConfig) *Detector {
	if cfg.MaxFields <= 0 {
		cfg.MaxFields = DefaultMaxFields
	}
	if cfg.MaxDepth <= 0 {
		cfg.MaxDepth = DefaultMaxDepth
	}
	return &Detector{cfg: cfg, byName: map[string]*detected{}, parents: map[string]bool{}}
}

// Add takes one record, a JSON object in UTF-8. A record that is no such object,
// is nested too deeply, or brings more fields than allowed is a *DetectError, and
// leaves no trace.
func (d *Detector) Add(record json.RawMessage) error {
	if err := d.check(record); err != nil {
		return err
	}
	skippedBefore := len(d.skipped)
	d.leaves, d.names = d.leaves[:0], d.names[:0]
	d.flatten(record, nil)
	if total := len(d.order) + d.countNew(); total > d.cfg.MaxFields {
		d.skipped = d.skipped[:skippedBefore]
		return d.refuse(fmt.Sprintf("brings the number of fields to %d, more than the allowed %d", total, d.cfg.MaxFields),
			"where keys are data, as in a map of users by id, store a list of objects")
	}
	d.records++
	for _, l := range d.leaves {
		d.observe(l)
	}
	return nil
}

// Records is how many records were taken.
func (d *Detector) Records() int { return d.records }

// Fields returns the fields seen so far, first seen first. Required says that
// every record had a value that is not null. Sample is the first such value, cut
// by sample; a blank string or an empty list only stands when nothing better
// came.
func (d *Detector) Fields() []Field {
	fields := make([]Field, 0, len(d.order))
	for _, f := range d.order {
		if f.shape.yields() && d.parents[f.name] {
			continue // its members are the fields
		}
		fields = append(fields, Field{
			Name:     f.name,
			Type:     f.shape.word(),
			Required: f.present == d.records,
			Sample:   f.sample,
		})
	}
	return fields
}

// Skipped lists fields that were left out, at most 100 of them: names that are
// empty, are longer than 255 characters, or hold a control character (a NUL can
// not be stored, the others can not be shown) or the replacement character, which
// stands where the real name is lost. A dot in a name is kept: the field is then
// named like a nested one, as in the app.
func (d *Detector) Skipped() []SkippedField { return d.skipped }

func (d *Detector) check(record json.RawMessage) error {
	const cure = "write every record as one JSON object in UTF-8"
	switch {
	case !json.Valid(record):
		return d.refuse("is not valid JSON", cure)
	case record[skipSpace(record, 0)] != '{':
		return d.refuse("is not a JSON object", cure)
	case !utf8.Valid(record):
		return d.refuse("is not valid UTF-8", cure)
	}
	if levels := depth(record); levels > d.cfg.MaxDepth {
		return d.refuse(fmt.Sprintf("is nested %d levels deep, more than the allowed %d", levels, d.cfg.MaxDepth),
			"flatten it before the analysis")
	}
	return nil
}

func (d *Detector) refuse(problem, cure string) error {
	return &DetectError{Record: d.records + 1, Problem: problem, Cure: cure}
}

// flatten appends the leaves of an object whose own name is prefix. An object
// without a usable member leaves nothing, so that what is kept of objects stays
// in proportion to the fields.
func (d *Detector) flatten(object, prefix []byte) {
	for rawKey, value := range members(object) {
		from, key := len(d.names), unquote(rawKey)
		if len(prefix) > 0 {
			d.names = append(append(d.names, prefix...), '.')
		}
		d.names = append(d.names, key...)
		path := d.names[from:]
		if reason := badName(key, path); reason != "" {
			d.skip(path, reason)
			d.names = d.names[:from]
			continue
		}
		l := leaf{from: from, to: len(d.names), value: value}
		if value[0] == '{' && !isEmpty(value) {
			before := len(d.leaves)
			d.flatten(value, path)
			if len(d.leaves) == before {
				continue
			}
			l.parent = true
		}
		d.leaves = append(d.leaves, l)
	}
}

// countNew is how many fields the leaves of the record in hand would add.
func (d *Detector) countNew() int {
	var fresh map[string]bool
	for _, l := range d.leaves {
		name := d.names[l.from:l.to]
		if l.parent || d.byName[string(name)] != nil {
			continue
		}
		if fresh == nil {
			fresh = make(map[string]bool, len(d.leaves))
		}
		fresh[string(name)] = true
	}
	return len(fresh)
}

func (d *Detector) observe(l leaf) {
	name := d.names[l.from:l.to]
	if l.parent {
		if !d.parents[string(name)] {
			d.parents[string(name)] = true
		}
		return
	}
	f := d.byName[string(name)]
	if f == nil {
		f = &detected{name: string(name)}
		d.byName[f.name] = f
		d.order = append(d.order, f)
	}
	seen := shapeOf(l.value, f.name, d.cfg.Integers)
	f.shape.merge(seen)
	if seen.bits == bitNull {
		return
	}
	if f.lastPresent != d.records {
		f.lastPresent = d.records
		f.present++
	}
	blank := seen.blank()
	if f.sample == nil || (f.blankSample && !blank) {
		f.sample, f.blankSample = appendSample(nil, l.value, maxSampleBytes), blank
	}
}

func (d *Detector) skip(path []byte, reason string) {
	s := SkippedField{Name: cutRunes(string(path), 64), Reason: reason}
	if len(d.skipped) < maxSkipped && !slices.Contains(d.skipped, s) {
		d.skipped = append(d.skipped, s)
	}
}
