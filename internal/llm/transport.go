package llm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// The most that is read of a response. Both are far above what an honest server
// sends, and low enough that a hundred calls at once do no harm.
const (
	maxErrorBody   = 1 << 20
	maxSuccessBody = 8 << 20
)

// believedLength is as far as a server is believed how long its answer is going to be.
const believedLength = 64 << 10

// exchange is one request and what came back. It travels in the context, since
// go-openai neither lets a caller set the exact body nor show the exact response.
type exchange struct {
	body   []byte      // sent instead of what go-openai made
	sent   bool        // the request reached the transport
	status int         // 0 when there was no response
	header http.Header // nil when there was no response
	raw    []byte      // of a refused request: its body, cut to maxErrorBody
	reply  *reply      // of an answered request
}

type exchangeKey struct{}

func withExchange(ctx context.Context, ex *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, ex)
}

// payloadError is a response with a good status and a bad body.
type payloadError struct {
	reason string // a clause about the body, without any of its text
	large  bool
	silent bool // a completion without a single choice
}

func (e *payloadError) Error() string { return "the response " + e.reason }

// errNoExchange is a programming error: a request that did not come from Client.
var errNoExchange = errors.New("request without an exchange in its context")

// transport sits below go-openai. It sends the exact bytes that were hashed for
// the cache, bounds what is read, and makes errors of responses that go-openai
// would take for good: redirects, HTML, errors inside a 200, no choices.
type transport struct {
	base http.RoundTripper
}

func newHTTPClient(cfg Config) (*http.Client, *http.Transport) {
	base := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   5 * time.Second,
		MaxIdleConns:          cfg.Connections,
		MaxIdleConnsPerHost:   cfg.Connections,
		IdleConnTimeout:       60 * time.Second,
		ExpectContinueTimeout: time.Second,
		// Most questions and answers go through at once.
		WriteBufferSize: 32 << 10,
		ReadBufferSize:  16 << 10,
	}
	client := &http.Client{
		Transport: &transport{base: base},
		// A redirect would take the key and the prompt to an address that nobody chose.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return client, base
}

// RoundTrip implements http.RoundTripper. The response that it returns is wholly in
// memory, so no connection is left open by a caller.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }() // a round tripper closes the body; it is in memory
	}
	ex, ok := req.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return nil, errNoExchange
	}
	ex.sent = true
	resp, err := t.base.RoundTrip(withBody(req, ex.body))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read to the end or given up below
	ex.status, ex.header = resp.StatusCode, resp.Header
	raw, err := ex.read(resp)
	if err != nil {
		return nil, err
	}
	if ex.reply != nil {
		raw = []byte("{}") // nobody needs what go-openai would make of it
	}
	resp.Body = io.NopCloser(bytes.NewReader(raw))
	resp.ContentLength = int64(len(raw))
	return resp, nil
}

// withBody returns a copy of the request with another body; a round tripper must
// not change the one that it got. GetBody lets net/http repeat the request when an
// idle connection turns out to be closed before anything was written.
func withBody(req *http.Request, body []byte) *http.Request {
	req = req.Clone(req.Context())
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
	req.ContentLength = int64(len(body))
	return req
}

// read takes in the body of a response. A refusal that breaks off is still a
// refusal; an answer that breaks off is an error.
func (ex *exchange) read(resp *http.Response) ([]byte, error) {
	if ex.status != http.StatusOK {
		ex.raw, _ = io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // the status alone says enough
		if ex.status < http.StatusBadRequest {
			return nil, &payloadError{reason: "is no answer but a redirect or an empty success"}
		}
		return ex.raw, nil
	}
	var body bytes.Buffer
	body.Grow(int(max(0, min(resp.ContentLength, believedLength))) + bytes.MinRead)
	if _, err := body.ReadFrom(io.LimitReader(resp.Body, maxSuccessBody+1)); err != nil {
		return nil, err
	}
	raw := body.Bytes()
	if len(raw) > maxSuccessBody {
		return nil, &payloadError{reason: "is larger than 8 MiB", large: true}
	}
	var err error
	if ex.reply, err = parseReply(raw); err != nil {
		ex.raw = raw[:min(len(raw), maxErrorBody)]
		return nil, err
	}
	return raw, nil
}
