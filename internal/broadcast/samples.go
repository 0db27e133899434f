package broadcast

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// sampleKey is the key of a field object that holds a value of a customer.
const sampleKey = "sample_value"

// cleanFields makes a column that holds a list of fields fit for an event: valid
// UTF-8, valid JSON, a list, without white space. Everything else stays as it
// stands, numbers too. It is false for what is no list.
func cleanFields(raw json.RawMessage) (json.RawMessage, bool) {
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	}
	var compact bytes.Buffer
	compact.Grow(len(raw))
	if err := json.Compact(&compact, raw); err != nil {
		return nil, false
	}
	if compact.Len() == 0 || compact.Bytes()[0] != '[' {
		return nil, false
	}
	return compact.Bytes(), true
}

// stripSamples returns list without the members named sample_value, at any depth: a
// field may hold fields. The list must come from cleanFields. It works on the bytes,
// so that all other values stay as they are, and in one pass.
func stripSamples(list json.RawMessage) json.RawMessage {
	out := make([]byte, 0, len(list))
	// One entry per open container: true for an object.
	var objects []bool
	for i := 0; i < len(list); {
		switch c := list[i]; c {
		case '{', '[':
			objects = append(objects, c == '{')
			out = append(out, c)
			i++
			if c == '{' {
				i = skipSamples(list, i)
			}
		case '}', ']':
			objects = objects[:len(objects)-1]
			out = append(bytes.TrimSuffix(out, []byte(",")), c)
			i++
		case ',':
			out = append(out, c)
			i++
			if objects[len(objects)-1] {
				i = skipSamples(list, i)
			}
		case '"':
			end := stringEnd(list, i)
			out = append(out, list[i:end]...)
			i = end
		default:
			out = append(out, c)
			i++
		}
	}
	return out
}

// skipSamples stands at the start of a member, or at the end of an empty object,
// and moves past the members that are samples and the commas behind them.
func skipSamples(list []byte, i int) int {
	for list[i] == '"' {
		end := stringEnd(list, i)
		if !isSampleKey(list[i:end]) {
			return i
		}
		i = valueEnd(list, end+1)
		if list[i] == ',' {
			i++
		}
	}
	return i
}

// isSampleKey also knows the key when it is written with escapes.
func isSampleKey(quoted []byte) bool {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1:len(quoted)-1]) == sampleKey
	}
	var key string
	return json.Unmarshal(quoted, &key) == nil && key == sampleKey
}

// stringEnd returns the index behind the string that starts at i.
func stringEnd(list []byte, i int) int {
	for i++; list[i] != '"'; i++ {
		if list[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// valueEnd returns the index behind the value that starts at i.
func valueEnd(list []byte, i int) int {
	depth := 0
	for {
		switch list[i] {
		case '"':
			i = stringEnd(list, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		default:
			i++
		}
		if depth == 0 && (list[i] == ',' || list[i] == '}' || list[i] == ']') {
			return i
		}
	}
}
