package broadcast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// serve starts a server on loopback and returns a publisher for it.
func serve(t *testing.T, handler http.HandlerFunc) Publisher {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return publisherFor(t, srv.URL, nil)
}

// configFor is the configuration for the server at a URL.
func configFor(t testing.TB, address string) Config {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	cfg.Host = u.Hostname()
	cfg.Port, _ = strconv.Atoi(u.Port())
	cfg.Secure = u.Scheme == "https"
	return cfg
}

func publisherFor(t *testing.T, address string, change func(*Config)) Publisher {
	t.Helper()
	cfg := configFor(t, address)
	cfg.Timeout = 10 * time.Second
	if change != nil {
		change(&cfg)
	}
	p, err := NewPublisher(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func message(stream int64) Message {
	return Message{Stream: stream, Name: EventName, Channel: "tenant.1.schemas", Data: fmt.Sprintf(`{"schema_id":%d}`, stream)}
}

func messages(streams ...int64) []Message {
	list := make([]Message, len(streams))
	for i, stream := range streams {
		list[i] = message(stream)
	}
	return list
}

// mustNotLeak fails when an error text holds what must not get into a log.
func mustNotLeak(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{"app-secret", "auth_signature=", "auth_key=app", "body_md5="} {
		if strings.Contains(strings.ReplaceAll(err.Error(), secret+"...", ""), secret) {
			t.Errorf("the error leaks %s: %v", secret, err)
		}
	}
}

// What stands between us and the server has manners too, and servers change theirs.
func TestOddManners(t *testing.T) {
	t.Parallel()
	page := "<html><head><title>" + strings.Repeat("long ", 100) + "</title></head></html>"
	tests := map[string]struct {
		status int
		header http.Header
		body   string
		want   *PublishError
		class  class
	}{
		"null error":              {200, nil, `{"error":null}`, nil, 0},
		"accepted":                {202, nil, `{}`, nil, 0},
		"empty":                   {200, nil, ``, nil, 0},
		"no content":              {204, nil, ``, nil, 0},
		"plain ok":                {200, nil, "OK\n", nil, 0},
		"error without a code":    {200, nil, `{"error":{"why":"?"}}`, &PublishError{Status: 500, Msg: `{"why":"?"}`}, transient},
		"error, code is a string": {200, nil, `{"error":"e","code":"413"}`, &PublishError{Status: 413, Msg: "e"}, refused},
		"error, code is a word":   {200, nil, `{"error":"e","code":"oops"}`, &PublishError{Status: 500, Msg: "e"}, transient},
		"a very long rate limit":  {429, http.Header{"Retry-After": {"999999999"}}, ``, &PublishError{Status: 429, RetryAfter: time.Minute}, transient},
		"proxy, bad gateway":      {502, nil, page, &PublishError{Status: 502, Msg: page[:maxReason-3] + "..."}, transient},
		"moved":                   {301, http.Header{"Location": {"https://elsewhere.test/"}}, "", &PublishError{Status: 301}, misconfigured},
		"another web server":      {200, nil, "<html>\n welcome</html>", &PublishError{Status: 200, Msg: "a page that is no answer of a Pusher server: <html> welcome</html>"}, misconfigured},
		"a message without error": {400, nil, `{"message":"it may not be"}`, &PublishError{Status: 400, Msg: "it may not be"}, refused},
		"a list":                  {200, nil, `[]`, &PublishError{Status: 200, Msg: "a page that is no answer of a Pusher server: []"}, misconfigured},
		"the request, echoed":     {500, nil, `at /events?auth_key=app-key&auth_signature=0123&body_md5=ab, %26auth_version%3D1.0`, &PublishError{Status: 500, Msg: `at /events?auth_key=...&auth_signature=...&body_md5=... %26auth_version%3D...`}, transient},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					_, _ = io.WriteString(w, soketiChannels)
					return
				}
				for key, values := range tt.header {
					w.Header()[key] = values
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			for kind, err := range map[string]error{
				"single": p.Publish(t.Context(), messages(1))[0],
				"batch":  p.Publish(t.Context(), messages(1, 2))[0],
			} {
				var got *PublishError
				if errors.As(err, &got) != (err != nil) {
					t.Fatalf("%s: error = %v of type %T, want a *PublishError", kind, err, err)
				}
				if got != nil {
					got.Driver = ""
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", kind, diff)
				}
				if err != nil && classify(err) != tt.class {
					t.Errorf("%s: class = %d, want %d", kind, classify(err), tt.class)
				}
				if err != nil {
					mustNotLeak(t, err)
				}
			}
		})
	}
}

// gone is closed when the client has left. A server only notices that after it has
// read the request.
func gone(r *http.Request) <-chan struct{} {
	_, _ = io.Copy(io.Discard, r.Body)
	return r.Context().Done()
}

// Without an answer there is no verdict about the event, so it is tried again.
func TestServersThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		handler http.HandlerFunc
		change  func(*Config)
		class   class
		want    string
	}{
		"hangs": {
			func(_ http.ResponseWriter, r *http.Request) {
				<-gone(r)
			},
			func(c *Config) { c.Timeout = 20 * time.Millisecond }, transient, "reach the Pusher server at 127.0.0.1:",
		},
		"drops the connection": {
			func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			nil, transient, "EOF",
		},
		"stops in the middle": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				_, _ = io.WriteString(w, `{"ok":`)
			},
			nil, transient, "read the reply: unexpected EOF",
		},
		"stops in the middle, and no length tells": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Connection", "close")
				_, _ = io.WriteString(w, `{"ok":`)
			},
			nil, transient, "it ends in the middle",
		},
		"empty, and no Pusher server": {
			func(http.ResponseWriter, *http.Request) {},
			nil, misconfigured, "no answer of a Pusher server",
		},
		"ok to everything, and no Pusher server": {
			func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") },
			nil, misconfigured, "no answer of a Pusher server",
		},
		"empty, then gone": {
			func(_ http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					panic(http.ErrAbortHandler)
				}
			},
			nil, transient, "EOF",
		},
		"answers without end": {
			func(w http.ResponseWriter, r *http.Request) {
				for left := gone(r); ; {
					select {
					case <-left:
						return
					default:
						_, _ = io.WriteString(w, strings.Repeat("x", 1<<16))
					}
				}
			},
			nil, misconfigured, "no answer of a Pusher server",
		},
		"speaks plain http to https": {
			func(http.ResponseWriter, *http.Request) {},
			func(c *Config) { c.Secure = true }, misconfigured, "server gave HTTP response to HTTPS client",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewUnstartedServer(tt.handler)
			srv.Config.ErrorLog = quiet
			srv.Start()
			t.Cleanup(srv.Close)
			expectFailure(t, publisherFor(t, srv.URL, tt.change), tt.class, tt.want)
		})
	}
}

func expectFailure(t *testing.T, p Publisher, want class, text string) {
	t.Helper()
	errs := p.Publish(t.Context(), messages(1, 2, 3))
	for i, err := range errs {
		if err == nil || classify(err) != want || !strings.Contains(err.Error(), text) {
			t.Errorf("message %d: error = %v, want one of class %d that contains %q", i, err, want, text)
			continue
		}
		mustNotLeak(t, err)
	}
}

func TestServerIsDown(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	expectFailure(t, publisherFor(t, "http://"+address, nil), transient, "connection refused")
}

func TestCertificateIsNotTrusted(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = quiet
	srv.StartTLS()
	t.Cleanup(srv.Close)
	expectFailure(t, publisherFor(t, srv.URL, nil), misconfigured, "certificate")
}

// The library knows no context; the caller's ends the request all the same.
func TestPublishHonoursTheContext(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	p := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		left := gone(r)
		close(arrived)
		<-left
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if errs := p.Publish(ctx, messages(1)); !errors.Is(errs[0], context.Canceled) {
		t.Errorf("error = %v, want context.Canceled", errs[0])
	}
}
