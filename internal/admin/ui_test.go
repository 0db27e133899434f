package admin

import (
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSession(t *testing.T) {
	t.Parallel()
	u := startUI(t, someConfig, &lake{})
	got := u.ask(t, "POST", "/api/session", `{"token":" `+acmeToken+` "}`)
	got.want(t, "sign in", http.StatusNoContent, "")
	set, err := http.ParseSetCookie(got.header.Get("Set-Cookie"))
	if err != nil {
		t.Fatal(err)
	}
	if !set.HttpOnly || set.Secure || set.SameSite != http.SameSiteStrictMode || set.Path != "/" || set.MaxAge != 12*3600 || strings.Contains(set.Value, acmeToken) {
		t.Errorf("the cookie is %s", set)
	}
	session := "Cookie: " + sessionCookie + "=" + set.Value
	u.ask(t, "GET", "/api/config", "", session).want(t, "the session", 200, `"user":{"name":"token","can_sign_out":true}`)
	// It works on every worker that has the token.
	startUI(t, someConfig, &lake{}).ask(t, "GET", "/api/config", "", session).want(t, "another worker", 200, "")
	other := someConfig
	other.Access.Tokens = other.Access.Tokens[1:]
	startUI(t, other, &lake{}).ask(t, "GET", "/api/config", "", session).want(t, "a worker without the token", 401, "")
	out := u.ask(t, "DELETE", "/api/session", "", session)
	out.want(t, "sign out", http.StatusNoContent, "")
	if set, err := http.ParseSetCookie(out.header.Get("Set-Cookie")); err != nil || set.MaxAge != -1 {
		t.Errorf("signing out sets %v, %v", set, err)
	}
	u.ask(t, "POST", "/api/session", `token=x`).want(t, "a form", 400, `{\"token\":`)
	u.ask(t, "POST", "/api/session", `{"token":"`+strings.Repeat("x", 9000)+`"}`).want(t, "a long token", 400, "")
}

func TestOtherSitesChangeNothing(t *testing.T) {
	t.Parallel()
	l := &lake{}
	u := startUI(t, someConfig, l)
	for _, path := range []string{"/api/schemas/1/retry", "/api/session", "/broadcasting/auth", "/api/demo/sources"} {
		u.ask(t, "POST", path, "{}", asAcme, "Sec-Fetch-Site: cross-site").want(t, path, 403, `"code":"cross_site"`)
		u.ask(t, "POST", path, "{}", asAcme, "Origin: https://evil.example").want(t, path, 403, `"code":"cross_site"`)
	}
	if len(l.retried) > 0 {
		t.Error("an analysis was asked for")
	}
	u.ask(t, "POST", "/api/schemas/1/retry", "", asAcme, "Sec-Fetch-Site: same-origin", "Origin: http://"+u.Addr()).want(t, "the page itself", 202, "")
}

func TestConfigAPI(t *testing.T) {
	t.Parallel()
	cfg := someConfig
	cfg.AppURL = "https://app.example/schemas/{schema_id}"
	u := startUI(t, cfg, &lake{})
	const want = `{"version":"1.2.3","user":{"name":"token","can_sign_out":false},` +
		`"pusher":{"key":"app-key","host":"127.0.0.1","port":6001,"scheme":"http","cluster":""},` +
		`"channel":{"mode":"private","template":"tenant.{tenant_id}.schemas","event":"schema.analysis","progress_event":"schema.analysis.progress"},` +
		`"auth_endpoint":"/broadcasting/auth","tenants":[{"id":"acme","name":"Acme"}],"tenants_truncated":false,"confidence_bands":[0.9,0.7],` +
		`"app_url":"https://app.example/schemas/{schema_id}","samples":false,"demo":{"samples":[{"file":"a.csv","fields":3}]}}`
	if diff := cmp.Diff(want, strings.TrimSpace(u.ask(t, "GET", "/api/config", "", asAcme).body)); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	cfg.Events = nil
	bare, err := NewUI("127.0.0.1:0", cfg, Ports{Graphs: &lake{}, Tenants: &lake{}, Requests: &lake{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := bare.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bare.Stop(t.Context()) })
	bare.ask(t, "GET", "/api/config", "", asAll).want(t, "config", 200, `"pusher":null,`)
	bare.ask(t, "GET", "/api/config", "", asAll).want(t, "config", 200, `"auth_endpoint":null,"tenants":[{"id":"acme","name":"Acme"},{"id":"globex","name":"Globex"}]`)
	bare.ask(t, "GET", "/api/config", "", asAll).want(t, "config", 200, `"demo":null}`)
	bare.ask(t, "POST", "/api/demo/sources", "{}", asAll).want(t, "no demo", 404, "")
	bare.ask(t, "POST", "/broadcasting/auth", "", asAll).want(t, "public channels", 403, "BROADCAST_CHANNEL is public")
	u.ask(t, "GET", "/api/tenants?q=glo", "", asAll).want(t, "search", 200, `{"tenants":[{"id":"globex","name":"Globex"}],"truncated":false}`)
	u.ask(t, "GET", "/api/tenants?q=glo", "", asAcme).want(t, "search", 200, `{"tenants":[],"truncated":false}`)
}

func TestPageIsClosed(t *testing.T) {
	t.Parallel()
	u := startUI(t, someConfig, &lake{})
	got := u.ask(t, "GET", "/", "")
	got.want(t, "page", 200, "<title>")
	policy := got.header.Get("Content-Security-Policy")
	for _, want := range []string{
		"default-src 'none'; script-src 'self'; style-src 'self';", "connect-src 'self' ws://127.0.0.1:6001;", "base-uri 'none'", "frame-ancestors 'none'",
	} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || got.header.Get("Cache-Control") != "no-store" || got.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the page comes with %v", got.header)
	}
	cfg := someConfig
	cfg.Events = &EventServer{Key: "k", Host: "events.example", Port: 443, Scheme: "https"}
	if policy := contentPolicy(cfg.Events); !strings.Contains(policy, " wss://events.example:443;") {
		t.Errorf("the policy is %s", policy)
	}
	u.ask(t, "GET", "/api/nothing", "").want(t, "a path of no API", 404, `{"error":`)
	u.ask(t, "PUT", "/api/config", "").want(t, "another method", 404, `{"error":`)
	for _, path := range []string{"/index.html", "/nothing", "/assets/", "/assets/nothing.js", "/assets/..%2findex.html", "/assets/%2e%2e/index.html"} {
		if got := u.ask(t, "GET", path, ""); got.code == 200 {
			t.Errorf("%s is served: %s", path, got.body)
		}
	}
}

// Everything that the build left is served, for ever, and packed where that helps.
func TestAssets(t *testing.T) {
	t.Parallel()
	u := startUI(t, someConfig, &lake{})
	files, err := fs.Glob(dist, "dist/assets/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no assets: %v", err)
	}
	for _, file := range files {
		name := path.Base(file)
		got := u.ask(t, "GET", "/assets/"+name, "")
		content, err := dist.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got.code != 200 || got.body != string(content) || got.header.Get("Content-Type") != assetTypes[path.Ext(name)] ||
			got.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: HTTP %d, %v", name, got.code, got.header)
		}
		packed := u.ask(t, "GET", "/assets/"+name, "", "Accept-Encoding: gzip")
		if packed.header.Get("Content-Encoding") != "gzip" {
			continue // it is small, or no text
		}
		reader, err := gzip.NewReader(strings.NewReader(packed.body))
		if err != nil {
			t.Fatal(err)
		}
		if unpacked, err := io.ReadAll(reader); err != nil || string(unpacked) != string(content) {
			t.Errorf("%s is another file when it is packed: %v", name, err)
		}
	}
}

func TestNothingWorks(t *testing.T) {
	t.Parallel()
	u := startUI(t, someConfig, &lake{err: errors.New("password=hunter2 at db.internal")})
	for _, path := range []string{"GET /api/config", "GET /api/tenants", "GET /api/tenants/acme/graph", "GET /api/schemas/1", "POST /api/schemas/1/retry"} {
		method, path, _ := strings.Cut(path, " ")
		got := u.ask(t, method, path, "", asAll)
		got.want(t, path, 503, "the worker's log says why")
		if strings.Contains(got.body, "hunter2") {
			t.Errorf("%s tells %s", path, got.body)
		}
	}
}

func TestNextFreePort(t *testing.T) {
	t.Parallel()
	first := startUI(t, someConfig, &lake{})
	strict, err := NewUI(first.Addr(), someConfig, (&lake{}).ports())
	if err != nil {
		t.Fatal(err)
	}
	if err := strict.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "ADMIN_ADDR "+first.Addr()) {
		t.Errorf("got %v, want an error that names the variable and the address", err)
	}
	cfg := someConfig
	cfg.NextFreePort = true
	var ports []int
	for range 3 {
		u, err := NewUI(first.Addr(), cfg, (&lake{}).ports())
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = u.Stop(t.Context()) })
		number, err := strconv.Atoi(port(u.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, number)
	}
	taken, _ := strconv.Atoi(port(first.Addr()))
	if !slices.IsSorted(ports) || ports[0] <= taken {
		t.Errorf("after %d the ports %v were taken", taken, ports)
	}
}
