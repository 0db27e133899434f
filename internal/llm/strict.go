package llm

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// The words that the schema of answers allows, and the keys that it demands. A test holds
// them against the schema.
var (
	decisionWords = []string{"map_to_existing", "create_new"}
	typeWords     = []string{
		"string", "integer", "decimal", "boolean", "date", "datetime", "timestamp", "email", "url", "uuid", "phone", "json",
		"object", "array[string]", "array[decimal]", "array[object]",
	}
	opWords       = []string{"direct", "format_conversion", "combine", "split", "constant", "formula"}
	argumentWords = []string{"in_format", "out_format", "separator", "index", "literal", "formula"}
	bandWords     = []string{"high", "medium", "low"}

	answerKeys   = []string{"decision", "entity", "source_name", "new_entity", "mappings", "unmapped", "reasoning"}
	entityKeys   = []string{"name", "description", "fields"}
	fieldKeys    = []string{"name", "type", "required", "description"}
	mappingKeys  = []string{"sources", "target", "op", "args", "band", "why"}
	argumentKeys = []string{"name", "value"}
)

// readStrict reads a text that is nothing but an answer, in one go, which is what nearly
// all servers send. It is false for everything else, good or bad: a key too many, too few
// or twice, a word that is none of the schema's, prose around the object. Then it is for
// extract and the validator to say what that is.
func readStrict(raw []byte) (answer, bool) {
	r := strictReader{text: strings.TrimSpace(strings.TrimPrefix(string(raw), "\ufeff"))}
	var a answer
	ok := r.object(answerKeys, func(key int) bool {
		switch key {
		case 0:
			return r.word(&a.Decision, decisionWords)
		case 1:
			return r.string(&a.Entity)
		case 2:
			return r.string(&a.SourceName)
		case 3:
			return r.entity(&a.NewEntity)
		case 4:
			return list(&r, &a.Mappings, r.mapping)
		case 5:
			return list(&r, &a.Unmapped, r.string)
		default:
			return r.string(&a.Reasoning)
		}
	})
	return a, ok && r.at == len(r.text)
}

// strictReader stands somewhere in a text. Its methods are false where the text is not
// what they read, and nothing is read after that.
type strictReader struct {
	text string
	at   int
}

func (r *strictReader) entity(e *answerEntity) bool {
	return r.object(entityKeys, func(key int) bool {
		switch key {
		case 0:
			return r.string(&e.Name)
		case 1:
			return r.string(&e.Description)
		default:
			return list(r, &e.Fields, r.field)
		}
	})
}

func (r *strictReader) field(f *answerField) bool {
	return r.object(fieldKeys, func(key int) bool {
		switch key {
		case 0:
			return r.string(&f.Name)
		case 1:
			return r.word(&f.Type, typeWords)
		case 2:
			return r.boolean(&f.Required)
		default:
			return r.string(&f.Description)
		}
	})
}

func (r *strictReader) mapping(m *answerMapping) bool {
	return r.object(mappingKeys, func(key int) bool {
		switch key {
		case 0:
			return list(r, &m.Sources, r.string)
		case 1:
			return r.string(&m.Target)
		case 2:
			return r.word(&m.Op, opWords)
		case 3:
			return list(r, &m.Args, r.argument)
		case 4:
			return r.word(&m.Band, bandWords)
		default:
			return r.string(&m.Why)
		}
	})
}

func (r *strictReader) argument(a *answerArgument) bool {
	return r.object(argumentKeys, func(key int) bool {
		if key == 0 {
			return r.word(&a.Name, argumentWords)
		}
		return r.string(&a.Value)
	})
}

// object reads an object that has each of the keys once, in any order, and no other.
func (r *strictReader) object(keys []string, value func(key int) bool) bool {
	if !r.take('{') {
		return false
	}
	for seen := 0; ; {
		var name string
		if !r.string(&name) {
			return false
		}
		key := slices.Index(keys, name)
		if key < 0 || seen&(1<<key) != 0 || !r.take(':') || !value(key) {
			return false
		}
		seen |= 1 << key
		if !r.take(',') {
			return r.take('}') && seen == 1<<len(keys)-1
		}
	}
}

// list reads a list. An empty one is not nil, as encoding/json has it.
func list[T any](r *strictReader, into *[]T, element func(*T) bool) bool {
	*into = []T{}
	if !r.take('[') {
		return false
	}
	if r.take(']') {
		return true
	}
	for {
		var one T
		if !element(&one) {
			return false
		}
		*into = append(*into, one)
		if !r.take(',') {
			return r.take(']')
		}
	}
}

func (r *strictReader) word(into *string, words []string) bool {
	return r.string(into) && slices.Contains(words, *into)
}

func (r *strictReader) boolean(into *bool) bool {
	r.skipBlanks()
	rest := r.text[r.at:]
	switch {
	case strings.HasPrefix(rest, "true"):
		*into = true
		r.at += len("true")
	case strings.HasPrefix(rest, "false"):
		r.at += len("false")
	default:
		return false
	}
	return true
}

// string reads a text. One with escapes, or with bytes that are no UTF-8, is left to
// encoding/json.
func (r *strictReader) string(into *string) bool {
	if !r.take('"') {
		return false
	}
	start, plain, ascii := r.at, true, true
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			*into = r.text[start:r.at]
			r.at++
			if plain && (ascii || utf8.ValidString(*into)) {
				return true
			}
			return json.Unmarshal([]byte(r.text[start-1:r.at]), into) == nil
		case c == '\\':
			plain = false
			r.at++
		case c < ' ':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return false
}

// take reads one character, with the blanks in front of it.
func (r *strictReader) take(c byte) bool {
	r.skipBlanks()
	if r.at == len(r.text) || r.text[r.at] != c {
		return false
	}
	r.at++
	return true
}

func (r *strictReader) skipBlanks() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}
