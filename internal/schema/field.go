package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Field is one field of a schema or entity. Of the many keys that people and
// programs put into a field only those that the analysis uses are kept; the
// verbatim list stays beside it in Schema.RawFields.
type Field struct {
	// Name is the path of the field in a record, dotted where it is nested.
	Name string
	// Type is the app's word: null, boolean, integer, float, string, email, url,
	// uuid, phone, json, date, datetime, timestamp, object, array[...] and, on
	// entities, also number and decimal. Empty when the row has none.
	Type string
	// Format is empty when the row has none.
	Format string
	// Required says that every record seen had a value.
	Required bool
	// Description is what a human wrote about the field, mostly empty.
	Description string
	// Sample is one value as JSON, nil when the row has none.
	Sample json.RawMessage
	// Samples are further values as JSON, as far as they are known.
	Samples []json.RawMessage
	// Learned are, on a field of an entity, values of the sources that Aliases come from.
	Learned []json.RawMessage
	// Aliases are, on a field of an entity, the names of fields that were mapped to it
	// before, in this tenant only.
	Aliases []string
}

// FieldsError says why a list of fields can not be used. It is permanent: the row
// has to be repaired.
type FieldsError struct {
	Column string // detected_fields
	Reason string
}

func (e *FieldsError) Error() string {
	return fmt.Sprintf("%s %s; store a list of objects with \"name\" and \"type\"", e.Column, e.Reason)
}

// ParseFields reads the column detected_fields. It keeps the order of the list,
// takes the first of fields with the same name, and skips elements without a name
// and values that are no objects, since people edit these rows by hand: one bad
// element must not block the schema. A value that is no list, or that holds no
// usable field, is a *FieldsError.
func ParseFields(raw json.RawMessage) ([]Field, error) {
	const column = "detected_fields"
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 || trimmed[0] != '[' {
		return nil, &FieldsError{Column: column, Reason: "is " + jsonKind(trimmed) + ", not a list"}
	}
	if !json.Valid(trimmed) {
		return nil, &FieldsError{Column: column, Reason: "is not valid JSON"}
	}
	count := 0
	for range elements(trimmed) {
		count++
	}
	fields := make([]Field, 0, count)
	seen := make(map[string]bool, count)
	for element := range elements(trimmed) {
		if field := parseField(element); field.Name != "" && !seen[field.Name] {
			seen[field.Name] = true
			fields = append(fields, field)
		}
	}
	if len(fields) == 0 {
		return nil, &FieldsError{Column: column, Reason: fmt.Sprintf("has no usable field among %d elements", count)}
	}
	ownSamples(fields)
	return fields, nil
}

// parseField reads key by key, so that one key of an unexpected type costs that key and
// not the field. Of equal keys the last one counts, as for encoding/json.
func parseField(element []byte) (field Field) {
	if element[0] != '{' {
		return field
	}
	for key, value := range members(element) {
		name, plain := plainText(key)
		if !plain {
			name = []byte(textOf(key))
		}
		switch string(name) {
		case "name":
			field.Name = textOf(value)
		case "type":
			field.Type = textOf(value)
		case "format":
			field.Format = textOf(value)
		case "description":
			field.Description = textOf(value)
		case "required":
			field.Required = string(value) == "true"
		case "sample_value":
			field.Sample = value
			if string(value) == "null" {
				field.Sample = nil
			}
		}
	}
	return field
}

// ownSamples copies the samples out of the column, which would live as long as they do.
func ownSamples(fields []Field) {
	size := 0
	for _, f := range fields {
		size += len(f.Sample)
	}
	own := make([]byte, 0, size)
	for i, f := range fields {
		if f.Sample != nil {
			begin := len(own)
			own = append(own, f.Sample...)
			fields[i].Sample = own[begin:len(own):len(own)]
		}
	}
}

// SampleRows reads the column sample_data: one object, or a list of objects. It
// returns the objects, at most limit of them; other elements are skipped, and an
// empty list, which is how the app stores an empty object, has none.
func SampleRows(raw json.RawMessage, limit int) []json.RawMessage {
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 {
		return nil
	}
	if trimmed[0] == '{' {
		return []json.RawMessage{trimmed}
	}
	if trimmed[0] != '[' || !json.Valid(trimmed) {
		return nil
	}
	var rows []json.RawMessage
	for element := range elements(trimmed) {
		if len(rows) == limit {
			break
		}
		if element[0] == '{' {
			rows = append(rows, slices.Clip(element))
		}
	}
	return rows
}

func jsonKind(raw []byte) string {
	if len(raw) == 0 {
		return "empty"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '"':
		return "a string"
	case 'n':
		return "null"
	default:
		return "a scalar"
	}
}
