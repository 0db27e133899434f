package formula

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/schema"
)

// Most mappings copy a field: their formula is its name. What the engine makes of a name
// and a single value is that value, so neither the gate nor the engine has to be asked,
// and such a formula is judged as any other is. A list or an object is left to the engine.

// copies says that an expression is nothing but the name of its only source.
func copies(expr string, sources []string) bool {
	return len(sources) == 1 && sources[0] == expr && len(expr) <= maxExpression && isPlainName(expr)
}

// verifyCopy is Verify for an expression that copies. It is false where a row has a list
// or an object.
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

// copyOf is false for a list or an object.
func copyOf(s sample, name string) (c copied, single bool) {
	raw := s[name]
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
	c.row = []byte("{}")
	if len(written) > 0 {
		c.row = append(make([]byte, 0, len(name)+len(written)+5), `{"`...)
		c.row = append(append(append(append(c.row, name...), `":`...), written...), '}')
	}
	return c, true
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
