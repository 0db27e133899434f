// Package admin is the HTTP side of a worker. A Server says whether its process is
// alive and whether it is ready, for orchestrators, balancers and people with curl. A
// UI shows one tenant's schemas, live, and has the snapshot that live views start from.
//
// It knows none of the parts that it reports on: they come as Checks and Graphs. It
// answers without authentication. So a Server tells names of parts and short reasons
// and nothing that belongs to a tenant, and a UI listens on loopback alone.
//
// It guarantees that no request waits longer than a few seconds, whatever hangs
// behind it, and that however many requests come, each part is asked at most once a
// second.
package admin

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
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
	// Metrics answers /metrics, for Prometheus. Defaults to nothing there.
	Metrics http.Handler
	// CheckTimeout bounds one check. Defaults to 2 s.
	CheckTimeout time.Duration
	// CacheFor is how long an answer of the checks stands. Defaults to 1 s.
	CacheFor time.Duration
	// Logger defaults to one that discards.
	Logger *slog.Logger
}

// writeTimeout ends an answer that the client does not take.
const writeTimeout = 10 * time.Second

// Server serves /livez, /readyz and /metrics.
type Server struct {
	*listener
	cfg       ServerConfig
	readiness *readiness
}

// NewServer returns a server for addr, a host and port as HEALTH_ADDR has it. Port 0
// takes a free one.
func NewServer(addr string, cfg ServerConfig) (*Server, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, addrError(addr)
	}
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, readiness: newReadiness(cfg)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", s.livez)
	mux.HandleFunc("GET /readyz", s.readyz)
	if cfg.Metrics != nil {
		mux.Handle("GET /metrics", cfg.Metrics)
	}
	s.listener = newListener("health server", "HEALTH_ADDR", addr, mux, cfg.Logger)
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
	report := s.Report(r.Context())
	code := http.StatusOK
	if report.Status == StatusDown {
		code = http.StatusServiceUnavailable
	}
	write(w, code, report)
}

// Report is what /readyz answers.
func (s *Server) Report(ctx context.Context) Report { return s.readiness.report(ctx) }

// write answers with JSON that nobody may keep.
func write(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	// An error here is a client that went away.
	_ = json.NewEncoder(w).Encode(body)
}
