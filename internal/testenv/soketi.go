package testenv

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// SoketiApp is where and as whom to publish: the values of PUSHER_HOST, PUSHER_PORT,
// PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET.
type SoketiApp struct {
	Host   string
	Port   int
	AppID  string
	Key    string
	Secret string
}

// Addr returns host:port.
func (a SoketiApp) Addr() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// The app of every Soketi in tests; scripts/with-services.sh starts the shared one
// with the same.
const (
	soketiAppID  = "ai-data-lake"
	soketiKey    = "app-key"
	soketiSecret = "app-secret"
)

// Soketi returns the Soketi that all tests share. Its channels are shared too: use a
// tenant id that no other test uses.
func Soketi(t testing.TB) SoketiApp {
	t.Helper()
	addr := os.Getenv(envSoketi)
	if addr == "" {
		Need(t, envSoketi+" is not set")
	}
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatalf("%s is %q: use host:port, such as 127.0.0.1:6001", envSoketi, addr)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		t.Fatalf("%s is %q: the port is not a number", envSoketi, addr)
	}
	app := SoketiApp{Host: host, Port: port, AppID: soketiAppID, Key: soketiKey, Secret: soketiSecret}
	if err := app.ready(); err != nil {
		t.Fatalf("%s is set, but no Soketi answers there: %v", envSoketi, err)
	}
	return app
}

// SoketiServer is a Soketi that a test can kill and start again.
type SoketiServer struct {
	SoketiApp
	server
}

// StartSoketi starts a Soketi of the test's own, which takes about three seconds.
func StartSoketi(t testing.TB) *SoketiServer {
	t.Helper()
	command := os.Getenv(envSoketiCmd)
	if command == "" {
		Need(t, envSoketiCmd+" is not set")
	}
	port := reservePorts(t)
	s := &SoketiServer{
		SoketiApp: SoketiApp{Host: "127.0.0.1", Port: port, AppID: soketiAppID, Key: soketiKey, Secret: soketiSecret},
		server:    server{t: t},
	}
	s.boot = func() (*process, error) {
		cmd := exec.Command(command) //nolint:noctx // kill ends it; a context would end it before the test's clean-up
		cmd.Env = append(withoutPrefix(os.Environ(), "SOKETI_"),
			"SOKETI_HOST=127.0.0.1", "SOKETI_PORT="+strconv.Itoa(port),
			"SOKETI_METRICS_HOST=127.0.0.1", "SOKETI_METRICS_SERVER_PORT="+strconv.Itoa(port+1),
			"SOKETI_DEFAULT_APP_ID="+s.AppID, "SOKETI_DEFAULT_APP_KEY="+s.Key, "SOKETI_DEFAULT_APP_SECRET="+s.Secret)
		p, err := launchReady(fmt.Sprintf("soketi on port %d", port), cmd, "Server is up and running")
		if err != nil {
			return nil, err
		}
		// Soketi says that it runs even when it could not take the port.
		if err := s.ready(); err != nil {
			p.kill()
			return nil, fmt.Errorf("%s started, but: %w; it said:\n%s", p.name, err, p.log)
		}
		return p, nil
	}
	s.Start()
	return s
}

// ready asks for /ready. The status says nothing: a Soketi that shuts down answers 200
// with an error in the body.
func (a SoketiApp) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.Addr()+"/ready", http.NoBody)
	if err != nil {
		return fmt.Errorf("build the request: %w", err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask for /ready: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return fmt.Errorf("read the answer of /ready: %w", err)
	}
	if string(body) != "OK" {
		return fmt.Errorf("/ready answers %d %q, want OK", resp.StatusCode, body)
	}
	return nil
}

func withoutPrefix(env []string, prefix string) []string {
	var kept []string
	for _, entry := range env {
		if !strings.HasPrefix(entry, prefix) {
			kept = append(kept, entry)
		}
	}
	return kept
}
