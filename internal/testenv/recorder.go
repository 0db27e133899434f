package testenv

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the protocol signs the MD5 of a body
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Published is one message that a Pusher server took.
type Published struct {
	Channel string
	Event   string
	Data    json.RawMessage
	At      time.Time
}

// Reply is how a Recorder answers one request to publish.
type Reply struct {
	// Take says that the messages of the request count as taken, whatever is answered:
	// a server may take an event and fail to say so.
	Take bool
	// Status and Body are the answer. Status defaults to 200 and Body to what Soketi
	// says when it took everything.
	Status int
	Body   string
	// Wait holds the answer back until it is closed, or the client has left.
	Wait <-chan struct{}
}

// Behaviour answers the n-th request to publish, from 1.
type Behaviour func(n int, messages []Published) Reply

// Takes is the behaviour of a server in good health.
func Takes(int, []Published) Reply { return Reply{Take: true} }

// Refuses answers as Soketi does: 200, with the refusal inside.
func Refuses(code int, text string) Behaviour {
	return func(int, []Published) Reply {
		return Reply{Body: fmt.Sprintf(`{"error":%q,"code":%d}`, text, code)}
	}
}

// Recorder is a Pusher server that remembers what was published, in the order in which
// it took it, and misbehaves as a test wants. It delivers nothing to subscribers, unless
// there is a real server behind it.
type Recorder struct {
	// App is where and as whom to publish.
	App SoketiApp

	t      testing.TB
	behind http.Handler // nil without a server behind it

	mu        sync.Mutex
	behaviour Behaviour
	requests  int
	taken     []Published
	changed   chan struct{} // closed and replaced at every request
}

// StartRecorder starts a recorder. Behind it there may be a real server, which then gets
// every request that is taken and gives the answer.
func StartRecorder(t testing.TB, behind *SoketiApp) *Recorder {
	t.Helper()
	r := &Recorder{t: t, behaviour: Takes, changed: make(chan struct{})}
	server := httptest.NewServer(r)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.App = SoketiApp{Host: "127.0.0.1", AppID: soketiAppID, Key: soketiKey, Secret: soketiSecret}
	if _, err := fmt.Sscan(address.Port(), &r.App.Port); err != nil {
		t.Fatalf("the recorder's address %s has no port: %v", server.URL, err)
	}
	if behind != nil {
		pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: behind.Addr()})
		pass.Transport = &http.Transport{DisableKeepAlives: true} // Soketi closes after every answer
		pass.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
		r.behind = pass
	}
	return r
}

// Behave changes how the recorder answers from now on. A behaviour runs under a lock:
// it answers at once, and waits by Reply.Wait.
func (r *Recorder) Behave(b Behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.behaviour = b
}

// Messages returns what was taken so far.
func (r *Recorder) Messages() []Published {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.taken)
}

// Requests returns how many requests to publish have come, taken or not.
func (r *Recorder) Requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// WaitRequests waits until n requests to publish have come.
func (r *Recorder) WaitRequests(n int, timeout time.Duration) {
	r.t.Helper()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		r.mu.Lock()
		count, changed := r.requests, r.changed
		r.mu.Unlock()
		if count >= n {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			r.t.Fatalf("%d requests to publish after %s, want %d", count, timeout, n)
		}
	}
}

// ServeHTTP serves the part of the API that publishers use.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the client went away
	}
	if problem := r.checkSignature(req, body); problem != "" {
		soketiAnswer(w, http.StatusOK, fmt.Sprintf(`{"error":%q,"code":401}`, problem))
		return
	}
	if req.Method == http.MethodGet {
		r.serveCheck(w)
		return
	}
	messages, err := published(body)
	if err != nil {
		soketiAnswer(w, http.StatusOK, fmt.Sprintf(`{"error":%q,"code":400}`, err))
		return
	}
	reply := r.note(messages)
	if reply.Wait != nil {
		select {
		case <-reply.Wait:
		case <-req.Context().Done():
			return
		}
	}
	if reply.Take && r.behind != nil {
		status, answer := r.passOn(req, body)
		if reply.Status == 0 && reply.Body == "" {
			reply.Status, reply.Body = status, answer
		}
	}
	if reply.Body == "" {
		reply.Body = `{"ok":true}`
	}
	soketiAnswer(w, reply.Status, reply.Body)
}

// serveCheck answers a question for the app's channels as the behaviour would answer a
// request without messages.
func (r *Recorder) serveCheck(w http.ResponseWriter) {
	r.mu.Lock()
	reply := r.behaviour(r.requests, nil)
	r.mu.Unlock()
	if reply.Take {
		reply = Reply{Body: `{"channels":{}}`}
	}
	soketiAnswer(w, reply.Status, reply.Body)
}

// note counts a request and records its messages, where they count as taken.
func (r *Recorder) note(messages []Published) Reply {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	reply := r.behaviour(r.requests, messages)
	if reply.Take && r.behind == nil {
		r.taken = append(r.taken, messages...)
	}
	close(r.changed)
	r.changed = make(chan struct{})
	return reply
}

// passOn lets the server behind answer, and records what it took.
func (r *Recorder) passOn(req *http.Request, body []byte) (status int, text string) {
	answer := httptest.NewRecorder()
	req.Body = io.NopCloser(bytes.NewReader(body))
	r.behind.ServeHTTP(answer, req)
	if answer.Code == http.StatusOK && strings.Contains(answer.Body.String(), `"ok":true`) {
		messages, _ := published(body)
		r.mu.Lock()
		r.taken = append(r.taken, messages...)
		r.mu.Unlock()
	}
	return answer.Code, answer.Body.String()
}

func soketiAnswer(w http.ResponseWriter, status int, body string) {
	if status == 0 {
		status = http.StatusOK
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a client that left is the client's business
}

// published reads the body of a request to publish.
func published(body []byte) ([]Published, error) {
	type message struct {
		Name     string   `json:"name"`
		Channel  string   `json:"channel"`
		Channels []string `json:"channels"`
		Data     string   `json:"data"`
	}
	var request struct {
		message
		Batch []message `json:"batch"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, fmt.Errorf("the body is no request to publish: %w", err)
	}
	if request.Batch == nil {
		request.Batch = []message{request.message}
	}
	var list []Published
	now := time.Now()
	for _, m := range request.Batch {
		for _, channel := range append(m.Channels, m.Channel) {
			if channel != "" {
				list = append(list, Published{Channel: channel, Event: m.Name, Data: json.RawMessage(m.Data), At: now})
			}
		}
	}
	return list, nil
}

// checkSignature says what is wrong with a request's credentials, as the protocol has
// it: the signature covers method, path and query, and that the sum of the body.
func (r *Recorder) checkSignature(req *http.Request, body []byte) string {
	query := req.URL.Query()
	var pairs []string
	for name := range query {
		if name != "auth_signature" {
			pairs = append(pairs, name+"="+query.Get(name))
		}
	}
	slices.Sort(pairs)
	mac := hmac.New(sha256.New, []byte(r.App.Secret))
	_, _ = io.WriteString(mac, req.Method+"\n"+req.URL.Path+"\n"+strings.Join(pairs, "&"))
	sum := md5.Sum(body) //nolint:gosec // the protocol signs the MD5 of a body
	switch {
	case !strings.HasPrefix(req.URL.Path, "/apps/"+r.App.AppID+"/"):
		return "The app could not be found."
	case query.Get("auth_signature") != hex.EncodeToString(mac.Sum(nil)):
		return "The secret authentication failed"
	case len(body) > 0 && query.Get("body_md5") != hex.EncodeToString(sum[:]):
		return "The sum of the body is wrong"
	}
	return ""
}

// Until returns a channel for Reply.Wait that is closed by release or at the end of the
// test.
func Until(t testing.TB) (wait <-chan struct{}, release func()) {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx.Done(), cancel
}
