package schema

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// plainText is what a text says that has neither escapes nor bytes that are no UTF-8; of
// any other it is false.
func plainText(raw []byte) ([]byte, bool) {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') >= 0 || !utf8.Valid(inner) {
		return nil, false
	}
	return inner, true
}

// textOf is the text that a valid value is, empty for any other value.
func textOf(raw []byte) string {
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	if inner, ok := plainText(raw); ok {
		return shared(inner)
	}
	var s string
	_ = json.Unmarshal(raw, &s) // it is valid
	return s
}

// shared returns text as a string, which is no new one for the words of types.
func shared(text []byte) string {
	switch string(text) {
	case "string":
		return "string"
	case "float":
		return "float"
	case "boolean":
		return "boolean"
	case "integer":
		return "integer"
	case "number":
		return "number"
	case "decimal":
		return "decimal"
	case "date":
		return "date"
	case "datetime":
		return "datetime"
	case "timestamp":
		return "timestamp"
	case "email":
		return "email"
	case "phone":
		return "phone"
	case "url":
		return "url"
	case "uuid":
		return "uuid"
	}
	return string(text)
}
