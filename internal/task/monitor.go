package task

import (
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"
)

// MonitorConfig says how a Monitor is reached, and what it may do.
type MonitorConfig struct {
	// Root is the path that it is mounted at, such as "/asynqmon".
	Root string
	// Write lets it delete, archive, run and cancel tasks, and pause queues. Defaults to
	// looking only.
	Write bool
}

// Monitor is Asynqmon: pages and an API about queues, workers and tasks. It asks nobody
// who they are, and shows the tasks of every tenant.
type Monitor struct {
	pages *asynqmon.HTTPHandler
	write bool
}

var _ http.Handler = (*Monitor)(nil)

// NewMonitor returns a monitor. It calls connect for each client that it needs, and
// closes them with Close.
func NewMonitor(connect func() redis.UniversalClient, cfg MonitorConfig) (*Monitor, error) {
	if connect == nil || !strings.HasPrefix(cfg.Root, "/") {
		return nil, errors.New("a monitor needs a redis client, and a root that starts with a slash")
	}
	pages := asynqmon.New(asynqmon.Options{
		RootPath: cfg.Root, RedisConnOpt: connection(connect), ReadOnly: !cfg.Write,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(func(_ string, payload []byte) string { return readable(payload) }),
	})
	return &Monitor{pages: pages, write: cfg.Write}, nil
}

// ServeHTTP implements http.Handler.
func (m *Monitor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Asynqmon refuses what it knows itself; here is refused what a later one may add.
	if !m.write && r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this Asynqmon is for looking only; ADMIN_ASYNQMON=write lets it change queues", http.StatusMethodNotAllowed)
		return
	}
	m.pages.ServeHTTP(w, r)
}

// Close closes its clients.
func (m *Monitor) Close() error { return m.pages.Close() }

// connection makes a function an asynq.RedisConnOpt.
type connection func() redis.UniversalClient

// MakeRedisClient implements asynq.RedisConnOpt.
func (c connection) MakeRedisClient() any { return c() }

// readable is a payload as a page shows it. Ours are short JSON; what others put there may
// be anything.
func readable(payload []byte) string {
	if !utf8.Valid(payload) {
		return "not text"
	}
	text := string(payload)
	if utf8.RuneCountInString(text) > maxPayload {
		text = string([]rune(text)[:maxPayload]) + "…"
	}
	return text
}
