package schema

import (
	"encoding/json"
	"iter"
)

// The functions of this file walk through JSON that json.Valid accepted. They
// keep the order of members, which a map would lose, and copy nothing.

// members yields the keys, in quotes, and the values of an object.
func members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		i := skipSpace(object, skipSpace(object, 0)+1)
		for object[i] != '}' {
			keyEnd := skipValue(object, i)
			from := skipSpace(object, skipSpace(object, keyEnd)+1) // past the colon
			to := skipValue(object, from)
			if !yield(object[i:keyEnd], object[from:to]) {
				return
			}
			i = skipComma(object, to)
		}
	}
}

// elements yields the values of a list.
func elements(list []byte) iter.Seq[[]byte] {
	return func(yield func(value []byte) bool) {
		i := skipSpace(list, skipSpace(list, 0)+1)
		for list[i] != ']' {
			to := skipValue(list, i)
			if !yield(list[i:to]) {
				return
			}
			i = skipComma(list, to)
		}
	}
}

// isEmpty says that an object or list has nothing in it.
func isEmpty(value []byte) bool {
	closing := value[skipSpace(value, 1)]
	return closing == '}' || closing == ']'
}

// depth is how deep objects and lists are nested in value, 0 for a scalar.
func depth(value []byte) int {
	deepest, level := 0, 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			i = skipString(value, i) - 1
		case '{', '[':
			level++
			deepest = max(deepest, level)
		case '}', ']':
			level--
		}
	}
	return deepest
}

// unquote returns the text of a JSON string. A lone surrogate is U+FFFD in it.
func unquote(quoted []byte) string {
	for _, c := range quoted {
		if c == '\\' {
			var s string
			if json.Unmarshal(quoted, &s) != nil {
				return "" // not reached with valid JSON
			}
			return s
		}
	}
	return string(quoted[1 : len(quoted)-1])
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

func skipComma(b []byte, i int) int {
	if i = skipSpace(b, i); b[i] == ',' {
		i = skipSpace(b, i+1)
	}
	return i
}

func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipValue returns where the value that starts at i ends.
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for i < len(b) && isScalarByte(b[i]) {
		i++
	}
	return i
}

func skipNested(b []byte, i int) int {
	for level := 0; ; i++ {
		switch b[i] {
		case '"':
			i = skipString(b, i) - 1
		case '{', '[':
			level++
		case '}', ']':
			if level--; level == 0 {
				return i + 1
			}
		}
	}
}

// isScalarByte says whether c can be part of a number, true, false or null.
func isScalarByte(c byte) bool {
	return isDigit(c) || c == '-' || c == '+' || c == '.' || (c >= 'a' && c <= 'z') || c == 'E'
}
