package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
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
	var elements []json.RawMessage
	if err := json.Unmarshal(trimmed, &elements); err != nil {
		return nil, &FieldsError{Column: column, Reason: "is not valid JSON"}
	}
	fields := make([]Field, 0, len(elements))
	seen := make(map[string]bool, len(elements))
	for _, element := range elements {
		field, ok := parseField(element)
		if !ok || seen[field.Name] {
			continue
		}
		seen[field.Name] = true
		fields = append(fields, field)
	}
	if len(fields) == 0 {
		return nil, &FieldsError{Column: column, Reason: fmt.Sprintf("has no usable field among %d elements", len(elements))}
	}
	return fields, nil
}

// parseField decodes key by key, so that one key of an unexpected type costs that
// key and not the field.
func parseField(raw json.RawMessage) (Field, bool) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return Field{}, false
	}
	field := Field{
		Name:        stringKey(keys, "name"),
		Type:        stringKey(keys, "type"),
		Format:      stringKey(keys, "format"),
		Description: stringKey(keys, "description"),
	}
	if required, ok := keys["required"]; ok {
		field.Required = string(bytes.TrimSpace(required)) == "true"
	}
	if sample, ok := keys["sample_value"]; ok && string(sample) != "null" {
		field.Sample = sample
	}
	return field, field.Name != ""
}

func stringKey(keys map[string]json.RawMessage, key string) string {
	var s string
	if raw, ok := keys[key]; ok && json.Unmarshal(raw, &s) == nil {
		return s
	}
	return ""
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
	var elements []json.RawMessage
	if trimmed[0] != '[' || json.Unmarshal(trimmed, &elements) != nil {
		return nil
	}
	var rows []json.RawMessage
	for _, element := range elements {
		if len(rows) == limit {
			break
		}
		if element = bytes.TrimSpace(element); len(element) > 0 && element[0] == '{' {
			rows = append(rows, element)
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
