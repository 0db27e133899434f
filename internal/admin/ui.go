package admin

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/klauspost/compress/gzhttp"
)

// EventServer is the server of the Pusher protocol as browsers reach it.
type EventServer struct {
	Key  string
	Host string
	Port int
	// Scheme is http or https, which stand for ws and wss.
	Scheme string
	// Cluster is of Pusher's cloud.
	Cluster string
}

// UIConfig says what the dashboard shows, and to whom.
type UIConfig struct {
	// Version is of the program.
	Version string
	Access  Access
	// Events is where the page hears of changes. Defaults to nowhere: it asks every few
	// seconds.
	Events *EventServer
	// ChannelMode is public, private or encrypted.
	ChannelMode string
	// ChannelTemplate is the name of a tenant's channel without the prefix of the mode.
	ChannelTemplate string
	// Bands are the least confidences that are shown as good and as fair.
	Bands [2]float64
	// AppURL is the app's page of a schema, with {schema_id} and {tenant_id}. Defaults to none.
	AppURL string
	// Samples shows sample records. They are data of the tenant.
	Samples bool
	// Visited is called whenever somebody opens the page. Defaults to nothing.
	Visited func()
	// NextFreePort takes a later port when the one of the address is taken. Defaults to
	// an error.
	NextFreePort bool
	// Logger defaults to one that discards.
	Logger *slog.Logger
}

// Ports are what a UI needs of the other parts.
type Ports struct {
	Graphs   Graphs
	Tenants  TenantSearch
	Requests Requests
	// Admission signs subscriptions; nil where the channels are public, or there are none.
	Admission Admission
	// Sources adds sources to the demo; nil for no demo.
	Sources Sources
	// Queues is Asynqmon, mounted at QueuesPath; nil for none.
	Queues http.Handler
}

// UI serves the dashboard and its API. Whom it answers is UIConfig.Access.
type UI struct {
	*listener
	cfg     UIConfig
	ports   Ports
	guard   *guard
	readers chan struct{} // holds a token for each graph that is read
	running chan struct{} // holds a token for each request
	policy  string
}

// NewUI returns a UI for addr, a host and port as ADMIN_ADDR has it. Port 0 takes a
// free one.
func NewUI(addr string, cfg UIConfig, ports Ports) (*UI, error) {
	if err := cfg.problem(addr); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Visited == nil {
		cfg.Visited = func() {}
	}
	u := &UI{
		cfg: cfg, ports: ports, guard: newGuard(cfg.Access), policy: contentPolicy(cfg.Events),
		readers: make(chan struct{}, graphReaders), running: make(chan struct{}, maxRunning),
	}
	compress, err := gzhttp.NewWrapper()
	if err != nil {
		return nil, fmt.Errorf("prepare compression: %w", err)
	}
	sameSite := http.NewCrossOriginProtection()
	sameSite.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusForbidden, "another site sent this request; open the dashboard itself", "cross_site")
	}))
	u.listener = newListener("admin server", "ADMIN_ADDR", addr, u.bounded(u.local(sameSite.Handler(compress(u.routes())))), cfg.Logger)
	u.next = cfg.NextFreePort
	return u, nil
}

func (c UIConfig) problem(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("ADMIN_ADDR %q is no host and port; write it as 127.0.0.1:8080", addr)
	}
	a := c.Access
	switch {
	case a.Open != "" && !isLoopback(host):
		return fmt.Errorf("ADMIN_ADDR %q is not a loopback address; write it as 127.0.0.1:8080, "+
			"and reach it from elsewhere through a tunnel: the demo asks nobody for a token", addr)
	case a.Open == "" && len(a.Tokens) == 0 && len(a.Proxies) == 0:
		return errors.New("nobody could see the dashboard; set ADMIN_TOKENS, or ADMIN_TRUSTED_PROXIES")
	case len(a.Proxies) > 0 && a.Header == "":
		return errors.New("trusted proxies need a header to name tenants in; set ADMIN_IDENTITY_HEADER")
	case c.ChannelTemplate == "":
		return errors.New("the template of channels is empty")
	}
	if e := c.Events; e != nil && (e.Key == "" || e.Host == "" || e.Port == 0 || (e.Scheme != "http" && e.Scheme != "https")) {
		return fmt.Errorf("a page can not get events from %q by %q; a key, a host, a port, and http or https are needed", e.Host, e.Scheme)
	}
	return nil
}

func (u *UI) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", u.page)
	mux.HandleFunc("GET /assets/{name}", u.asset)
	mux.HandleFunc("POST /api/session", u.signIn)
	mux.HandleFunc("DELETE /api/session", u.signOut)
	mux.HandleFunc("GET /api/config", u.known(u.config))
	mux.HandleFunc("GET /api/tenants", u.known(u.tenants))
	mux.HandleFunc("GET /api/tenants/{tenant}/graph", u.known(u.graph))
	mux.HandleFunc("GET /api/schemas/{id}", u.known(u.detail))
	mux.HandleFunc("POST /api/schemas/{id}/retry", u.known(u.retry))
	mux.HandleFunc("POST /broadcasting/auth", u.known(u.authorize))
	if u.ports.Sources != nil {
		mux.HandleFunc("POST /api/demo/sources", u.known(u.addSource))
	}
	if u.ports.Queues != nil {
		mux.HandleFunc(QueuesPath, u.known(u.queues))
		mux.HandleFunc(QueuesPath+"/", u.known(u.queues))
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, "the API has nothing at this address for this method", "")
	})
	return mux
}

// known lets those through who are somebody.
func (u *UI) known(next func(w http.ResponseWriter, r *http.Request, who identity)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := u.guard.identify(r)
		if err != nil {
			refuse(w, err)
			return
		}
		next(w, r, who)
	}
}

// maxRunning is how many requests are answered at a time. A page has a few under way.
const maxRunning = 256

// bounded turns away what comes when too many requests run, whoever sends them: analyses
// share the process.
func (u *UI) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case u.running <- struct{}{}:
			defer func() { <-u.running }()
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			fail(w, http.StatusServiceUnavailable, "too many requests run; try again in a second", "busy")
		}
	})
}

// local refuses requests for other hosts where everybody is let in: a page of the web whose
// name was made to resolve to 127.0.0.1 would be.
func (u *UI) local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		if u.cfg.Access.Open != "" && !isLoopback(host) {
			fail(w, http.StatusForbidden, "this server answers as localhost only", "")
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

type errorJSON struct {
	Error string `json:"error"`
	Code  string `json:"code,omitempty"`
}

func fail(w http.ResponseWriter, status int, text, code string) {
	write(w, status, errorJSON{text, code})
}

// refuse answers who is nobody.
func refuse(w http.ResponseWriter, err error) {
	if late, ok := errors.AsType[*tooManyError](err); ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(late.retry.Seconds()))))
		fail(w, http.StatusTooManyRequests, err.Error(), "too_many")
		return
	}
	fail(w, http.StatusUnauthorized, err.Error(), "signed_out")
}
