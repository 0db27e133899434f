package admin

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// Every way to be somebody, and every way to fail at it.
func TestIdentify(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour)
	cookie := func(secret string, until time.Time) string {
		return "Cookie: " + sessionCookie + "=" + (&Token{Secret: secret}).cookie(until)
	}
	good := (&Token{Secret: acmeToken}).cookie(later)
	for _, tc := range []struct {
		name, peer string
		head       []string
		want       string // name and tenants, empty for nobody
	}{
		{"nobody", "203.0.113.1:5", nil, ""},
		{"a token", "203.0.113.1:5", []string{asAcme}, "token acme"},
		{"a token of all", "203.0.113.1:5", []string{asAll}, "token *"},
		{"a wrong token", "203.0.113.1:5", []string{"Authorization: Bearer acme-token-012345678"}, ""},
		{"an empty token", "203.0.113.1:5", []string{"Authorization: Bearer "}, ""},
		{"another scheme", "203.0.113.1:5", []string{"Authorization: Basic " + acmeToken}, ""},
		{"a cookie", "203.0.113.1:5", []string{cookie(acmeToken, later)}, "token acme"},
		{"a cookie of another worker's token", "203.0.113.1:5", []string{cookie("removed-0123456789", later)}, ""},
		{"an expired cookie", "203.0.113.1:5", []string{cookie(acmeToken, time.Now().Add(-time.Second))}, ""},
		{"a cookie with a later end", "203.0.113.1:5", []string{"Cookie: " + sessionCookie + "=" +
			strings.Replace(good, strconv.FormatInt(later.Unix(), 10), strconv.FormatInt(later.Unix()+9, 10), 1)}, ""},
		{"a cookie of a token with its id alone", "203.0.113.1:5", []string{"Cookie: " + sessionCookie + "=" + (&Token{Secret: allToken}).id() + good[16:]}, ""},
		{"rubbish", "203.0.113.1:5", []string{"Cookie: " + sessionCookie + "=..", "Cookie: x"}, ""},
		{"a proxy", "192.0.2.7:5", []string{"X-Who: acme, glo%62ex"}, "proxy acme,globex"},
		{"a proxy over IPv6", "[::ffff:192.0.2.7]:5", []string{"X-Who: *"}, "proxy *"},
		{"a proxy that names nobody", "192.0.2.7:5", nil, ""},
		{"a proxy that names nobody, whatever the client sends", "192.0.2.7:5", []string{asAll}, ""},
		{"a proxy and its client say who it is", "192.0.2.7:5", []string{"X-Who: *", "X-Who: acme"}, ""},
		{"a proxy with an empty header", "192.0.2.7:5", []string{"X-Who: "}, ""},
		{"a stranger who knows the header", "203.0.113.1:5", []string{"X-Who: *"}, ""},
		{"a stranger who pretends to be behind the proxy", "203.0.113.1:5", []string{"X-Who: *", "X-Forwarded-For: 192.0.2.7"}, ""},
		{"a stranger with a token", "203.0.113.1:5", []string{"X-Who: *", asAcme}, "token acme"},
		{"no peer", "@", []string{"X-Who: *"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/config", http.NoBody)
			r.RemoteAddr = tc.peer
			for _, line := range tc.head {
				name, value, _ := strings.Cut(line, ": ")
				r.Header.Add(name, value)
			}
			who, err := newGuard(someConfig.Access).identify(r)
			got := ""
			if err == nil {
				got = who.name + " " + strings.Join(who.tenants.IDs, ",")
				if who.tenants.All {
					got += "*"
				}
			}
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

// What a caller may not see answers to the letter as what does not exist.
func TestForeignIsUnknown(t *testing.T) {
	t.Parallel()
	u := startUI(t, someConfig, &lake{})
	for _, pair := range [][3]string{
		{"GET", "/api/tenants/globex/graph", "/api/tenants/nobody/graph"},
		{"GET", "/api/schemas/2", "/api/schemas/3"},
		{"POST", "/api/schemas/2/retry", "/api/schemas/3/retry"},
	} {
		foreign, unknown := u.ask(t, pair[0], pair[1], "", asAcme), u.ask(t, pair[0], pair[2], "", asAcme)
		if foreign.code != http.StatusNotFound || foreign.code != unknown.code || foreign.body != unknown.body {
			t.Errorf("%s: HTTP %d %s; %s: HTTP %d %s", pair[1], foreign.code, foreign.body, pair[2], unknown.code, unknown.body)
		}
		if own := u.ask(t, pair[0], strings.NewReplacer("globex", "acme", "/2", "/1").Replace(pair[1]), "", asAcme); own.code >= 300 {
			t.Errorf("%s of one's own: HTTP %d %s", pair[1], own.code, own.body)
		}
		u.ask(t, pair[0], pair[1], "").want(t, "nobody", http.StatusUnauthorized, `"code":"signed_out"`)
	}
	for _, id := range []string{"0", "-1", "x", "9223372036854775808", "1%20OR%201"} {
		u.ask(t, "GET", "/api/schemas/"+id, "", asAll).want(t, id, http.StatusNotFound, `"code":"unknown_schema"`)
	}
}

func TestWrongTokensAreSlowedDown(t *testing.T) {
	t.Parallel()
	u := startUI(t, someConfig, &lake{})
	wrong := `{"token":"wrong-token-0123456789"}`
	for range guessBurst {
		u.ask(t, "POST", "/api/session", wrong).want(t, "a wrong token", http.StatusUnauthorized, "ADMIN_TOKENS")
	}
	for _, got := range []reply{
		u.ask(t, "POST", "/api/session", wrong), u.ask(t, "GET", "/api/config", "", "Authorization: Bearer x"),
		u.ask(t, "POST", "/api/session", `{"token":"`+acmeToken+`"}`), // else guessing would go on
	} {
		got.want(t, "one more", http.StatusTooManyRequests, "too many")
		if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 6 {
			t.Errorf("Retry-After: %s", got.header.Get("Retry-After"))
		}
	}
	// Who is signed in notices nothing.
	session := "Cookie: " + sessionCookie + "=" + (&Token{Secret: acmeToken}).cookie(time.Now().Add(time.Hour))
	u.ask(t, "GET", "/api/config", "", session).want(t, "a session", http.StatusOK, "")
}

func TestGuessesAreBounded(t *testing.T) {
	t.Parallel()
	g := newGuesses()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	for i := range 3 * guessPeers {
		r.RemoteAddr = "[2001:db8:" + strconv.FormatInt(int64(i), 16) + "::1]:5"
		peer, _ := peerOf(r)
		g.wrong(peer)
	}
	if len(g.peers) > guessPeers {
		t.Errorf("%d peers are remembered", len(g.peers))
	}
	r.RemoteAddr = "[2001:db8::1]:5"
	one, _ := peerOf(r)
	r.RemoteAddr = "[2001:db8::2]:5"
	neighbour, _ := peerOf(r)
	for range guessBurst {
		g.wrong(one)
	}
	if g.blocked(neighbour) == 0 {
		t.Error("another address of the same network may guess on")
	}
}

func TestOpenAccess(t *testing.T) {
	t.Parallel()
	cfg := someConfig
	cfg.Access = Access{Open: "acme"}
	u := startUI(t, cfg, &lake{})
	u.ask(t, "GET", "/api/config", "").want(t, "config", 200, `"user":{"name":"demo","can_sign_out":false}`)
	u.ask(t, "GET", "/api/tenants/globex/graph", "").want(t, "another tenant", 404, "")
	u.ask(t, "GET", "/api/config", "", "Host: evil.example.com").want(t, "a name that leads here", 403, "localhost only")
	u.ask(t, "GET", "/", "", "Host: localhost.example.com").want(t, "a name like ours", 403, "localhost only")
	u.ask(t, "GET", "/", "", "Host: [::1]:80").want(t, "IPv6", 200, "")
	tokens := startUI(t, someConfig, &lake{})
	tokens.ask(t, "GET", "/api/config", "", "Host: dashboard.example.com", asAcme).want(t, "a public name", 200, "")
}

func TestNewUIRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(addr *string, cfg *UIConfig){
		"open to all":        func(addr *string, cfg *UIConfig) { *addr, cfg.Access = ":8080", Access{Open: "acme"} },
		"open to a network":  func(addr *string, cfg *UIConfig) { *addr, cfg.Access = "192.0.2.1:8080", Access{Open: "acme"} },
		"closed to all":      func(_ *string, cfg *UIConfig) { cfg.Access = Access{} },
		"no port":            func(addr *string, _ *UIConfig) { *addr = "127.0.0.1" },
		"proxies, no header": func(_ *string, cfg *UIConfig) { cfg.Access.Header = "" },
		"no template":        func(_ *string, cfg *UIConfig) { cfg.ChannelTemplate = "" },
		"no host":            func(_ *string, cfg *UIConfig) { cfg.Events = &EventServer{Key: "k", Port: 1, Scheme: "http"} },
		"odd scheme": func(_ *string, cfg *UIConfig) {
			cfg.Events = &EventServer{Key: "k", Host: "h", Port: 1, Scheme: "javascript"}
		},
	} {
		addr, cfg := "127.0.0.1:0", someConfig
		change(&addr, &cfg)
		if _, err := NewUI(addr, cfg, (&lake{}).ports()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if !(schema.Tenants{All: true}).Has("x") || (schema.Tenants{}).Has("") {
		t.Error("sets of tenants")
	}
}
