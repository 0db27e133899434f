// Package llmtest is a scripted OpenAI-compatible server for tests. It checks every
// request as a strict server would, records it, and answers by a script of steps; when
// the script is over it answers every question well, with content computed from the
// question itself, so that whole analyses run without a model.
//
// It knows the form of our prompts from the outside and shares no code with package
// llm, so that a mistake there does not repeat here. It is no judge of quality: its
// good answers map equal names and nothing else. Users' binaries do not import it.
package llmtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// Key is the only key that the server accepts.
const Key = "sk-llmtest-0123456789abcdef"

// maxBody is the largest request that the server takes.
const maxBody = 4 << 20

// TB is the part of testing.TB that Start uses.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(f func())
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// Server is a scripted server.
type Server struct {
	http     *httptest.Server
	released chan struct{} // closed by Close: lets hanging steps go

	mu       sync.Mutex
	script   []Step
	fallback Step
	requests []Request
	arrived  chan struct{} // closed and replaced at every request
}

// Listen starts a server on an address such as 127.0.0.1:0. The steps are used in the
// order in which requests arrive, one each; after the last one the server answers as
// Otherwise says. Close it after use.
func Listen(ctx context.Context, address string, script ...Step) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s for the scripted model: %w", address, err)
	}
	s := &Server{
		released: make(chan struct{}),
		script:   script,
		fallback: Good(),
		arrived:  make(chan struct{}),
	}
	s.http = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	_ = s.http.Listener.Close() // httptest opened one that is not used
	s.http.Listener = listener
	s.http.Start()
	return s, nil
}

// Start starts a server that ends with the test. The test fails when a request was
// not as a strict server wants it.
func Start(tb TB, script ...Step) *Server {
	tb.Helper()
	s, err := Listen(tb.Context(), "127.0.0.1:0", script...)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(func() {
		s.Close()
		for i, request := range s.Requests() {
			for _, problem := range request.Problems {
				tb.Errorf("request %d to the scripted model: %s", i+1, problem)
			}
		}
	})
	return s
}

// BaseURL is what OPENAI_BASE_URL is set to.
func (s *Server) BaseURL() string { return s.http.URL + "/v1" }

// Otherwise sets the step that answers when the script is over. Defaults to Good().
func (s *Server) Otherwise(step Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fallback = step
}

// Script appends steps.
func (s *Server) Script(steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, steps...)
}

// CloseConnections closes the connections of all clients, as servers do with idle ones.
func (s *Server) CloseConnections() { s.http.CloseClientConnections() }

// Close ends the server and every step that hangs. Calling it again does nothing.
func (s *Server) Close() {
	s.mu.Lock()
	select {
	case <-s.released:
	default:
		close(s.released)
	}
	s.mu.Unlock()
	s.http.CloseClientConnections()
	s.http.Close()
}

// Requests returns what arrived so far, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Count returns the number of requests that arrived so far.
func (s *Server) Count() int { return len(s.Requests()) }

// Last returns the newest request, the zero one when there was none.
func (s *Server) Last() Request {
	requests := s.Requests()
	if len(requests) == 0 {
		return Request{}
	}
	return requests[len(requests)-1]
}

// Wait returns when n requests have arrived, or with the context's cause.
func (s *Server) Wait(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		count, arrived := len(s.requests), s.arrived
		s.mu.Unlock()
		if count >= n {
			return nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return fmt.Errorf("wait for request %d of the scripted model, %d came: %w", n, count, context.Cause(ctx))
		}
	}
}

// serve records a request and lets the next step answer it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Path == "/llmtest/requests" {
		s.serveStatus(w)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return // the client went away
	}
	request := readRequest(r, body)
	step := s.record(request)
	if len(request.Problems) > 0 {
		writeError(w, http.StatusBadRequest, "llmtest_invalid_request", strings.Join(request.Problems, "; "))
		return
	}
	step.reply(&call{w: w, r: r, request: request, released: s.released})
}

// serveStatus tells another process what arrived; see the program in serve.
func (s *Server) serveStatus(w http.ResponseWriter) {
	requests := s.Requests()
	problems := []string{}
	for _, request := range requests {
		problems = append(problems, request.Problems...)
	}
	writeJSON(w, http.StatusOK, map[string]any{"count": len(requests), "problems": problems})
}

func (s *Server) record(request Request) Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, request)
	close(s.arrived)
	s.arrived = make(chan struct{})
	if len(s.script) == 0 {
		return s.fallback
	}
	step := s.script[0]
	s.script = s.script[1:]
	return step
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that left is the client's business
}

func writeError(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]any{
		"message": message, "type": "invalid_request_error", "code": code, "param": nil,
	}})
}
