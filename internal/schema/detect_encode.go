package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of a sample value. A prompt shows far less of it and an event must hold
// hundreds of them.
const (
	// MaxSampleRunes is how many characters of a string, or digits of a number, a
	// sample keeps.
	MaxSampleRunes = 256
	// Where a sample list or object, and a sample record, stops to grow.
	maxSampleBytes       = 2 << 10
	maxSampleRecordBytes = 1 << 20
)

// EncodeFields writes fields as the app's ingestion stores them in the column
// detected_fields: a list of objects with the keys name, type, sample_value and
// required, without HTML escapes. An error means that a Sample is not valid JSON.
func EncodeFields(fields []Field) (json.RawMessage, error) {
	type row struct {
		Name     string          `json:"name"`
		Type     string          `json:"type"`
		Sample   json.RawMessage `json:"sample_value"`
		Required bool            `json:"required"`
	}
	rows := make([]row, len(fields))
	for i, f := range fields {
		rows[i] = row{Name: f.Name, Type: f.Type, Sample: f.Sample, Required: f.Required}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(rows); err != nil {
		return nil, fmt.Errorf("encode %d fields: %w", len(fields), err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// SampleRecord copies a record into one that is fit for the column sample_data, by
// the rules of sample, with room for 1 MiB.
func SampleRecord(record json.RawMessage) json.RawMessage {
	return sample(record, maxSampleRecordBytes)
}

// sample copies a JSON value into one that is fit to be stored: strings are cut to
// MaxSampleRunes characters, lists and objects stop to grow after limit bytes, a
// number of more than MaxSampleRunes digits is null, and NUL characters, which
// PostgreSQL can not store, are left out. What is not valid JSON is null.
func sample(value []byte, limit int) json.RawMessage {
	if !json.Valid(value) {
		return json.RawMessage("null")
	}
	return appendSample(nil, value[skipSpace(value, 0):], limit)
}

func appendSample(dst, value []byte, limit int) []byte {
	switch value[0] {
	case '"':
		return appendString(dst, unquote(value))
	case '[':
		dst = append(dst, '[')
		first := true
		for element := range elements(value) {
			if len(dst) > limit {
				break
			}
			dst = appendSample(appendComma(dst, &first), element, limit)
		}
		return append(dst, ']')
	case '{':
		dst = append(dst, '{')
		first := true
		for key, member := range members(value) {
			if len(dst) > limit {
				break
			}
			dst = append(appendString(appendComma(dst, &first), unquote(key)), ':')
			dst = appendSample(dst, member, limit)
		}
		return append(dst, '}')
	}
	value = value[:skipValue(value, 0)]
	if len(value) > MaxSampleRunes {
		return append(dst, "null"...)
	}
	return append(dst, value...)
}

func appendComma(dst []byte, first *bool) []byte {
	if *first {
		*first = false
		return dst
	}
	return append(dst, ',')
}

func appendString(dst []byte, s string) []byte {
	s = cutRunes(strings.ReplaceAll(s, "\x00", ""), MaxSampleRunes)
	b := bytes.NewBuffer(dst)
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(s) != nil {
		return append(dst, `""`...) // not reached: every string has an encoding
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// cutRunes cuts s to limit characters, never inside of one.
func cutRunes(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	for i := range s {
		if limit == 0 {
			return s[:i]
		}
		limit--
	}
	return s
}
