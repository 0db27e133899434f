package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/testenv"
)

const (
	ownerToken   = "owner-0123456789abcdef"
	foreignToken = "foreign-0123456789abcdef"
)

// adminUser is the admin server of a worker, as somebody with a token sees it.
type adminUser struct {
	t     *testing.T
	url   string
	token string
}

func adminOf(t *testing.T, w *worker, token string) *adminUser {
	t.Helper()
	match := regexp.MustCompile(`msg="admin server started" addr=(\S+)`).FindStringSubmatch(w.log.String())
	if match == nil {
		t.Fatalf("the worker does not tell where its dashboard is:\n%s", w.log)
	}
	return &adminUser{t: t, url: "http://" + match[1], token: token}
}

func (d *adminUser) ask(method, path, body string) (int, []byte) {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+d.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return response.StatusCode, content
}

func (d *adminUser) want(status int, method, path, body string) []byte {
	d.t.Helper()
	got, content := d.ask(method, path, body)
	if got != status {
		d.t.Fatalf("%s %s: HTTP %d %s, want %d", method, path, got, content, status)
	}
	return content
}

// authEndpoint is the dashboard's, for a listener that can send no token: one in between
// adds it, as the cookie does in a browser.
func (d *adminUser) authEndpoint() string {
	d.t.Helper()
	target, err := url.Parse(d.url)
	if err != nil {
		d.t.Fatal(err)
	}
	between := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Set("Authorization", "Bearer "+d.token)
	}})
	d.t.Cleanup(between.Close)
	return between.URL + "/broadcasting/auth"
}

type adminGraph struct {
	Since   string `json:"since"`
	Delta   bool   `json:"delta"`
	Schemas []struct {
		ID     int64  `json:"id"`
		Status string `json:"ai_analysis_status"`
		Run    struct {
			ID string `json:"id"`
		} `json:"run"`
	} `json:"schemas"`
	Links []struct {
		Fields int `json:"fields"`
	} `json:"links"`
}

func (d *adminUser) graph(tenant, query string) adminGraph {
	d.t.Helper()
	var graph adminGraph
	if err := json.Unmarshal(d.want(http.StatusOK, "GET", "/api/tenants/"+tenant+"/graph"+query, ""), &graph); err != nil {
		d.t.Fatal(err)
	}
	return graph
}

// The dashboard of a real worker: who has the token of a tenant reads its graph, hears its
// events on a channel that nobody else is admitted to, and asks for an analysis again.
func TestDashboard(t *testing.T) {
	t.Parallel()
	for _, mode := range []testenv.ChannelMode{testenv.Private, testenv.Encrypted} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			g := newGround(t, testenv.Soketi(t))
			g.env["BROADCAST_CHANNEL"], g.env["ADMIN_ADDR"] = string(mode), "127.0.0.1:0"
			g.env["ADMIN_TOKENS"] = ownerToken + "=" + g.tenant + " " + foreignToken + "=somebody-else"
			if mode == testenv.Encrypted {
				g.env["BROADCAST_ENCRYPTION_KEY"] = masterKey
			}
			w := g.start(t)
			owner, foreign, nobody := adminOf(t, w, ownerToken), adminOf(t, w, foreignToken), adminOf(t, w, "x")
			own := testenv.StartReceiver(t, testenv.ReceiverConfig{App: g.soketi, Tenant: g.tenant, Mode: mode, AuthEndpoint: owner.authEndpoint()})
			for _, other := range []*adminUser{foreign, nobody} {
				testenv.StartReceiver(t, testenv.ReceiverConfig{
					App: g.soketi, Tenant: g.tenant, Mode: mode, AuthEndpoint: other.authEndpoint(), Refused: true,
				})
			}

			g.want(0, "fields mapped", "enqueue", "file", g.file("customers.csv", customersCSV), "--tenant", g.tenant, "--wait")
			var first event
			states(own, 2)[1].Decode(t, &first)
			if first.Status != "completed" {
				t.Fatalf("the event is %+v", first)
			}
			graph := owner.graph(g.tenant, "")
			if len(graph.Schemas) != 1 || graph.Schemas[0].Status != "completed" || len(graph.Links) != 1 || graph.Links[0].Fields != 6 {
				t.Fatalf("the graph is %+v", graph)
			}
			path := "/api/schemas/" + strconv.FormatInt(graph.Schemas[0].ID, 10)
			foreign.want(http.StatusNotFound, "GET", "/api/tenants/"+g.tenant+"/graph", "")
			foreign.want(http.StatusNotFound, "GET", path, "")
			foreign.want(http.StatusNotFound, "POST", path+"/retry", "")
			nobody.want(http.StatusUnauthorized, "GET", path, "")
			if detail := owner.want(http.StatusOK, "GET", path, ""); strings.Contains(string(detail), "Tom Chen") {
				t.Errorf("the detail holds a sample value although nobody opted in: %s", detail)
			}

			owner.want(http.StatusAccepted, "POST", path+"/retry", `{"force":true}`)
			states(own, 4)
			if again := owner.graph(g.tenant, "?since="+graph.Since); !again.Delta || len(again.Schemas) != 1 || again.Schemas[0].Run.ID == graph.Schemas[0].Run.ID {
				t.Errorf("after the retry the delta is %+v", again)
			}
			w.stop()
			if strings.Contains(w.log.String(), ownerToken) || strings.Contains(w.log.String(), "Tom Chen") {
				t.Error("the log holds a token or a sample value")
			}
		})
	}
}
