package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

// fixedGraphs has the graph of one tenant.
type fixedGraphs struct {
	tenant string
	err    error

	mu    sync.Mutex
	graph schema.Graph
}

func (f *fixedGraphs) Graph(_ context.Context, tenantID string) (schema.Graph, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return schema.Graph{}, f.err
	}
	if tenantID != f.tenant {
		return schema.Graph{}, schema.ErrUnknownTenant
	}
	return f.graph, nil
}

func (f *fixedGraphs) change(by func(*schema.Graph)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	by(&f.graph)
}

func startUI(t *testing.T, cfg UIConfig, graphs Graphs) *UI {
	t.Helper()
	u, err := NewUI("127.0.0.1:0", cfg, graphs)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A browser keeps its connections.
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := u.Stop(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return u
}

type reply struct {
	code   int
	header http.Header
	body   string
}

// ask sends a request whose Host header is host, where it is not empty.
func (u *UI) ask(t *testing.T, method, path, host string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+u.Addr()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(body)}
}

var someUI = UIConfig{Tenant: "demo", Channel: "tenant.demo.schemas", Key: "app-key", Host: "127.0.0.1", Port: 6001, Scheme: "http"}

func TestGraphAPI(t *testing.T) {
	t.Parallel()
	graph := schema.Graph{
		Seq: 7,
		Schemas: []schema.GraphSchema{
			{Schema: schema.Schema{ID: 2, Hash: "b", Status: schema.StatusPending, AnalysisStatus: schema.AnalysisPending}},
			someGraph().Schemas[1],
		},
		Entities: []schema.Entity{{ID: 9, Name: "Customer", Fields: []schema.Field{
			{Name: "id", Type: "string", Format: "uuid", Required: true, Sample: json.RawMessage(`"secret"`)}}}},
		Mappings: someGraph().Mappings[:2],
	}
	graph.Schemas[1].Fields = graph.Schemas[1].Fields[:1]
	u := startUI(t, someUI, &fixedGraphs{tenant: "a/b ü", graph: graph})
	got := u.ask(t, http.MethodGet, "/api/tenants/a%2Fb%20%C3%BC/graph", "")
	const want = `{"seq":7,"schemas":[` +
		`{"id":2,"name":null,"status":"pending","ai_analysis_status":"pending","hash":"b","fields":[],"seq":0,"run_id":null,"error":null,"created_at":null},` +
		`{"id":1,"name":"shop_customers","status":"confirmed","ai_analysis_status":"completed","hash":"a1",` +
		`"fields":[{"name":"Customer ID","type":"string","required":true}],"seq":2,"run_id":"r1","error":null,"created_at":"2025-11-24T16:00:00Z"}],` +
		`"entities":[{"id":9,"name":"Customer","fields":[{"name":"id","type":"string","format":"uuid","required":true}]}],` +
		`"mappings":[{"schema_id":1,"entity_id":9,"source":"Customer ID","target":"id","type":"formula","formula":"$string(` + "`Customer ID`" + `)","confidence":0.97},` +
		`{"schema_id":1,"entity_id":9,"source":"First Name","target":"first_name","type":"direct","formula":null,"confidence":0.99}],"truncated":false}`
	if diff := cmp.Diff(want, strings.TrimSpace(got.body)); diff != "" || got.code != http.StatusOK {
		t.Errorf("HTTP %d (-want +got):\n%s", got.code, diff)
	}
	if kept := got.header.Get("Cache-Control"); kept != "no-store" {
		t.Errorf("Cache-Control: %s", kept)
	}
}

func TestUIAnswers(t *testing.T) {
	t.Parallel()
	u := startUI(t, someUI, &fixedGraphs{tenant: "demo"})
	down := startUI(t, someUI, &fixedGraphs{err: errors.New("password=hunter2 at db.internal")})
	_, port, _ := net.SplitHostPort(u.Addr())
	for _, tc := range []struct {
		name, method, path, host string
		ui                       *UI
		code                     int
		body                     string // a part of it
	}{
		{"empty graph", "GET", "/api/tenants/demo/graph", "", u, 200, `{"seq":0,"schemas":[],"entities":[],"mappings":[],"truncated":false}`},
		{"unknown tenant", "GET", "/api/tenants/other/graph", "", u, 404, `{"error":"no tenant has this id"}`},
		{"database down", "GET", "/api/tenants/demo/graph", "", down, 503, `{"error":"the graph can not be read now; the log says why"}`},
		{"config", "GET", "/api/config", "", u, 200,
			`{"key":"app-key","host":"127.0.0.1","port":6001,"scheme":"http","channel":"tenant.demo.schemas","tenant":"demo","auth_endpoint":""}`},
		{"page", "GET", "/", "localhost:" + port, u, 200, "<title>Schemacast</title>"},
		{"IPv6", "GET", "/", "[::1]:" + port, u, 200, "<title>"},
		{"a name that leads here", "GET", "/api/tenants/demo/graph", "evil.example.com:" + port, u, 403, "localhost only"},
		{"a name like ours", "GET", "/", "localhost.example.com", u, 403, "localhost only"},
		{"another method", "POST", "/api/config", "", u, 405, ""},
		{"another path", "GET", "/index.html", "", u, 404, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := tc.ui.ask(t, tc.method, tc.path, tc.host)
			if got.code != tc.code || !strings.Contains(got.body, tc.body) {
				t.Errorf("HTTP %d %s, want %d %s", got.code, got.body, tc.code, tc.body)
			}
		})
	}
}

func TestPageIsSmallAndClosed(t *testing.T) {
	t.Parallel()
	if len(page) > 15<<10 {
		t.Errorf("the page has %d bytes", len(page))
	}
	cfg := someUI
	cfg.AuthEndpoint = "http://127.0.0.1:7000/broadcasting/auth"
	policy := startUI(t, cfg, &fixedGraphs{}).ask(t, http.MethodGet, "/", "").header.Get("Content-Security-Policy")
	for _, want := range []string{
		"default-src 'none'; script-src 'sha256-", "style-src 'sha256-", "connect-src 'self' ws://127.0.0.1:6001 http://127.0.0.1:7000;", "frame-ancestors 'none'",
	} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is open: %s", policy)
	}
}

func TestNewUIRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(addr *string, cfg *UIConfig){
		"all addresses": func(addr *string, _ *UIConfig) { *addr = ":8080" },
		"a public one":  func(addr *string, _ *UIConfig) { *addr = "192.0.2.1:8080" },
		"no port":       func(addr *string, _ *UIConfig) { *addr = "127.0.0.1" },
		"no tenant":     func(_ *string, cfg *UIConfig) { cfg.Tenant = "" },
		"no channel":    func(_ *string, cfg *UIConfig) { cfg.Channel = "" },
		"no host":       func(_ *string, cfg *UIConfig) { cfg.Host = "" },
		"odd scheme":    func(_ *string, cfg *UIConfig) { cfg.Scheme = "javascript" },
	} {
		addr, cfg := "127.0.0.1:0", someUI
		change(&addr, &cfg)
		if _, err := NewUI(addr, cfg, &fixedGraphs{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestNextFreePort(t *testing.T) {
	t.Parallel()
	first := startUI(t, someUI, &fixedGraphs{})
	strict, err := NewUI(first.Addr(), someUI, &fixedGraphs{})
	if err != nil {
		t.Fatal(err)
	}
	if err := strict.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "ADMIN_ADDR "+first.Addr()) {
		t.Errorf("got %v, want an error that names the variable and the address", err)
	}
	cfg := someUI
	cfg.NextFreePort = true
	var ports []int
	for range 3 {
		u, err := NewUI(first.Addr(), cfg, &fixedGraphs{})
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = u.Stop(context.Background()) })
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

// slowGraphs waits to be let go.
type slowGraphs struct{ began, release chan struct{} }

func (s slowGraphs) Graph(ctx context.Context, _ string) (schema.Graph, error) {
	s.began <- struct{}{}
	select {
	case <-s.release:
	case <-ctx.Done():
	}
	return schema.Graph{}, ctx.Err()
}

func TestFewGraphsAreReadAtOnce(t *testing.T) {
	t.Parallel()
	graphs := slowGraphs{began: make(chan struct{}, 100), release: make(chan struct{})}
	u := startUI(t, someUI, graphs)
	codes := make(chan int, 2*graphReaders)
	for range 2 * graphReaders {
		go func() { codes <- u.ask(t, http.MethodGet, "/api/tenants/demo/graph", "").code }()
	}
	for range graphReaders {
		<-graphs.began
	}
	select {
	case <-graphs.began:
		t.Error("one more is read while the others are")
	case graphs.release <- struct{}{}:
	}
	close(graphs.release)
	got := map[int]int{}
	for range 2 * graphReaders {
		got[<-codes]++
	}
	if !maps.Equal(got, map[int]int{200: 2 * graphReaders}) {
		t.Errorf("answers by status: %v", got)
	}
}
