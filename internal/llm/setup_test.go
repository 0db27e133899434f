package llm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secretSample stands in every question of these tests, and must stand in no error
// and no log.
const secretSample = "Erika Mustermann"

// bundle is a client of a scripted server.
type bundle struct {
	*Client
	server *llmtest.Server
	cache  *memoryCache
	log    *lockedBuffer
	waits  *waits
}

func setup(t *testing.T, change func(cfg *Config), script ...llmtest.Step) bundle {
	t.Helper()
	b := bundle{server: llmtest.Start(t, script...), cache: &memoryCache{}, log: &lockedBuffer{}, waits: &waits{}}
	cfg := Config{APIKey: llmtest.Key, BaseURL: b.server.BaseURL(), Model: "gpt-4.1-mini", Timeout: time.Minute}
	if change != nil {
		change(&cfg)
	}
	client, err := New(cfg, b.cache, slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(client.Close)
	client.sleep = b.waits.sleep
	client.random = func() float64 { return 0.5 }
	b.Client = client
	return b
}

// context of a test: nothing here may hang for ever.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// newPlainServer returns the base URL of a server without manners.
func newPlainServer(t *testing.T, reply func(body string) (int, string)) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		status, text := reply(string(body))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("plain server: %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

func mustNew(t testing.TB, cfg Config) *Client {
	t.Helper()
	client, err := New(cfg, nil, nil)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(client.Close)
	return client
}

// memoryCache is a Cache that can fail.
type memoryCache struct {
	mu      sync.Mutex
	answers map[string][]byte
	err     error
}

func (m *memoryCache) Answer(_ context.Context, tenantID, key string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	raw, found := m.answers[tenantID+key]
	return raw, found, m.err
}

func (m *memoryCache) SaveAnswer(_ context.Context, tenantID, key string, raw []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answers == nil {
		m.answers = map[string][]byte{}
	}
	m.answers[tenantID+key] = raw
	return m.err
}

func (m *memoryCache) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memoryCache) saved() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.answers)
}

// waits records the waits of a client instead of waiting.
type waits struct {
	mu   sync.Mutex
	list []time.Duration
}

func (w *waits) sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, d)
	return ctx.Err()
}

func (w *waits) all() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.list
}

// lockedBuffer is a log.
type lockedBuffer struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.String()
}
