package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startServer(t *testing.T, cfg ServerConfig) *Server {
	t.Helper()
	s, err := NewServer("127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func get(t *testing.T, s *Server, method, path string) (int, Report) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	var report Report
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") && method == http.MethodGet {
		if err := json.NewDecoder(response.Body).Decode(&report); err != nil {
			t.Fatal(err)
		}
	}
	return response.StatusCode, report
}

func says(name string, err error) Check {
	return NewCheck(name, func(context.Context) error { return err })
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	ok := CheckReport{Name: "database", Status: StatusOK}
	const drains = "draining: the worker is shutting down and takes no more work"
	refused := &DegradedError{Reason: "401 since 12:00"}
	for _, tc := range []struct {
		name     string
		checks   []Check
		draining bool
		code     int
		want     Report
	}{
		{"nothing to check", nil, false, 200, Report{Status: StatusOK}},
		{"all fine", []Check{says("database", nil)}, false, 200, Report{Status: StatusOK, Checks: []CheckReport{ok}}},
		{"redis down", []Check{says("database", nil), says("redis", errors.New("redis does not answer"))}, false, 503,
			Report{Status: StatusDown, Checks: []CheckReport{ok, {"redis", StatusDown, "redis does not answer"}}}},
		{"broadcast degraded", []Check{says("database", nil), says("broadcast", fmt.Errorf("relay: %w", refused))}, false, 200,
			Report{Status: StatusDegraded, Checks: []CheckReport{ok, {"broadcast", StatusDegraded, "401 since 12:00"}}}},
		{"down wins over degraded", []Check{says("a", errors.New("x")), says("b", &DegradedError{Reason: "y"})}, false, 503,
			Report{Status: StatusDown, Checks: []CheckReport{{"a", StatusDown, "x"}, {"b", StatusDegraded, "y"}}}},
		{"draining", []Check{says("database", nil)}, true, 503,
			Report{Status: StatusDown, Checks: []CheckReport{{"worker", StatusDown, drains}, ok}}},
		{"a reason is one valid line", []Check{says("database", errors.New("a\nb\xff"+strings.Repeat("c", 1000)))}, false, 503,
			Report{Status: StatusDown, Checks: []CheckReport{{"database", StatusDown, "a b?" + strings.Repeat("c", 296) + "..."}}}},
		{"a check panics", []Check{NewCheck("database", func(context.Context) error { panic("driver") })}, false, 503,
			Report{Status: StatusDown, Checks: []CheckReport{{"database", StatusDown, "the check crashed"}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, ServerConfig{Checks: tc.checks, Draining: func() bool { return tc.draining }})
			code, got := get(t, s, http.MethodGet, "/readyz")
			if code != tc.code {
				t.Errorf("HTTP %d, want %d", code, tc.code)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if code, _ := get(t, s, http.MethodGet, "/livez"); code != 200 {
				t.Errorf("livez answers %d: what a restart does not cure is no reason to die", code)
			}
		})
	}
}

// A part that hangs is told as such, is not waited for, and is not asked by a second
// goroutine while the first hangs.
func TestHangingCheck(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	release := make(chan struct{})
	hangs := NewCheck("database", func(context.Context) error {
		calls.Add(1)
		<-release
		return nil
	})
	polite := NewCheck("redis", func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	s := startServer(t, ServerConfig{Checks: []Check{hangs, polite}, CheckTimeout: 20 * time.Millisecond, CacheFor: time.Nanosecond})
	for range 3 {
		code, got := get(t, s, http.MethodGet, "/readyz")
		want := Report{Status: StatusDown, Checks: []CheckReport{
			{"database", StatusDown, "no answer within 20ms"}, {"redis", StatusDown, "no answer within 20ms"},
		}}
		if diff := cmp.Diff(want, got); diff != "" || code != 503 {
			t.Errorf("HTTP %d, report (-want +got):\n%s", code, diff)
		}
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("the hanging check was started %d times", n)
	}
	close(release)
}

func TestManyRequestsAreOneCheck(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	s := startServer(t, ServerConfig{CacheFor: time.Hour, Checks: []Check{NewCheck("database", func(context.Context) error {
		calls.Add(1)
		return nil
	})}})
	done := make(chan int)
	for range 20 {
		go func() {
			code, _ := get(t, s, http.MethodGet, "/readyz")
			done <- code
		}()
	}
	for range 20 {
		if code := <-done; code != 200 {
			t.Errorf("HTTP %d", code)
		}
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("the database was asked %d times", n)
	}
}

func TestMethodsAndPaths(t *testing.T) {
	t.Parallel()
	s := startServer(t, ServerConfig{})
	for _, tc := range []struct {
		method, path string
		code         int
	}{
		{http.MethodHead, "/livez", 200},
		{http.MethodPost, "/livez", 405},
		{http.MethodGet, "/", 404},
		{http.MethodGet, "/debug/pprof/", 404},
	} {
		t.Run(tc.method+tc.path, func(t *testing.T) {
			t.Parallel()
			if code, _ := get(t, s, tc.method, tc.path); code != tc.code {
				t.Errorf("HTTP %d, want %d", code, tc.code)
			}
		})
	}
}

func TestMetricsAreServed(t *testing.T) {
	t.Parallel()
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for path, s := range map[string]*Server{
		"with":    startServer(t, ServerConfig{Metrics: handler}),
		"without": startServer(t, ServerConfig{}),
	} {
		response, err := http.Get("http://" + s.Addr() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if want := map[string]int{"with": http.StatusTeapot, "without": http.StatusNotFound}[path]; response.StatusCode != want {
			t.Errorf("%s metrics: status %d, want %d", path, response.StatusCode, want)
		}
	}
}

func TestHugeHeaderIsRefused(t *testing.T) {
	t.Parallel()
	s := startServer(t, ServerConfig{})
	var dialer net.Dialer
	connection, err := dialer.DialContext(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close() //nolint:errcheck // the answer is what counts
	go func() {
		_, _ = fmt.Fprintf(connection, "GET /livez HTTP/1.1\r\nX: %s\r\n\r\n", strings.Repeat("x", 20<<10))
	}()
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil || !strings.Contains(line, "431") {
		t.Errorf("got %q (%v), want 431", line, err)
	}
}

func TestStartNamesATakenPort(t *testing.T) {
	t.Parallel()
	first := startServer(t, ServerConfig{})
	second, err := NewServer(first.Addr(), ServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	err = second.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "HEALTH_ADDR "+first.Addr()) {
		t.Errorf("got %v, want an error that names the variable and the address", err)
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Errorf("stop of a server that did not start: %v", err)
	}
	if _, err := NewServer("8081", ServerConfig{}); err == nil || !strings.Contains(err.Error(), ":8081") {
		t.Errorf("got %v, want an error that shows how to write it", err)
	}
	if err := first.Start(t.Context()); err == nil {
		t.Error("a server starts twice")
	}
}

// A request that hangs can not hold up the stop.
func TestStopCutsRequests(t *testing.T) {
	t.Parallel()
	began, release := make(chan struct{}), make(chan struct{})
	hangs := NewCheck("database", func(context.Context) error {
		close(began)
		<-release
		return nil
	})
	s, err := NewServer("127.0.0.1:0", ServerConfig{CheckTimeout: time.Hour, Checks: []Check{hangs}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answered := make(chan error, 1)
	go func() {
		request, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+s.Addr()+"/readyz", http.NoBody)
		response, err := transport.RoundTrip(request)
		if err == nil {
			err = errors.Join(errors.New("an answer came"), response.Body.Close())
		}
		answered <- err
	}()
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop: %v, want it to say that it ran out of time", err)
	}
	if err := <-answered; err == nil || strings.Contains(err.Error(), "an answer came") {
		t.Errorf("the hanging request got %v, want a cut connection", err)
	}
	close(release)
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	dead := errors.New("all 8 slots hang")
	s := startServer(t, ServerConfig{Checks: []Check{says("database", errors.New("down"))}})
	hung := startServer(t, ServerConfig{Alive: func() error { return dead }})
	stranger := startHTTP(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusNotFound) })
	closed := closedAddr(t)
	for _, tc := range []struct {
		name, addr string
		want       string // part of the error, empty for none
	}{
		{"alive, though not ready", s.Addr(), ""},
		{"all addresses", ":" + port(s.Addr()), ""},
		{"all IPv4 addresses", "0.0.0.0:" + port(s.Addr()), ""},
		{"all IPv6 addresses", "[::]:" + port(s.Addr()), ""},
		{"hung", hung.Addr(), "all 8 slots hang"},
		{"another server", stranger, "HTTP 404"},
		{"nobody", closed, "no worker answers on " + closed},
		{"nobody on any", ":" + port(closed), "no worker answers on 127.0.0.1"},
		{"no port", "localhost", "HEALTH_ADDR"},
		{"any port", ":0", "HEALTH_ADDR"},
		{"empty", "", "HEALTH_ADDR"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := Healthcheck(t.Context(), tc.addr)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestHealthcheckDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	silent := startHTTP(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-began
		cancel()
	}()
	if err := Healthcheck(ctx, silent); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func startHTTP(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	listener := listen(t)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return listener.Addr().String()
}

func closedAddr(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}
