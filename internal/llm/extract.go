package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/schemacast/schemacast/internal/analysis"
)

// maxScans bounds the attempts to find an object in prose. An answer that needs
// more is no answer.
const maxScans = 64

// Reasons why a text holds no answer. They are fixed sentences: an answer can hold
// what a tenant wrote.
var (
	errNotJSON   = errors.New("the answer holds no complete JSON object")
	errDuplicate = errors.New("the answer names a key of an object twice")
	errAmbiguous = errors.New("the answer holds two different JSON objects that fit")
	errEcho      = errors.New("the answer repeats the example of the rules")
	errTooLong   = errors.New("the answer is larger than 8 MiB")
)

// extract returns the JSON object in an answer that conforms to the schema. Models
// without an enforced schema wrap it into prose, fences or think tags; that is taken
// off, but nothing is repaired.
func extract(raw []byte, schema *jsonschema.Schema) ([]byte, error) {
	if len(raw) > maxSuccessBody {
		return nil, errTooLong
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")))
	if object, rest, ok := firstObject(text); ok && len(bytes.TrimSpace(rest)) == 0 {
		return object, check(object, schema)
	}
	var found []byte
	problem, broken := errNotJSON, false
	text = withoutThoughts(text)
	for range maxScans {
		start := bytes.IndexByte(text, '{')
		if start < 0 {
			break
		}
		object, rest, ok := firstObject(text[start:])
		if !ok {
			problem, broken = errNotJSON, true
			text = text[start+1:]
			continue
		}
		text = rest
		if err := check(object, schema); err != nil {
			if !broken { // else it may be a part of what does not close
				problem = err
			}
			continue
		}
		if found != nil && !sameJSON(found, object) {
			return nil, errAmbiguous
		}
		found = object
	}
	if found == nil {
		return nil, problem
	}
	return found, nil
}

// firstObject decodes the object that text starts with.
func firstObject(text []byte) (object, rest []byte, ok bool) {
	if len(text) == 0 || text[0] != '{' {
		return nil, nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	var value json.RawMessage
	if decoder.Decode(&value) != nil {
		return nil, nil, false
	}
	return value, text[decoder.InputOffset():], true
}

// withoutThoughts cuts what a model thought aloud. Servers may swallow the opening
// tag, and a thought that never closes has no answer behind it.
func withoutThoughts(text []byte) []byte {
	const opened, closed = "<think>", "</think>"
	if end := bytes.LastIndex(text, []byte(closed)); end >= 0 {
		text = text[end+len(closed):]
	}
	if start := bytes.Index(text, []byte(opened)); start >= 0 {
		text = text[:start]
	}
	return text
}

// check validates an object. Duplicate keys come first, since the validator sees
// only the last one of them.
func check(object []byte, schema *jsonschema.Schema) error {
	if err := checkKeys(object); err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(object))
	if err != nil {
		return errNotJSON
	}
	if err := schema.Validate(value); err != nil {
		return &schemaError{where: location(err)}
	}
	return nil
}

// schemaError is an object that does not conform to the schema of answers.
type schemaError struct{ where string }

func (e *schemaError) Error() string {
	return "the answer does not conform to its JSON schema at " + e.where
}

// location returns where the schema is violated, without names that are not ours.
// The validator finds violations in random order; the first by name is returned.
func location(err error) string {
	var violation *jsonschema.ValidationError
	if !errors.As(err, &violation) {
		return "/"
	}
	if len(violation.Causes) > 0 {
		first := location(violation.Causes[0])
		for _, cause := range violation.Causes[1:] {
			first = min(first, location(cause))
		}
		return first
	}
	var path strings.Builder
	for _, segment := range violation.InstanceLocation {
		if !strings.Contains(answerSchema, `"`+segment+`"`) && strings.Trim(segment, "0123456789") != "" {
			segment = "?"
		}
		path.WriteString("/" + segment)
	}
	if path.Len() == 0 {
		return "/"
	}
	return path.String()
}

// checkKeys refuses objects that name a key twice: readers differ on which one
// counts, and what was verified must be what is read.
func checkKeys(object []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(object))
	var open levels
	for {
		token, err := decoder.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return errNotJSON
		case !open.take(token):
			return errDuplicate
		}
	}
}

// levels are the objects and lists that are open, the innermost last.
type levels []level

type level struct {
	keys  map[string]bool // nil in a list
	value bool            // a value comes next, not a key
}

// take follows one token. It is false for a key that its object has already.
func (l *levels) take(token json.Token) bool {
	if top := l.top(); top != nil {
		if key, ok := token.(string); ok && top.keys != nil && !top.value {
			seen := top.keys[key]
			top.keys[key], top.value = true, true
			return !seen
		}
		top.value = false
	}
	switch token {
	case json.Delim('{'):
		*l = append(*l, level{keys: map[string]bool{}})
	case json.Delim('['):
		*l = append(*l, level{})
	case json.Delim('}'), json.Delim(']'):
		*l = (*l)[:len(*l)-1]
	}
	return true
}

func (l *levels) top() *level {
	if len(*l) == 0 {
		return nil
	}
	return &(*l)[len(*l)-1]
}

func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

func badAnswer(err error) *analysis.ModelError {
	return &analysis.ModelError{Kind: analysis.ModelBadAnswer, Detail: err.Error()}
}
