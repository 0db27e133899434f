package admin

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

//go:embed page.html
var page []byte

// UIConfig says where a browser on this machine finds the events of one tenant.
type UIConfig struct {
	// Tenant is the id of the tenant that the page shows.
	Tenant string
	// Channel is the name of the channel of its events, with its prefix.
	Channel string
	// Key is the app's key on the server of the Pusher protocol. Without one the page
	// reads the graph every few seconds.
	Key string
	// Host and Port are where that server listens, Scheme is http or https: PUSHER_HOST,
	// PUSHER_PORT and PUSHER_SCHEME, as a browser reaches them.
	Host   string
	Port   int
	Scheme string
	// AuthEndpoint is the URL that signs subscriptions of private channels.
	AuthEndpoint string
	// NextFreePort takes a later port when the one of the address is taken. Defaults to
	// an error.
	NextFreePort bool
	// Logger defaults to one that discards.
	Logger *slog.Logger
}

// UI serves a page that shows a tenant's schemas live at /, what the page needs to
// know at /api/config, and the graph of any tenant at /api/tenants/{tenant}/graph. It
// asks nobody who they are, so it listens on loopback, and answers only requests that
// name it so: a page of the web whose name was made to resolve to 127.0.0.1 does not.
type UI struct {
	*listener
	cfg     UIConfig
	graphs  Graphs
	readers chan struct{} // holds a token for each graph that is read
	policy  string
}

// NewUI returns a UI for addr, a host and port as ADMIN_ADDR has it. Port 0 takes a
// free one.
func NewUI(addr string, cfg UIConfig, graphs Graphs) (*UI, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || !isLoopback(host) {
		return nil, fmt.Errorf("ADMIN_ADDR %q is not a loopback address and a port; write it as 127.0.0.1:8080, "+
			"and reach it from elsewhere through a tunnel: the page asks nobody for a password", addr)
	}
	if cfg.Tenant == "" {
		return nil, errors.New("the page shows one tenant, and none is named")
	}
	if cfg.Key != "" && (cfg.Host == "" || cfg.Channel == "" || (cfg.Scheme != "http" && cfg.Scheme != "https")) {
		return nil, fmt.Errorf("a page can not get events of channel %q from %q by %q; a host, a channel, and http or https are needed",
			cfg.Channel, cfg.Host, cfg.Scheme)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	u := &UI{cfg: cfg, graphs: graphs, readers: make(chan struct{}, graphReaders), policy: contentPolicy(cfg)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", u.page)
	mux.HandleFunc("GET /api/config", u.config)
	mux.HandleFunc("GET /api/tenants/{tenant}/graph", u.graph)
	u.listener = newListener("web page", "ADMIN_ADDR", addr, u.local(mux), cfg.Logger)
	u.next = cfg.NextFreePort
	return u, nil
}

// local refuses requests for other hosts.
func (u *UI) local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		if !isLoopback(host) {
			write(w, http.StatusForbidden, errorJSON{"this server answers as localhost only"})
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (u *UI) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", u.policy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	// An error here is a client that went away.
	_, _ = w.Write(page)
}

func (u *UI) config(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, struct {
		Key          string `json:"key"`
		Host         string `json:"host"`
		Port         int    `json:"port"`
		Scheme       string `json:"scheme"`
		Channel      string `json:"channel"`
		Tenant       string `json:"tenant"`
		AuthEndpoint string `json:"auth_endpoint"`
	}{u.cfg.Key, u.cfg.Host, u.cfg.Port, u.cfg.Scheme, u.cfg.Channel, u.cfg.Tenant, u.cfg.AuthEndpoint})
}

// contentPolicy lets the page run its own script and style, and talk to this server
// and to the one of its events.
func contentPolicy(cfg UIConfig) string {
	connect := "'self'"
	if cfg.Key != "" {
		connect += " " + eventSource(cfg)
	}
	if endpoint, err := url.Parse(cfg.AuthEndpoint); err == nil && endpoint.Host != "" {
		connect += " " + endpoint.Scheme + "://" + endpoint.Host
	}
	return "default-src 'none'; script-src " + hashOf("script") + "; style-src " + hashOf("style") +
		"; connect-src " + connect + "; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

func eventSource(cfg UIConfig) string {
	scheme := "ws:"
	if cfg.Scheme == "https" {
		scheme = "wss:"
	}
	if ip := net.ParseIP(cfg.Host); ip != nil && ip.To4() == nil {
		return scheme // a policy can not name IPv6 addresses
	}
	return scheme + "//" + net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port))
}

// hashOf names the content of the page's only element of a kind.
func hashOf(element string) string {
	_, rest, _ := bytes.Cut(page, []byte("<"+element+">"))
	content, _, _ := bytes.Cut(rest, []byte("</"+element+">"))
	sum := sha256.Sum256(content)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
