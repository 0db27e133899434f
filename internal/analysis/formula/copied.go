package formula

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/schema"
)

// Most mappings copy a field: their formula is its name, with dots where it is nested. What
// the engine makes of a name and a single value is that value, so neither the gate nor the
// engine has to be asked, and such a formula is judged as any other is. A list or an object
// is left to the engine, and so is a row in which a dot stands for itself.

// maxCopied is the longest name of a field that is copied, and copiedDepth how deep it is
// nested at most; both are within what only leaves of a row.
const (
	maxCopied   = 512
	copiedDepth = 4
)

// copies says that an expression is nothing but the name of its only source.
func copies(expr string, sources []string) bool {
	if len(sources) != 1 || sources[0] != expr || len(expr) > maxCopied || strings.Count(expr, ".") >= copiedDepth {
		return false
	}
	for key := range strings.SplitSeq(expr, ".") {
		if !isPlainName(key) {
			return false
		}
	}
	return true
}

// verifyCopy is Verify for an expression that copies. It is false where a row is for the
// engine.
func (v *Verifier) verifyCopy(name string, target schema.Field) (report Report, done bool, err error) {
	t := newTrial(nil, target)
	t.values = t.inputs // the one has as many different values as the other
	pattern, err := parsePattern(target.Format)
	t.patterned = err == nil && len(pattern.parts) > 0
	for _, s := range v.samples {
		c, single := copyOf(s, name)
		if !single {
			return Report{}, false, nil
		}
		if err := t.file(c); err != nil {
			return t.report, true, err
		}
	}
	return t.report, true, t.verdict()
}

// copied is what only leaves of a row with one source of one value, and that value.
type copied struct {
	row     []byte
	present bool
	value   any    // nil for none, and for null
	source  string // the text or number, "" for anything else
}

// copyOf is false for a row that the engine has to judge.
func copyOf(s sample, name string) (c copied, single bool) {
	raw, single := leaf(s, name)
	if !single {
		return c, false
	}
	var written []byte
	switch {
	case len(raw) == 0, raw[0] == 'n':
		written = raw
	case raw[0] == '"':
		c.source, written = copiedText(raw)
		c.value, c.present = c.source, strings.TrimSpace(c.source) != ""
	case raw[0] == 't', raw[0] == 'f':
		c.value, c.present, written = raw[0] == 't', true, raw
	case raw[0] != '-' && !isDigit(raw[0]):
		return c, false
	case len(raw) <= maxNumberBytes:
		c.source, written = string(raw), raw
		c.value, c.present = json.Number(c.source), true
	}
	c.row = rowOf(name, written)
	return c, true
}

// leaf is the value that a name leads to, nil for none. It is false where a list is on the
// way, or a key with dots.
func leaf(object map[string]json.RawMessage, name string) (raw json.RawMessage, single bool) {
	for {
		key, rest, nested := strings.Cut(name, ".")
		for end := len(key) + 1; end <= len(name); end++ {
			if end == len(name) || name[end] == '.' {
				if _, dotted := object[name[:end]]; dotted {
					return nil, false
				}
			}
		}
		raw = object[key]
		switch {
		case !nested:
			return raw, true
		case len(raw) == 0:
			return nil, true
		case raw[0] == '[':
			return nil, false
		case raw[0] != '{':
			return nil, true
		}
		object = nil
		if json.Unmarshal(raw, &object) != nil {
			return nil, false
		}
		name = rest
	}
}

// rowOf is a row that has a value and nothing else.
func rowOf(name string, written []byte) []byte {
	if len(written) == 0 {
		return []byte("{}")
	}
	row := make([]byte, 0, len(name)+len(written)+5*copiedDepth)
	row = append(row, `{"`...)
	levels := 1
	for i := range len(name) {
		if name[i] == '.' {
			row = append(row, `":{"`...)
			levels++
			continue
		}
		row = append(row, name[i])
	}
	row = append(append(row, `":`...), written...)
	for range levels {
		row = append(row, '}')
	}
	return row
}

// copiedText is a text, cut, and how textJSON writes it.
func copiedText(raw json.RawMessage) (text string, written []byte) {
	inner := raw[1 : len(raw)-1]
	for i, b := range inner {
		if b == '\\' || b >= utf8.RuneSelf || i == maxTextBytes {
			if json.Unmarshal(raw, &text) != nil {
				return "", []byte(`""`) // not reached: the row was decoded
			}
			text = cutText(text)
			return text, textJSON(text)
		}
	}
	return string(inner), raw
}

// file judges what a row gave, as run does.
func (t *trial) file(c copied) error {
	t.report.Rows++
	if !c.present {
		t.report.Absent++
	}
	if imprecise(c.row) {
		t.report.Imprecise++
	}
	if isEmpty(c.value) {
		return nil
	}
	t.report.Produced++
	t.inputs[string(c.row)] = true
	if err := t.fit(c.value); err != nil {
		return err
	}
	text, isText := c.value.(string)
	switch {
	case c.source == "" || !couldBeRead(t.target, c.value):
		return nil
	case !isText:
		// Read back, a number is itself, in every unit. What it could mean is for the verdict.
		t.pairs = append(t.pairs, pair{c.source, c.value})
		return nil
	case !t.patterned:
		return nil // what the target reads as a time is read as the same in the source
	}
	return t.compare(text, c.value)
}
