// Package hub is a server of the Pusher protocol inside the process, for trying
// things out: browsers subscribe over WebSocket, a publisher sends over the signed
// HTTP API, as both do with Soketi or Pusher.
//
// It has public, private and encrypted channels, and an endpoint that signs
// subscriptions. It has no presence or cache channels, no client events, no webhooks,
// no TLS and nothing that outlives Close. It serves pages of loopback only and is not
// for production.
//
// It guarantees that the events of one channel reach every subscriber in the order in
// which the HTTP API took them and without a gap: a connection that can not keep up is
// closed, and the client comes back and reads a snapshot. Memory is bounded by the
// limits in Options.
package hub

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"
)

// Options describe the one app of a Hub.
type Options struct {
	// AppID, Key and Secret are the app's credentials. All are needed.
	AppID, Key, Secret string
	// EncryptionKey is base64 of 32 bytes, the key that the publisher of encrypted
	// channels has too. Without it POST /broadcasting/auth refuses encrypted channels.
	EncryptionKey string
	// Authorize says whether POST /broadcasting/auth signs a subscription to a private
	// or encrypted channel. Defaults to never.
	Authorize func(channel string) bool

	// MaxEventBytes limits the data of one event in UTF-8 bytes. Defaults to 102,400,
	// as Soketi's does.
	MaxEventBytes int
	// MaxConnections limits the subscribers. Defaults to 100, as in Pusher's free plan.
	MaxConnections int
	// MaxChannels limits the channels of one connection. Defaults to 100.
	MaxChannels int
	// IdleTimeout is how long a client may say nothing, also when pinged, before its
	// connection is closed. It takes up to half as long again to notice. Defaults to
	// 120 s, as in the protocol.
	IdleTimeout time.Duration
}

// identifier is what app ids and keys are made of, since both stand in URLs.
var identifier = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)

const encryptionKeyBytes = 32

// Hub is the server. It is an http.Handler that is safe for concurrent use.
type Hub struct {
	opts      Options
	masterKey []byte
	mux       *http.ServeMux
	serving   sync.WaitGroup // WebSocket handlers, which http.Server does not wait for

	mu       sync.Mutex
	closed   bool
	conns    map[*conn]struct{}
	channels map[string]map[*conn]struct{} // only those with subscribers
}

// New checks the options and returns a hub that serves at once.
func New(opts Options) (*Hub, error) {
	masterKey, err := base64.StdEncoding.DecodeString(opts.EncryptionKey)
	if err != nil || (len(masterKey) != 0 && len(masterKey) != encryptionKeyBytes) {
		err = fmt.Errorf("the encryption key is not base64 of %d bytes", encryptionKeyBytes)
	}
	if err := errors.Join(err, opts.problems()); err != nil {
		return nil, fmt.Errorf("make the hub: %w", err)
	}
	h := &Hub{
		opts:      opts.withDefaults(),
		masterKey: masterKey,
		mux:       http.NewServeMux(),
		conns:     map[*conn]struct{}{},
		channels:  map[string]map[*conn]struct{}{},
	}
	h.mux.HandleFunc("GET /{$}", up)
	h.mux.HandleFunc("GET /up", up)
	h.mux.HandleFunc("GET /app/{key}", h.connect)
	h.mux.HandleFunc("POST /apps/{app}/events", h.events)
	h.mux.HandleFunc("POST /apps/{app}/batch_events", h.batchEvents)
	h.mux.HandleFunc("GET /apps/{app}/channels", h.listChannels)
	h.mux.HandleFunc("GET /apps/{app}/channels/{channel}", h.showChannel)
	h.mux.HandleFunc("POST /broadcasting/auth", h.authorize)
	h.mux.HandleFunc("OPTIONS /broadcasting/auth", h.preflight)
	return h, nil
}

func (o Options) problems() error {
	var problems []error
	if !identifier.MatchString(o.AppID) {
		problems = append(problems, fmt.Errorf("app id %q is empty or can not stand in a URL", o.AppID))
	}
	if !identifier.MatchString(o.Key) {
		problems = append(problems, errors.New("the key is empty or can not stand in a URL"))
	}
	if o.Secret == "" {
		problems = append(problems, errors.New("the secret is empty"))
	}
	if o.MaxEventBytes < 0 || o.MaxConnections < 0 || o.MaxChannels < 0 || o.IdleTimeout < 0 {
		problems = append(problems, errors.New("a limit is negative; leave it out for its default"))
	}
	return errors.Join(problems...)
}

func (o Options) withDefaults() Options {
	o.MaxEventBytes = orDefault(o.MaxEventBytes, 100<<10)
	o.MaxConnections = orDefault(o.MaxConnections, 100)
	o.MaxChannels = orDefault(o.MaxChannels, 100)
	o.IdleTimeout = orDefault(o.IdleTimeout, 120*time.Second)
	if o.Authorize == nil {
		o.Authorize = func(string) bool { return false }
	}
	return o
}

func orDefault[T int | time.Duration](value, fallback T) T {
	if value == 0 {
		return fallback
	}
	return value
}

// ServeHTTP serves the WebSocket, the HTTP API and the endpoint for subscriptions.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Close tells every client to connect again and returns when all connections have
// ended, after 2 seconds at the latest, whatever the clients do. What was published
// before is sent first. After it the hub takes neither connections nor events.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	for c := range h.conns {
		c.end(codeReconnect, "the server is closing")
	}
	h.mu.Unlock()
	h.serving.Wait()
}

func up(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK")) }

// answer writes v as JSON. An error of writing is a client that went away.
func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// refuse answers as Soketi does, except that the status is real.
func refuse(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Error string `json:"error"`
		Code  int    `json:"code"`
	}{reason, status})
}
