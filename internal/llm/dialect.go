package llm

import "strings"

// rung is how the form of an answer is asked for. The ladder goes from what binds a
// model to what merely asks it; the answer is checked all the same.
type rung int

// The rungs, the surest first.
const (
	rungStrict rung = iota // response_format json_schema, strict
	rungSchema             // the same, not strict, for servers that choke on the word
	rungTool               // one tool that has to be called, with the answer as its arguments
	rungObject             // response_format json_object, the schema stands in the prompt
	rungPlain              // the schema stands in the prompt, and the answer is searched for JSON
)

var rungNames = [...]string{"strict json_schema", "json_schema", "tool", "json_object", "plain text"}

func (r rung) String() string { return rungNames[r] }

// below is the next rung for a server that does not offer this one, or ignores it: a
// schema that it does not know is none that it could be less strict about.
func (r rung) below() rung {
	switch r {
	case rungStrict, rungSchema:
		return rungTool
	case rungTool:
		return rungObject
	default:
		return rungPlain
	}
}

// dialect is what the server is believed to understand. It starts from the name of
// the model, loses features when the server refuses them, and may learn that the model
// thinks. Its names in JSON are what all workers remember of a server.
type dialect struct {
	Rung rung `json:"rung"`
	// Bare leaves out what a schema can do without.
	Bare        bool `json:"bare"`
	Temperature bool `json:"temperature"` // may be sent
	MaxTokens   bool `json:"max_tokens"`  // the limit is called max_tokens, not max_completion_tokens
	// Thinks says that thoughts count as output. It is learned from answers, too.
	Thinks bool `json:"thinks"`
}

// feature is a part of a dialect that a server may refuse.
type feature string

const (
	featureNone        feature = ""
	featureStrict      feature = "strict"
	featureKeywords    feature = "keywords of the schema"
	featureForm        feature = "form of answers" // as asked for on the rung
	featureTemperature feature = "temperature"
	featureMaxTokens   feature = "max_tokens"
)

// firstDialect guesses from the name, which may have a provider before a slash:
// reasoning models refuse a temperature and the old name of the limit.
func firstDialect(model string) dialect {
	name := model[strings.LastIndexByte(model, '/')+1:]
	reasoning := false
	for _, prefix := range []string{"o1", "o3", "o4", "gpt-5", "gpt-6"} {
		reasoning = reasoning || strings.HasPrefix(name, prefix)
	}
	return dialect{Temperature: !reasoning, MaxTokens: !reasoning, Thinks: reasoning || thinking(name)}
}

// thinking knows open models that think unless they are told otherwise. One that is
// missing here is found out by its first answer.
func thinking(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"deepseek-r", "qwq", "qwen3", "gpt-oss", "magistral", "thinking", "reason"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// without returns the dialect that is left when the server refuses f, and false
// when f was not used: then the refusal is not about it.
func (d dialect) without(f feature) (dialect, bool) {
	was := d
	switch f {
	case featureStrict:
		if d.Rung != rungStrict {
			return d.without(featureForm) // the word stands among others
		}
		d.Rung = rungSchema
	case featureKeywords:
		switch {
		case d.Rung > rungTool:
		case !d.Bare:
			d.Bare = true
		default:
			d.Rung = d.Rung.below()
		}
	case featureForm:
		d.Rung = d.Rung.below()
	case featureTemperature:
		d.Temperature = false
	case featureMaxTokens:
		d.MaxTokens = false
	case featureNone:
	}
	return d, d != was
}

// better is the dialect to try when it is long ago that the server refused something:
// one rung up, and everything else as at first.
func (d dialect) better(first dialect) dialect {
	first.Thinks = first.Thinks || d.Thinks
	switch d.Rung {
	case rungPlain:
		first.Rung = max(first.Rung, rungObject)
	case rungObject:
		first.Rung = max(first.Rung, rungTool)
	}
	return first
}
