package formula

import (
	"encoding/json"
	"math"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/recolabs/gnata"

	"github.com/schemacast/schemacast/internal/schema"
)

// fit is how well a value suits a target.
type fit uint8

const (
	fitsNot  fit = iota // a wrong type
	fitsType            // the right type, but not the format
	fitsWell
)

// fits judges a value by the type and format of the target:
//
//	string        a text; numbers and booleans want a cast
//	email, url, uuid, phone  a text of that form; also as format of a string, as is a date pattern
//	date          a text: YYYY-MM-DD, or what the target's format says
//	datetime      a text: ISO 8601, a space for the T, or what the format says
//	timestamp     as datetime, or a number of seconds or milliseconds
//	integer       a number without a fraction
//	other numbers a finite number
//	boolean, object, array  that; of array[T] every element fits T
//	other words   anything
//
// The detail names the kind of the value, never the value.
func fits(target schema.Field, value any) (fit, string) {
	kind := kindOf(value)
	if kind == "a number" && !isFinite(value) {
		return fitsNot, "a number that is not finite"
	}
	word := strings.ToLower(strings.TrimSpace(target.Type))
	switch familyOf(target.Type) {
	case familyText:
		if target.Format != "" && word == "string" {
			word = strings.ToLower(target.Format)
			if isTimeFormat(target.Format) {
				word = target.Format // whose case counts
			}
		}
		return fitsText(word, kind, value)
	case familyTime:
		return fitsTime(word, target.Format, kind, value)
	case familyNumber:
		if kind == "a number" && (word == "integer" || word == "int" || word == "bigint") && !isWhole(value) {
			return fitsType, "a number with a fraction"
		}
		return same(kind, "a number")
	case familyBoolean:
		return same(kind, "a boolean")
	case familyObject:
		return same(kind, "an object")
	case familyList:
		return fitsList(word, kind, value)
	}
	if kind == "a function" {
		return fitsNot, kind
	}
	return fitsWell, ""
}

func same(kind, want string) (fit, string) {
	if kind != want {
		return fitsNot, kind
	}
	return fitsWell, ""
}

func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "a text"
	case float64, json.Number:
		return "a number"
	case bool:
		return "a boolean"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	}
	return "a function"
}

func number(value any) (float64, bool) {
	switch n := value.(type) {
	case float64:
		return n, true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	}
	return 0, false
}

func isFinite(value any) bool {
	f, ok := number(value)
	return ok && !math.IsInf(f, 0) && !math.IsNaN(f)
}

func isWhole(value any) bool {
	f, _ := number(value)
	return f == math.Trunc(f)
}

var (
	uuidForm  = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	phoneForm = regexp.MustCompile(`^[+(]?[0-9][0-9 ()./x-]{4,30}$`)
)

func fitsText(word, kind string, value any) (fit, string) {
	text, ok := value.(string)
	if !ok {
		return fitsNot, kind
	}
	good := true
	switch word {
	case "string", "text", "varchar", "char": // words of types, which are no format
	case "email":
		address, err := mail.ParseAddress(text)
		good = err == nil && address.Address == text
	case "url":
		u, err := url.Parse(text)
		good = err == nil && u.Scheme != "" && u.Host != ""
	case "uuid":
		good = uuidForm.MatchString(text)
	case "phone":
		good = phoneForm.MatchString(text)
	default:
		if p, err := parsePattern(word); err == nil && len(p.parts) > 0 {
			good = len(parsed(text, []string{p.layout()})) > 0
		}
	}
	if !good {
		return fitsType, "a text of another form"
	}
	return fitsWell, ""
}

var (
	dateLayouts     = []string{time.DateOnly}
	datetimeLayouts = []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02T15:04:05.999999999Z0700",
		"2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05 MST",
	}
)

func fitsTime(word, format, kind string, value any) (fit, string) {
	p, err := parsePattern(format)
	if kind == "a number" && (word == "timestamp" || err == nil && p.epoch > 0) {
		return fitsWell, ""
	}
	text, ok := value.(string)
	if !ok {
		return fitsNot, kind
	}
	layouts := datetimeLayouts
	if word == "date" {
		layouts = dateLayouts
	}
	if err == nil && len(p.parts) > 0 {
		layouts = []string{p.layout()}
	}
	for _, layout := range layouts {
		if _, err := time.Parse(layout, text); err == nil {
			return fitsWell, ""
		}
	}
	return fitsType, "a text of another form"
}

func fitsList(word, kind string, value any) (fit, string) {
	list, ok := value.([]any)
	if !ok {
		return fitsNot, kind
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(word, "array["), "]")
	if inner == word || familyOf(inner) == familyAny {
		return fitsWell, ""
	}
	for _, element := range list {
		if element == nil {
			continue
		}
		if how, detail := fits(schema.Field{Type: inner}, element); how != fitsWell {
			return how, "a list with " + detail + " in it"
		}
	}
	return fitsWell, ""
}

// isEmpty says that a result is no value.
func isEmpty(value any) bool {
	text, isText := value.(string)
	return value == nil || gnata.IsNull(value) || isText && text == ""
}

// The largest result, as JSON. Values of this size come from no honest mapping.
const maxResult = 64 << 10

// canonical returns a result as JSON, for comparing. A function has none.
func canonical(value any) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	normal := gnata.NormalizeValue(value)
	if size(normal) > maxResult {
		return nil, fail(CodeTooLarge, "a result is larger than %d KB", maxResult>>10)
	}
	out, err := json.Marshal(normal)
	if err != nil {
		return nil, fail(CodeTypeMismatch, "gives a function, or a number that is not finite")
	}
	return out, nil
}

// size estimates the JSON of a value, and stops counting when it is too large.
func size(value any) int {
	sum := 8
	switch v := value.(type) {
	case string:
		sum += len(v)
	case []any:
		for _, element := range v {
			if sum += size(element); sum > maxResult {
				break
			}
		}
	case map[string]any:
		for key, element := range v {
			if sum += len(key) + size(element); sum > maxResult {
				break
			}
		}
	}
	return sum
}
