package llm

import (
	"bytes"
	"encoding/json"
	"strconv"
	"sync"
)

// What stands in a template for what differs between questions. Nothing in front of the
// user's message has control characters, and the limit is the first number behind it.
const (
	userMark  = "\x00user\x00"
	limitMark = 2_000_000_011
)

// template is the body of all requests in one dialect: the rules and the schema of answers,
// which are most of it, are written once.
type template struct {
	system                string
	before, between, rest []byte // around the user's message, as a JSON string, and the limit
}

// templates are those that were needed, by dialect. There are a few dozen at most.
type templates struct{ made sync.Map }

func (t *templates) in(c *Client, d dialect) (*template, error) {
	if known, ok := t.made.Load(d); ok {
		return known.(*template), nil
	}
	made, err := c.newTemplate(d)
	if err != nil {
		return nil, err
	}
	t.made.Store(d, made)
	return made, nil
}

func (c *Client) newTemplate(d dialect) (*template, error) {
	system := systemPrompt(d.Rung)
	body, err := json.Marshal(c.request(d, c.forms.in(d), system, userMark, limitMark))
	if err != nil {
		return nil, err
	}
	mark, err := json.Marshal(userMark)
	if err != nil {
		return nil, err
	}
	t := &template{system: system}
	t.before, body, _ = bytes.Cut(body, mark)
	t.between, t.rest, _ = bytes.Cut(body, []byte(strconv.Itoa(limitMark)))
	return t, nil
}

// body is the request with a user's message and a limit.
func (t *template) body(user string, limit int) ([]byte, error) {
	text, err := json.Marshal(user)
	if err != nil {
		return nil, err
	}
	const digits = 20
	body := make([]byte, 0, len(t.before)+len(text)+len(t.between)+digits+len(t.rest))
	body = append(append(append(body, t.before...), text...), t.between...)
	return append(strconv.AppendInt(body, int64(limit), 10), t.rest...), nil
}
