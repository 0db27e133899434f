package broadcast

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// maxReply is more than any server answers to a publish.
	maxReply = 64 << 10
	// maxReason is how much of a server's text is kept.
	maxReason = 200
)

// newTransport makes the connections. Soketi closes each one after its answer, so
// what counts there are short timeouts and resumed TLS sessions.
func newTransport(cfg Config) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: cfg.ConnectTimeout}).DialContext,
		TLSHandshakeTimeout:   cfg.ConnectTimeout,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(8)},
		ResponseHeaderTimeout: cfg.Timeout,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   2,
		IdleConnTimeout:       30 * time.Second,
	}
}

// transport makes all servers alike for the client library: a refusal, however it
// is told, is a *PublishError, and a success is a 200 with an empty object.
type transport struct{ base http.RoundTripper }

// RoundTrip reads the whole reply, so the connection can be reused and the caller
// may end the request's context.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	closeErr := resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the reply: %w", err)
	}
	if closeErr != nil {
		return nil, fmt.Errorf("close the reply: %w", closeErr)
	}
	if err := verdict(resp, body, r.Method == http.MethodGet); err != nil {
		return nil, err
	}
	// Reverb answers a batch with {"batch":{}}, on which the library stumbles
	// although everything was delivered.
	resp.StatusCode = http.StatusOK
	resp.Body = io.NopCloser(strings.NewReader("{}"))
	resp.ContentLength = 2
	return resp, nil
}

var (
	// errVague is an answer that may mean anything: empty, or a bare "ok". Servers give
	// it that took the request, and so do proxies that have no server behind them.
	errVague = errors.New("the answer does not tell whether the request was taken")
	// errCut is an answer that ends in the middle. Reverb names no length, so the
	// connection does not tell.
	errCut = errors.New("read the reply: it ends in the middle")
)

// reply is what servers answer. Soketi tells an error by a 200 with a number in
// code, Sockudo by a real status with a word in code.
type reply struct {
	Error    json.RawMessage `json:"error"`
	Message  json.RawMessage `json:"message"`
	Code     json.RawMessage `json:"code"`
	Channels json.RawMessage `json:"channels"`
}

func (r reply) failed() bool { return len(r.Error) > 0 && string(r.Error) != "null" }

// verdict is nil when the server took the request. To a question it must have answered.
func verdict(resp *http.Response, body []byte, question bool) error {
	var answer reply
	isObject := json.Unmarshal(body, &answer) == nil && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
	fault := &PublishError{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header)}
	switch {
	case isObject && answer.failed():
		fault.Msg = reason(answer.Error)
		if resp.StatusCode/100 == 2 {
			fault.Status = bodyStatus(answer.Code)
		}
		return fault
	case resp.StatusCode/100 != 2:
		if fault.Msg = reason(body); isObject && len(answer.Message) > 0 {
			fault.Msg = reason(answer.Message)
		}
		return fault
	}
	return acceptance(answer, isObject, body, question)
}

// acceptance looks at an answer of status 200 that tells no error.
func acceptance(answer reply, isObject bool, body []byte, question bool) error {
	trimmed := bytes.TrimSpace(body)
	switch {
	case question && len(answer.Channels) > 0, !question && isObject:
		return nil
	case !isObject && bytes.HasPrefix(trimmed, []byte("{")) && len(body) < maxReply:
		return errCut
	case question && bytes.HasPrefix(trimmed, []byte(`{"channels":`)):
		return nil // a list longer than we read
	case !question && (len(trimmed) == 0 || bytes.EqualFold(trimmed, []byte("ok"))):
		return errVague
	}
	page := orDefault(reason(body), "an empty one")
	return &PublishError{Status: http.StatusOK, Msg: "a page that is no answer of a Pusher server: " + page}
}

// bodyStatus reads the status from the body of a 200. An error without one says
// nothing about the event, so it counts as the server's.
func bodyStatus(code json.RawMessage) int {
	status, err := strconv.Atoi(strings.Trim(string(code), `"`))
	if err != nil || status < 300 || status > 599 {
		return http.StatusInternalServerError
	}
	return status
}

// signature finds the parts of a signed URL, and bare signatures, which Pusher repeats
// with its "Invalid signature". Soketi and Reverb never check the age of a signature, so
// it must not get into a log.
var signature = regexp.MustCompile(`((?:auth_[a-z]+|body_md5)(?:=|%3[Dd]))[^&\s"'<>]*|\b[0-9a-fA-F]{64}\b`)

// reason makes one short line of what a server wrote.
func reason(body []byte) string {
	var text string
	if json.Unmarshal(body, &text) != nil {
		text = string(body)
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	return clip(signature.ReplaceAllString(text, "$1..."), maxReason)
}

// retryAfter reads the header's form in seconds; the form with a date is not used
// by these servers.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, time.Minute)
}

// bound gives the requests of one call the caller's context, which the library has
// no place for. It lives as long as the call.
type bound struct {
	ctx  context.Context //nolint:containedctx // the library builds its requests without one
	base http.RoundTripper
}

// RoundTrip sends r under the context of the call.
func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	return b.base.RoundTrip(r.WithContext(b.ctx))
}
