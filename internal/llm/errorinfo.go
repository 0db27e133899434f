package llm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// errorInfo is what a server says about a refused request. Text is for
// classification only: servers echo keys, prompts and answers in it.
type errorInfo struct {
	code   string // the server's own code, else its type; only if it looks like one
	typ    string
	param  string
	status int    // a status inside the body, 0 when there is none
	text   string // lower case, cut
	// retryAfter is what Gemini says in the body, 0 when there is nothing.
	retryAfter time.Duration
}

// maxErrorText is how much of a message is looked at. Servers that echo the
// request put their own words first.
const maxErrorText = 2_000

// errorCode is how codes look everywhere. Anything else might be data.
var errorCode = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)

// parseErrorInfo reads the shapes that servers use: an object or a string under
// "error" (OpenAI; Ollama, LM Studio), the same in a list (Gemini), a flat object
// (older vLLM), "detail" (FastAPI). Of anything else it keeps the start as text.
func parseErrorInfo(raw []byte) errorInfo {
	raw = bytes.TrimSpace(raw)
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil && len(list) > 0 {
		raw = list[0]
	}
	var outer map[string]json.RawMessage
	if json.Unmarshal(raw, &outer) != nil {
		return errorInfo{text: lowered(string(raw[:min(len(raw), maxErrorText)]))}
	}
	inner := outer
	if e, ok := outer["error"]; ok {
		var object map[string]json.RawMessage
		if json.Unmarshal(e, &object) != nil {
			return errorInfo{text: lowered(stringOf(e))}
		}
		inner = object
	}
	info := errorInfo{typ: scalar(inner["type"]), param: scalar(inner["param"])}
	info.setCode(scalar(inner["code"]))
	info.retryAfter = retryDelay(inner["details"])
	info.text = lowered(stringOf(inner["message"]) + " " + detailText(inner["detail"]))
	return info
}

// retryDelay finds the delay, such as "37s", among the details of an error.
func retryDelay(raw json.RawMessage) time.Duration {
	var details []struct {
		RetryDelay string `json:"retryDelay"`
	}
	_ = json.Unmarshal(raw, &details) // other servers have no details, or others
	for _, detail := range details {
		if d, err := time.ParseDuration(detail.RetryDelay); err == nil {
			return bounded(d.Seconds())
		}
	}
	return 0
}

// setCode takes a code, which is a word, a status as a number, or missing.
func (i *errorInfo) setCode(code string) {
	if n, err := strconv.Atoi(code); err == nil {
		if n >= 400 && n < 600 {
			i.status = n
		}
		code = ""
	}
	if code == "" {
		code = i.typ
	}
	if errorCode.MatchString(code) {
		i.code = code
	}
}

// mentions says whether the message, code, type or parameter holds one of the words.
func (i *errorInfo) mentions(words ...string) bool {
	for _, word := range words {
		if strings.Contains(i.text, word) || i.coded(word) || strings.Contains(i.param, word) {
			return true
		}
	}
	return false
}

// coded says whether the code or type holds the word.
func (i *errorInfo) coded(word string) bool {
	return strings.Contains(strings.ToLower(i.code), word) || strings.Contains(strings.ToLower(i.typ), word)
}

// detailText takes FastAPI's sentences and leaves out its "input", which is the
// request itself.
func detailText(raw json.RawMessage) string {
	if s := stringOf(raw); s != "" {
		return s
	}
	var items []struct {
		Message string `json:"msg"`
		Where   []any  `json:"loc"`
	}
	if json.Unmarshal(raw, &items) != nil {
		return ""
	}
	var text strings.Builder
	for _, item := range items {
		fmt.Fprint(&text, item.Message, " ", item.Where, " ")
	}
	return text.String()
}

// scalar returns a string or number as text.
func scalar(raw json.RawMessage) string {
	if s := stringOf(raw); s != "" {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

func lowered(s string) string {
	if len(s) > maxErrorText {
		s = s[:maxErrorText]
	}
	return strings.ToLower(s)
}
