package formula

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// What is left of a source's value before an expression sees it. The gate's
// estimates rest on these numbers.
const (
	maxTextBytes   = 128  // of one text, cut at a character
	maxNumberBytes = 32   // of one number; a longer one is left out
	maxValueBytes  = 1024 // of all texts and keys in a list or object
	maxValueItems  = 32   // values in a list or object, itself included
	maxDepth       = 8    // lists and objects within each other
)

// sample is a row that was read as far as its own keys.
type sample map[string]json.RawMessage

// readSamples reads the first limit rows that are objects.
func readSamples(rows []json.RawMessage, limit int) []sample {
	samples := make([]sample, 0, min(len(rows), limit))
	for _, row := range rows {
		if len(samples) == limit {
			break
		}
		var s sample
		if json.Unmarshal(row, &s) == nil && s != nil {
			samples = append(samples, s)
		}
	}
	return samples
}

// only returns the row with nothing but the named sources in it, cut to size, and
// says whether any of them has a value: not null, and not a blank text. A dot in a
// name may stand for nesting or for itself; what the row has of both is kept.
func (s sample) only(names []string) (row json.RawMessage, present bool) {
	c := &cutter{}
	if row = c.members(s, names, 1); row == nil {
		row = json.RawMessage("{}")
	}
	return row, c.present
}

// cutter copies JSON and leaves out what is too much.
type cutter struct {
	present bool
	items   int // still allowed under the row's key at hand
	bytes   int
}

// members returns an object of the named members, nil when there are none.
func (c *cutter) members(object map[string]json.RawMessage, names []string, depth int) []byte {
	var keys []string
	inside := map[string][]string{} // by key, the rest of each name with its dot; "" for all
	for _, name := range names {
		for end := range len(name) + 1 {
			if end < len(name) && name[end] != '.' {
				continue
			}
			key := name[:end]
			if _, ok := object[key]; !ok {
				continue
			}
			if inside[key] == nil {
				keys = append(keys, key)
			}
			inside[key] = append(inside[key], name[end:])
		}
	}
	var out []byte
	for _, key := range keys {
		if depth == 1 {
			c.items, c.bytes = maxValueItems*len(inside[key]), maxValueBytes*len(inside[key])
		} else {
			c.bytes -= len(key)
		}
		if value := c.named(object[key], inside[key], depth); value != nil {
			out = appendElement(out, '{', textJSON(key), []byte{':'}, value)
		}
	}
	return closed(out, '}')
}

// named returns what the rests of names select of a value, nil when that is nothing.
func (c *cutter) named(value json.RawMessage, rests []string, depth int) []byte {
	names := make([]string, len(rests))
	for i, rest := range rests {
		if rest == "" {
			return c.whole(json.NewDecoder(bytes.NewReader(value)), 0)
		}
		names[i] = rest[1:]
	}
	if c.items--; c.items <= 0 || c.bytes < 0 || depth == maxDepth {
		return nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(value, &object) == nil {
		return c.members(object, names, depth+1)
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		return nil
	}
	var out []byte
	for _, element := range list {
		if c.items <= 0 {
			break
		}
		if kept := c.named(element, rests, depth+1); kept != nil {
			out = appendElement(out, '[', kept)
		}
	}
	return closed(out, ']')
}

// whole copies the value that decoder stands before. It reads on through what it
// leaves out, for which it returns nil.
func (c *cutter) whole(decoder *json.Decoder, depth int) []byte {
	decoder.UseNumber()
	token, err := decoder.Token()
	if err != nil {
		return nil
	}
	fits := c.items > 0 && depth <= maxDepth
	c.items--
	switch t := token.(type) {
	case json.Delim:
		return c.composite(decoder, byte(t), depth, fits)
	case string:
		t = cutText(t)
		if c.bytes -= len(t); !fits || c.bytes < 0 {
			return nil
		}
		c.present = c.present || strings.TrimSpace(t) != ""
		return textJSON(t)
	case json.Number:
		if !fits || len(t) > maxNumberBytes {
			return nil
		}
		c.present = true
		return []byte(t)
	case bool:
		c.present = c.present || fits
	}
	if !fits {
		return nil
	}
	out, _ := json.Marshal(token) // a boolean or null
	return out
}

func (c *cutter) composite(decoder *json.Decoder, opening byte, depth int, fits bool) []byte {
	closing := opening + 2 // of both pairs, as ASCII has it
	out := []byte{opening}
	for decoder.More() {
		var key []byte
		keep := fits
		if opening == '{' {
			name, err := decoder.Token()
			text, _ := name.(string)
			if err != nil {
				return nil
			}
			c.bytes -= len(text)
			keep = keep && len(text) <= maxTextBytes && c.bytes >= 0
			key = append(textJSON(text), ':')
		}
		if !keep {
			c.items = 0
		}
		if value := c.whole(decoder, depth+1); value != nil {
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(append(out, key...), value...)
		}
	}
	if _, err := decoder.Token(); err != nil || !fits {
		return nil
	}
	c.present = c.present || len(out) > 1
	return append(out, closing)
}

// appendElement adds an element, which comes in parts, to a list or object that
// may not be opened yet.
func appendElement(out []byte, opening byte, parts ...[]byte) []byte {
	if out == nil {
		out = []byte{opening}
	} else {
		out = append(out, ',')
	}
	for _, part := range parts {
		out = append(out, part...)
	}
	return out
}

func closed(out []byte, closing byte) []byte {
	if out == nil {
		return nil
	}
	return append(out, closing)
}

// textJSON writes s as JSON, without the escapes for HTML, which JSONata reads as
// well but people do not.
func textJSON(s string) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string always encodes, and ends in a line feed
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// cutText cuts s to maxTextBytes at a character.
func cutText(s string) string {
	if len(s) <= maxTextBytes {
		return s
	}
	end := maxTextBytes
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
