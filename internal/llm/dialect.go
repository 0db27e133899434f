package llm

import (
	"strings"
	"sync"
)

// dialect is what the server is believed to understand. It starts from the name of
// the model, only ever loses features, when the server refuses one, and may learn that
// the model thinks.
type dialect struct {
	jsonSchema  bool // response_format json_schema; otherwise json_object
	temperature bool // temperature may be sent
	maxTokens   bool // the limit is called max_tokens, not max_completion_tokens
	// thinks says that thoughts count as output. It is learned from answers, too.
	thinks bool
}

// feature is a part of a dialect that a server may refuse.
type feature string

const (
	featureNone        feature = ""
	featureJSONSchema  feature = "json_schema"
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
	return dialect{jsonSchema: true, temperature: !reasoning, maxTokens: !reasoning, thinks: reasoning || thinking(name)}
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
	case featureJSONSchema:
		d.jsonSchema = false
	case featureTemperature:
		d.temperature = false
	case featureMaxTokens:
		d.maxTokens = false
	case featureNone:
	}
	return d, d != was
}

// spoken remembers, for this process, the dialect that the server understands.
type spoken struct {
	mu sync.Mutex
	d  dialect
}

func (s *spoken) current() dialect {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.d
}

// think remembers that the model thinks and says whether that is news.
func (s *spoken) think() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.d.thinks
	s.d.thinks = true
	return !was
}

// learn forgets a feature and says whether that is news: calls that run at the
// same time learn the same.
func (s *spoken) learn(lacks feature) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, changed := s.d.without(lacks)
	s.d = d
	return changed
}
