// Package admin is the HTTP side of a worker: whether its process is alive and
// whether it is ready, for orchestrators, balancers and people with curl.
//
// It knows none of the parts that it reports on: they come as Checks. It answers
// without authentication, so it tells names of parts and short reasons and nothing
// that belongs to a tenant.
//
// It guarantees that no request waits longer than a few seconds, whatever hangs
// behind it, and that however many requests come, each part is asked at most once a
// second.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// ServerConfig holds what a Server can do without.
type ServerConfig struct {
	// Alive fails when only a restart of the process helps. Defaults to always alive.
	Alive func() error
	// Draining says that the worker takes no more work. Defaults to never.
	Draining func() bool
	// Checks are asked for readiness, in the order of the answer.
	Checks []Check
	// CheckTimeout bounds one check. Defaults to 2 s.
	CheckTimeout time.Duration
	// CacheFor is how long an answer of the checks stands. Defaults to 1 s.
	CacheFor time.Duration
	// Logger defaults to one that discards.
	Logger *slog.Logger
}

// Server serves /livez and /readyz.
type Server struct {
	addr      string
	cfg       ServerConfig
	readiness *readiness
	http      *http.Server

	mu       sync.Mutex
	listener net.Listener
	served   chan struct{}
}

// NewServer returns a server for addr, a host and port as HEALTH_ADDR has it. Port 0
// takes a free one.
func NewServer(addr string, cfg ServerConfig) (*Server, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, addrError(addr)
	}
	cfg = cfg.withDefaults()
	s := &Server{addr: addr, cfg: cfg, readiness: newReadiness(cfg), served: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", s.livez)
	mux.HandleFunc("GET /readyz", s.readyz)
	s.http = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 2 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	return s, nil
}

func (c ServerConfig) withDefaults() ServerConfig {
	if c.Alive == nil {
		c.Alive = func() error { return nil }
	}
	if c.Draining == nil {
		c.Draining = func() bool { return false }
	}
	if c.CheckTimeout <= 0 {
		c.CheckTimeout = 2 * time.Second
	}
	if c.CacheFor <= 0 {
		c.CacheFor = time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Start listens, so that a taken port is an error here, and serves until Stop.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return errors.New("start health server: it was started before")
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("start health server on HEALTH_ADDR %s: %w; free the port or choose another", s.addr, err)
	}
	s.listener = listener
	go func() {
		defer close(s.served)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.cfg.Logger.Error("health server ended", "error", err)
		}
	}()
	return nil
}

// Addr returns the address that the server listens on, empty before Start.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Stop lets running requests end until ctx does, and cuts the rest.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	started := s.listener != nil
	s.mu.Unlock()
	if !started {
		return nil
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("stop health server: %w", errors.Join(err, s.http.Close()))
	}
	<-s.served
	return err
}

func (s *Server) livez(w http.ResponseWriter, _ *http.Request) {
	report := Report{Status: StatusOK}
	code := http.StatusOK
	if err := s.cfg.Alive(); err != nil {
		report = Report{Status: StatusDown, Checks: []CheckReport{{Name: "worker", Status: StatusDown, Error: short(err.Error())}}}
		code = http.StatusServiceUnavailable
	}
	write(w, code, report)
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	report := s.readiness.report(r.Context())
	code := http.StatusOK
	if report.Status == StatusDown {
		code = http.StatusServiceUnavailable
	}
	write(w, code, report)
}

func write(w http.ResponseWriter, code int, report Report) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	// An error here is a client that went away.
	_ = json.NewEncoder(w).Encode(report)
}
