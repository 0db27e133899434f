package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const jsonCure = "write one object, a list of objects, or one object a line"

// jsonReader reads the objects of a JSON text one by one: those of its list, or
// those that follow each other.
type jsonReader struct {
	t      *text
	r      *bufio.Reader
	line   int
	count  int // objects so far
	inList bool
	ended  bool // past the end of the list
}

func newJSONReader(t *text) *jsonReader { return &jsonReader{t: t, r: t.r, line: 1} }

// next returns the next object, or io.EOF.
func (j *jsonReader) next() (json.RawMessage, error) {
	c, err := j.peek()
	if err == nil && c == '[' && j.count == 0 && !j.inList {
		_, _ = j.r.ReadByte() // was peeked
		j.inList = true
		c, err = j.peek()
	} else if err == nil && j.inList {
		c, err = j.separator(c)
	}
	switch {
	case errors.Is(err, io.EOF) && j.inList && !j.ended:
		return nil, j.t.fail(j.line, "copy the file again", "the list is cut off after %d objects", j.count)
	case errors.Is(err, io.EOF) && j.count == 0:
		return nil, j.t.fail(0, "export at least one record", "the file holds no objects")
	case err != nil:
		return nil, j.t.readError(err)
	case c == ']' && j.inList && j.count == 0:
		return nil, j.t.fail(j.line, "export at least one record", "the list is empty")
	case c != '{':
		return nil, j.notObject(c)
	}
	j.count++
	return j.object()
}

// separator reads what stands between two objects of the list, or ends it.
func (j *jsonReader) separator(c byte) (byte, error) {
	switch {
	case c != ',' && c != ']':
		return 0, j.t.fail(j.line, "remove it, or add the missing comma or bracket", "%q stands where none may", rune(c))
	case c == ']':
		j.ended = true
	}
	_, _ = j.r.ReadByte() // was peeked
	c, err := j.peek()
	if err == nil && j.ended {
		return 0, j.t.fail(j.line, jsonCure, "something follows the end of the list")
	}
	return c, err
}

func (j *jsonReader) notObject(c byte) error {
	kind := fmt.Sprintf("%q", rune(c))
	switch {
	case c == ']' && j.inList:
		return j.t.fail(j.line, "remove it", "a comma stands before the end of the list")
	case c == '[':
		kind = "a list"
	case c == '"':
		kind = "a string"
	case c == '-' || (c >= '0' && c <= '9'):
		kind = "a number"
	case strings.ContainsRune("tfn", rune(c)):
		kind = "true, false or null"
	}
	if j.inList {
		return j.t.fail(j.line, jsonCure, "element %d of the list is %s, not an object", j.count+1, kind)
	}
	return j.t.fail(j.line, jsonCure, "here is %s, not an object", kind)
}

// object reads from an opening brace to the one that closes it.
func (j *jsonReader) object() (json.RawMessage, error) {
	start := j.line
	var b bytes.Buffer
	depth, inString, escaped := 0, false, false
	for {
		c, err := j.r.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil, j.t.fail(start, "copy the file again, or close the braces and quotes",
				"the object that starts here is cut off")
		}
		if err != nil {
			return nil, j.t.readError(err)
		}
		if b.Len() == j.t.opts.MaxRecordBytes {
			return nil, j.t.tooLarge(start)
		}
		b.WriteByte(c)
		switch {
		case c == '\n':
			j.line++
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth++; depth > j.t.opts.MaxDepth {
				return nil, j.t.fail(j.line, "flatten it", "the object is nested deeper than %d levels", j.t.opts.MaxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
		if depth == 0 {
			return j.check(b.Bytes(), start)
		}
	}
}

// check validates what looked like an object from its brackets.
func (j *jsonReader) check(object []byte, start int) (json.RawMessage, error) {
	var syntax *json.SyntaxError
	var raw json.RawMessage
	if err := json.Unmarshal(object, &raw); errors.As(err, &syntax) {
		line := start + bytes.Count(object[:min(int(syntax.Offset), len(object))], []byte("\n"))
		return nil, j.t.fail(line, "mend the JSON there", "the object is not valid JSON: %s", syntax.Error())
	}
	for i, line := 0, start; !utf8.Valid(object[i:]); line++ {
		end := bytes.IndexByte(object[i:], '\n') + 1
		if end == 0 || !utf8.Valid(object[i:i+end]) {
			return nil, j.t.notUTF8(line)
		}
		i += end
	}
	return object, nil
}

// peek skips white space and returns the character after it without taking it.
func (j *jsonReader) peek() (byte, error) {
	for {
		c, err := j.r.ReadByte()
		if err != nil {
			return 0, err
		}
		switch c {
		case '\n':
			j.line++
		case ' ', '\t', '\r':
		default:
			return c, j.r.UnreadByte()
		}
	}
}
