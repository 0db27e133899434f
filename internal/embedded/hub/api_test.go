package hub_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/embedded/hub"
	"github.com/schemacast/schemacast/internal/testenv"
)

func TestSignature(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{}).SoketiApp
	otherKey := app
	otherKey.Key = "other"
	body := []byte(`{"name":"x","channel":"x","data":"1"}`)
	post := func(app testenv.SoketiApp, at time.Time) *http.Request {
		return signed(t, app, http.MethodPost, "/events", body, "", at)
	}
	change := func(edit func(*http.Request)) *http.Request {
		req := post(app, time.Now())
		edit(req)
		return req
	}
	for name, tt := range map[string]struct {
		req  *http.Request
		want int
	}{
		"good":             {post(app, time.Now()), 200},
		"a clock behind":   {post(app, time.Now().Add(-9*time.Minute)), 200},
		"too old":          {post(app, time.Now().Add(-11*time.Minute)), 401},
		"of the future":    {post(app, time.Now().Add(11*time.Minute)), 401},
		"another key":      {post(otherKey, time.Now()), 401},
		"no signature":     {change(func(r *http.Request) { r.URL.RawQuery = "" }), 401},
		"unreadable query": {change(func(r *http.Request) { r.URL.RawQuery += "&x=%zz" }), 401},
		"a parameter more": {change(func(r *http.Request) { r.URL.RawQuery += "&x=y" }), 401},
		"another path":     {change(func(r *http.Request) { r.URL.Path = strings.Replace(r.URL.Path, "events", "batch_events", 1) }), 401},
		"another body": {change(func(r *http.Request) {
			r.Body = io.NopCloser(bytes.NewReader(bytes.Replace(body, []byte("1"), []byte("2"), 1)))
		}), 401},
	} {
		if status, answer := call(t, app, tt.req); status != tt.want {
			t.Errorf("%s: status %d, want %d: %s", name, status, tt.want, answer)
		}
	}
}

// The statuses are real, where Soketi answers 200, and the body is Soketi's.
func TestRefusal(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{}).SoketiApp
	app.Secret = "wrong"
	resp, err := http.DefaultTransport.RoundTrip(signed(t, app, http.MethodGet, "/channels", nil, "", time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("status %d, type %q", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	if diff := cmp.Diff(`{"error":"the secret authentication failed","code":401}`, strings.TrimSpace(string(body))); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

type unreadable struct{}

func (unreadable) Read([]byte) (int, error) { return 0, errors.New("it was read") }

func TestBodiesOfStrangersAreNotRead(t *testing.T) {
	t.Parallel()
	h, err := hub.New(hub.Options{AppID: "demo", Key: "demo-key", Secret: "demo-secret"})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/apps/demo/events": 401, "/apps/other/events": 404} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path+"?auth_key=demo-key", unreadable{}))
		if w.Code != want {
			t.Errorf("%s: status %d, want %d", path, w.Code, want)
		}
	}
}

func TestUnusualRequests(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{MaxEventBytes: 100}).SoketiApp
	for name, tt := range map[string]struct {
		path, body string
		want       int
	}{
		"no JSON":            {"/events", `{`, 400},
		"no object":          {"/events", `[]`, 400},
		"data no string":     {"/events", `{"name":"x","channel":"x","data":{}}`, 400},
		"bad channel":        {"/events", `{"name":"x","channels":["a:b"],"data":"1"}`, 400},
		"no batch":           {"/batch_events", `{}`, 400}, // it ends a Soketi
		"batch is null":      {"/batch_events", `{"batch":null}`, 400},
		"batch of null":      {"/batch_events", `{"batch":[null]}`, 400},
		"own limit":          {"/events", `{"name":"x","channel":"x","data":"` + strings.Repeat("x", 101) + `"}`, 413},
		"own limit kept":     {"/events", `{"name":"x","channel":"x","data":"` + strings.Repeat("x", 100) + `"}`, 200},
		"a body of megabyte": {"/events", strings.Repeat(" ", 1<<20), 413},
	} {
		req := signed(t, app, http.MethodPost, tt.path, []byte(tt.body), "", time.Now())
		if status, answer := call(t, app, req); status != tt.want {
			t.Errorf("%s: status %d, want %d: %s", name, status, tt.want, answer)
		}
	}
}

// No limit on a request comes before those on its events.
func TestLargestBatchInItsLongestForm(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{}).SoketiApp
	largest := event{Name: "x", Channel: unique(""), Data: strings.Repeat("\u0001", 102_400)}
	if status := post(t, app, "/batch_events", map[string]any{"batch": slices.Repeat([]event{largest}, 10)}); status != 200 {
		t.Errorf("status %d, want 200", status)
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{}).SoketiApp
	for path, want := range map[string]string{"/": "200 OK", "/up": "200 OK", "/other": "404 404 page not found", "/apps/demo": "404 404 page not found"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+app.Addr()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		status, body := call(t, app, req)
		if got := number(status) + " " + strings.TrimSpace(string(body)); got != want {
			t.Errorf("%s answers %q, want %q", path, got, want)
		}
	}
}

// askAuth asks the endpoint as pusher-js does.
func askAuth(t *testing.T, app testenv.SoketiApp, origin, socketID, channel string) (int, string, http.Header) {
	t.Helper()
	return askAuthForm(t, app, origin, url.Values{"socket_id": {socketID}, "channel_name": {channel}})
}

func askAuthForm(t *testing.T, app testenv.SoketiApp, origin string, form url.Values) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+app.Addr()+"/broadcasting/auth", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	return roundTrip(t, req)
}

func roundTrip(t *testing.T, req *http.Request) (int, string, http.Header) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(body)), resp.Header
}

func TestBroadcastingAuth(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{
		EncryptionKey: masterKey,
		Authorize:     func(channel string) bool { return !strings.HasSuffix(channel, "forbidden") },
	}).SoketiApp
	const local = "http://localhost:8080"
	for name, tt := range map[string]struct {
		origin, socketID, channel string
		want                      int
	}{
		"private":            {local, "1.2", "private-a", 200},
		"encrypted":          {local, "1.2", "private-encrypted-a", 200},
		"no page":            {"", "1.2", "private-a", 200},
		"refused":            {local, "1.2", "private-forbidden", 403},
		"foreign page":       {"http://example.com", "1.2", "private-a", 403},
		"public":             {local, "1.2", "a", 400},
		"bad name":           {local, "1.2", "private-a:b", 400},
		"presence":           {local, "1.2", "presence-a", 400},
		"socket id is none":  {local, "1.2:private-b", "private-a", 400},
		"socket id is empty": {local, "", "private-a", 400},
	} {
		status, body, header := askAuth(t, app, tt.origin, tt.socketID, tt.channel)
		if status != tt.want {
			t.Errorf("%s: status %d, want %d: %s", name, status, tt.want, body)
		}
		if got := header.Get("Access-Control-Allow-Origin"); (got == local) != (tt.origin == local) {
			t.Errorf("%s: the page may read it: %q", name, got)
		}
		if strings.Contains(body, `"auth"`) != (tt.want == 200) {
			t.Errorf("%s: %s", name, body)
		}
	}
	large := url.Values{"socket_id": {"1.2"}, "channel_name": {"private-a"}, "x": {strings.Repeat("x", 4<<10)}}
	if status, body, _ := askAuthForm(t, app, local, large); status != 400 {
		t.Errorf("a large form: status %d, want 400: %s", status, body)
	}
	want := `{"auth":"demo-key:` + sign("demo-secret", "1.2:private-a") + `"}`
	if _, body, _ := askAuth(t, app, local, "1.2", "private-a"); body != want {
		t.Errorf("answer %s, want %s", body, want)
	}
}

func TestBroadcastingAuthByDefault(t *testing.T) {
	t.Parallel()
	closed := startHub(t, hub.Options{}).SoketiApp
	if status, body, _ := askAuth(t, closed, "", "1.2", "private-a"); status != 403 {
		t.Errorf("without Authorize: status %d %s, want 403", status, body)
	}
	keyless := startHub(t, hub.Options{Authorize: func(string) bool { return true }}).SoketiApp
	if status, body, _ := askAuth(t, keyless, "", "1.2", "private-encrypted-a"); status != 403 {
		t.Errorf("encrypted without a key: status %d %s, want 403", status, body)
	}
}

// Laravel Echo adds a header for the CSRF token, so browsers ask first.
func TestBroadcastingAuthPreflight(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{}).SoketiApp
	for origin, want := range map[string]int{"http://127.0.0.1:8080": 204, "http://example.com": 403} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, "http://"+app.Addr()+"/broadcasting/auth", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		req.Header.Set("Access-Control-Request-Method", "POST")
		req.Header.Set("Access-Control-Request-Headers", "x-csrf-token")
		status, _, header := roundTrip(t, req)
		if status != want || (header.Get("Access-Control-Allow-Headers") == "x-csrf-token") != (want == 204) {
			t.Errorf("%s: status %d, want %d; headers %v", origin, status, want, header)
		}
	}
}
