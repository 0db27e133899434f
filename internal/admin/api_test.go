package admin

import (
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

func TestGraphAPI(t *testing.T) {
	t.Parallel()
	l := &lake{}
	u := startUI(t, someConfig, l)
	got := u.ask(t, "GET", "/api/tenants/acme/graph?limit=7&since=x", "", asAcme)
	const stamps = `"requested_at":"2025-11-24T16:00:00.005Z","started_at":"2025-11-24T16:00:00.005Z","ended_at":"2025-11-24T16:00:00.005Z"`
	const want = `{"seq":7,"since":"s","delta":false,"next":"n","totals":{"schemas":2,"entities":1},"typical_ms":1200,"schemas":[` +
		`{"id":2,"name":null,"hash":"b","status":"pending","ai_analysis_status":"pending","fields":[],"seq":0,"run":null,"error":null,` +
		`"confidence":null,"needs_review":false,"engine":null,"created_at":null,"analyzed_at":null},` +
		`{"id":1,"name":"shop","hash":"a","status":"confirmed","ai_analysis_status":"completed",` +
		`"fields":[{"name":"id","type":"string","format":"uuid","required":true}],"seq":2,` +
		`"run":{"id":"r1","state":"completed","attempts":1,"max_attempts":6,` + stamps + `,"retry_at":null,"error":null,"code":null},"error":null,` +
		`"confidence":0.75,"needs_review":true,"engine":"llm","created_at":"2025-11-24T16:00:00.005Z","analyzed_at":"2025-11-24T16:00:00.005Z"}],` +
		`"entities":[{"id":9,"name":"Customer","fields":[]}],` +
		`"links":[{"schema_id":1,"entity_id":9,"fields":3,"confidence":0.75,"low":0.5,"by_hand":1}]}`
	if diff := cmp.Diff(want, strings.TrimSpace(got.body)); diff != "" || got.code != 200 {
		t.Errorf("HTTP %d (-want +got):\n%s", got.code, diff)
	}
	if got.header.Get("Cache-Control") != "no-store" || got.header.Get("ETag") != `W/"t2"` {
		t.Errorf("it comes with %v", got.header)
	}
	if diff := cmp.Diff([]schema.GraphQuery{{TenantID: "acme", Limit: 7, Since: "x"}}, l.queries); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	for _, tag := range []string{`W/"t1"`, `"t1"`, `W/"t1", W/"t2"`} {
		known := u.ask(t, "GET", "/api/tenants/acme/graph", "", asAcme, "If-None-Match: "+tag)
		if known.code != http.StatusNotModified || known.body != "" || known.header.Get("ETag") != `W/"t1"` {
			t.Errorf("If-None-Match: %s: HTTP %d %s", tag, known.code, known.body)
		}
	}
	if later := u.ask(t, "GET", "/api/tenants/acme/graph?cursor=c", "", asAcme); later.code != 200 || later.header.Get("ETag") != "" {
		t.Errorf("a later page: HTTP %d, %v", later.code, later.header)
	}
	u.ask(t, "GET", "/api/tenants/acme/graph?cursor=bad", "", asAcme).want(t, "a bad cursor", 400, "leave it out to read from the start")
	for _, limit := range []string{"0", "1001", "-1", "x", ""} {
		u.ask(t, "GET", "/api/tenants/acme/graph?limit="+limit, "", asAcme).want(t, "limit "+limit, 400, "from 1 to 1000")
	}
}

func TestDetailAPI(t *testing.T) {
	t.Parallel()
	cfg := someConfig
	cfg.Samples = true
	l := &lake{}
	got := startUI(t, cfg, l).ask(t, "GET", "/api/schemas/1", "", asAcme)
	if !l.samples {
		t.Error("samples were not asked for")
	}
	_, rest, _ := strings.Cut(got.body, `"entity":`)
	const want = `{"id":9,"name":"Customer","fields":[]},"mappings":[` +
		`{"entity_id":9,"source":"id","target":"id","type":"formula","formula":"$string(id)","confidence":0.5,"why":"alike","op":"formula","verified_rows":3,"review":["likeness"]},` +
		`{"entity_id":9,"source":"x","target":"y","type":"direct","formula":null,"confidence":null,"why":null,"op":null,"verified_rows":null,"review":[]}],` +
		`"unmapped":[{"source":"z","why":"nothing fits","code":"no_target"}],` +
		`"decision":{"action":"create_new","confidence":0.5,"why":"new","engine":"llm","needs_review":false,"review":[],"usage":{"calls":1,"input_tokens":10,"output_tokens":2}},` +
		`"runs":[{"id":"r1","state":"completed","attempts":1,"max_attempts":6,"requested_at":"2025-11-24T16:00:00.005Z","started_at":"2025-11-24T16:00:00.005Z",` +
		`"ended_at":"2025-11-24T16:00:00.005Z","retry_at":null,"error":null,"code":null,"requested_by":"me","outcome":"completed",` +
		`"history":[{"attempt":1,"worker":"w","started_at":null,"ended_at":null,"error":null,"code":null}]}],`
	if !strings.HasPrefix(rest, want) {
		t.Errorf("detail (-want +got):\n%s", cmp.Diff(want, rest))
	}
	if samples := strings.TrimSpace(rest[min(len(want), len(rest)):]); samples != `"samples":[{"n":12345678901234567890,"o":{"a":[1]},"s":"`+strings.Repeat("ü", 200)+`…"}]}` {
		t.Errorf("samples: %s", samples)
	}
	if newSamplesJSON(nil) != nil {
		t.Error("no samples are null")
	}
}

func TestRetryAPI(t *testing.T) {
	t.Parallel()
	l := &lake{}
	u := startUI(t, someConfig, l)
	u.ask(t, "POST", "/api/schemas/1/retry", "", asAcme).want(t, "a retry", 202, `{"run_id":"r9","state":"requested","already":false}`)
	u.ask(t, "POST", "/api/schemas/1/retry", `{"force":true}`, asAcme).want(t, "again", 202, `{"run_id":"r9","state":"running","already":true}`)
	if diff := cmp.Diff([]bool{false, true}, l.retried); diff != "" {
		t.Errorf("force (-want +got):\n%s", diff)
	}
	u.ask(t, "POST", "/api/schemas/2/retry", `{}`, asAll).want(t, "a disabled one", 409, `{"error":"its analysis is disabled","code":"disabled"}`)
	u.ask(t, "POST", "/api/schemas/1/retry", `{"force":"yes"}`, asAcme).want(t, "another type", 400, "")
	u.ask(t, "GET", "/api/schemas/1/retry", "", asAcme).want(t, "another method", 404, "")
}

func TestAuthorizeAPI(t *testing.T) {
	t.Parallel()
	u := startUI(t, someConfig, &lake{})
	const form = "Content-Type: application/x-www-form-urlencoded"
	for _, tc := range []struct {
		name, body, as string
		code           int
		want           string
	}{
		{"one's own", "socket_id=1.2&channel_name=private-acme", asAcme, 200, `{"auth":"private-acme"}`},
		{"another's", "socket_id=1.2&channel_name=private-globex", asAcme, 403, "none of a tenant"},
		{"everybody's", "socket_id=1.2&channel_name=private-globex", asAll, 200, ""},
		{"none", "socket_id=1.2&channel_name=acme", asAcme, 403, "none of a tenant"},
		{"nothing", "", asAcme, 403, "none of a tenant"},
		{"no socket", "socket_id=1&channel_name=private-acme", asAcme, 403, "socket_id"},
		{"nobody", "socket_id=1.2&channel_name=private-acme", "X: y", 401, ""},
		{"far too long", "socket_id=1.2&channel_name=private-acme&x=" + strings.Repeat("x", 9000), asAcme, 403, ""},
	} {
		u.ask(t, "POST", "/broadcasting/auth", tc.body, tc.as, form).want(t, tc.name, tc.code, tc.want)
	}
	u.ask(t, "POST", "/broadcasting/auth?socket_id=1.2&channel_name=private-acme", "", asAcme, form).want(t, "in the address", 403, "")
}

func TestDemoSourcesAPI(t *testing.T) {
	t.Parallel()
	u := startUI(t, someConfig, &lake{})
	u.ask(t, "POST", "/api/demo/sources", `{"sample":"a.csv"}`, asAcme).want(t, "a sample", 202, `{"schema_id":7,"name":"a"}`)
	u.ask(t, "POST", "/api/demo/sources", `{"sample":"../a.csv"}`, asAcme).want(t, "another file", 400, `"code":"input"`)
	u.ask(t, "POST", "/api/demo/sources", "a;b", asAcme).want(t, "no name", 400, "?name=FILE")
	u.ask(t, "POST", "/api/demo/sources?name=b.csv", "a;b\n1;2\n", asAcme).want(t, "a file", 202, `{"schema_id":8,"name":"b.csv"}`)
	u.ask(t, "POST", "/api/demo/sources?name=b.csv", "", asAcme).want(t, "an empty file", 400, "b.csv is empty")
	u.ask(t, "POST", "/api/demo/sources?name=b.csv", strings.Repeat("x", maxUpload+1), asAcme).want(t, "a large file", 413, "5 MB")
}

func TestFewGraphsAreReadAtOnce(t *testing.T) {
	t.Parallel()
	l := &lake{began: make(chan struct{}, 100), hold: make(chan struct{})}
	u := startUI(t, someConfig, l)
	codes := make(chan int, 2*graphReaders)
	for range 2 * graphReaders {
		go func() { codes <- u.ask(t, "GET", "/api/tenants/acme/graph", "", asAcme).code }()
	}
	for range graphReaders {
		<-l.began
	}
	select {
	case <-l.began:
		t.Error("one more is read while the others are")
	case l.hold <- struct{}{}:
	}
	close(l.hold)
	got := map[int]int{}
	for range 2 * graphReaders {
		got[<-codes]++
	}
	if !maps.Equal(got, map[int]int{200: 2 * graphReaders}) {
		t.Errorf("answers by status: %v", got)
	}
}

// However many requests come, analyses keep their share of the process: the rest is turned
// away at once, and served again when the others are done.
func TestManyRequestsAreTurnedAway(t *testing.T) {
	t.Parallel()
	u := startUI(t, someConfig, &lake{})
	for range maxRunning {
		u.running <- struct{}{}
	}
	busy := u.ask(t, "GET", "/api/config", "", asAcme)
	busy.want(t, "one too many", 503, `"code":"busy"`)
	if busy.header.Get("Retry-After") != "1" {
		t.Errorf("it comes with %v", busy.header)
	}
	<-u.running
	for range 3 {
		u.ask(t, "GET", "/api/config", "", asAcme).want(t, "one that fits", 200, "")
	}
}

// A client that sends its request drop by drop is cut off.
func TestSlowRequestsAreCut(t *testing.T) {
	t.Parallel()
	u := startUI(t, someConfig, &lake{})
	for what, sent := range map[string]string{
		"header": "GET / HTTP/1.1\r\nHost: x\r\n",
		"body":   "POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", u.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, sent); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the connection is open after 30 s: %v", err)
			}
		})
	}
}
