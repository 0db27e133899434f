package schema

import (
	"bytes"
	"math/bits"
	"strings"
)

// shape is everything that the values of a field were, as a set. Sets are merged
// by union, so the type of a field does not depend on the order of its values.
type shape struct {
	bits typeBits
	elem *shape // of the elements, where bits has bitArray
}

type typeBits uint32

const (
	bitNull typeBits = 1 << iota
	bitBoolean
	bitInteger
	bitFloat
	bitObject
	bitArray
	bitBlank // a string without a visible character
	bitText  // a string of no known format
	bitEmail
	bitURL
	bitUUID
	bitPhone
	bitJSON
	bitDate
	bitDatetime
	bitTimestamp

	bitNumber = bitInteger | bitFloat
	bitFormat = bitEmail | bitURL | bitUUID | bitPhone | bitJSON | bitDate | bitDatetime | bitTimestamp
	bitString = bitBlank | bitText | bitFormat
)

// shapeOf is the shape of one valid JSON value. The name of its field matters
// for timestamps alone.
func shapeOf(value []byte, name string, integers bool) shape {
	switch value[0] {
	case 'n':
		return shape{bits: bitNull}
	case 't', 'f':
		return shape{bits: bitBoolean}
	case '"':
		return shape{bits: formatOf(unquote(value), name)}
	case '{':
		return shape{bits: bitObject}
	case '[':
		elem := &shape{}
		for element := range elements(value) {
			elem.merge(shapeOf(element, name, integers))
		}
		return shape{bits: bitArray, elem: elem}
	default:
		if integers && !bytes.ContainsAny(value, ".eE") {
			return shape{bits: bitInteger}
		}
		return shape{bits: bitFloat}
	}
}

// merge adds what other holds.
func (s *shape) merge(other shape) {
	s.bits |= other.bits
	if other.elem == nil {
		return
	}
	if s.elem == nil {
		s.elem = &shape{}
	}
	s.elem.merge(*other.elem)
}

// has says whether any of the bits is set.
func (s *shape) has(b typeBits) bool { return s.bits&b != 0 }

// yields says that every value was null or an object, so that the fields of the
// objects say it all.
func (s *shape) yields() bool { return s.bits&^(bitNull|bitObject) == 0 }

// blank says that the value has nothing to show.
func (s *shape) blank() bool {
	return s.bits&^(bitBlank|bitObject) == 0 || (s.bits == bitArray && s.elem.bits == 0)
}

// groups counts the kinds of values that have nothing in common.
func (s *shape) groups() int {
	n := 0
	for _, group := range []typeBits{bitBoolean, bitNumber, bitString, bitArray} {
		if s.has(group) {
			n++
		}
	}
	return n
}

// word is the app's word for the type of a field.
func (s *shape) word() string {
	switch {
	case s.groups() > 1:
		return "string"
	case s.has(bitBoolean):
		return "boolean"
	case s.has(bitFloat):
		return "float"
	case s.has(bitInteger):
		return "integer"
	case s.has(bitString):
		return s.formatWord()
	case s.has(bitArray):
		return "array[" + s.elem.elementWord() + "]"
	case s.has(bitObject):
		return "object"
	default:
		return "null"
	}
}

// elementWord is the type inside array[...]: "empty" without elements, and
// "mixed:T" for elements of several kinds, where T is what all of them can be
// turned into: object as soon as one is an object, then array, else string.
func (s *shape) elementWord() string {
	groups := s.groups()
	switch {
	case s.bits == 0:
		return "empty"
	case s.has(bitObject) && groups > 0:
		return "mixed:object"
	case s.has(bitArray) && groups > 1:
		return "mixed:array"
	case groups > 1:
		return "mixed:string"
	default:
		return s.word()
	}
}

// formatWord is the format that all strings share, if there is one.
func (s *shape) formatWord() string {
	format := s.bits & bitFormat
	if s.has(bitText) || bits.OnesCount32(uint32(format)) != 1 {
		return "string"
	}
	switch format {
	case bitEmail:
		return "email"
	case bitURL:
		return "url"
	case bitUUID:
		return "uuid"
	case bitPhone:
		return "phone"
	case bitJSON:
		return "json"
	case bitDate:
		return "date"
	case bitDatetime:
		return "datetime"
	default:
		return "timestamp"
	}
}

// formatOf names the format of a string. Every test is conservative: what could
// as well be something else is text.
func formatOf(s, name string) typeBits {
	switch {
	case strings.TrimSpace(s) == "":
		return bitBlank
	case isUUID(s):
		return bitUUID
	case isTimestamp(s, name):
		return bitTimestamp
	case isJSON(s):
		return bitJSON
	case isEmail(s):
		return bitEmail
	case isURL(s):
		return bitURL
	}
	if b := timeFormat(s); b != 0 {
		return b
	}
	if isPhone(s) {
		return bitPhone
	}
	return bitText
}
