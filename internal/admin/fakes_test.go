package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// lake has two tenants, acme and globex, each with one schema: 1 and 2.
type lake struct {
	err   error // of everything
	began chan struct{}
	hold  chan struct{} // when not nil, a graph waits for it

	mu      sync.Mutex
	queries []schema.GraphQuery
	retried []bool // force
	samples bool
}

var lakeTenants = []schema.Tenant{{ID: "acme", Name: "Acme"}, {ID: "globex", Name: "Globex"}}

func (l *lake) GraphPage(ctx context.Context, q schema.GraphQuery) (schema.GraphPage, error) {
	l.mu.Lock()
	l.queries = append(l.queries, q)
	l.mu.Unlock()
	if l.hold != nil {
		l.began <- struct{}{}
		select {
		case <-l.hold:
		case <-ctx.Done():
		}
	}
	switch {
	case l.err != nil:
		return schema.GraphPage{}, l.err
	case q.TenantID != "acme" && q.TenantID != "globex":
		return schema.GraphPage{}, schema.ErrUnknownTenant
	case q.Cursor == "bad":
		return schema.GraphPage{}, schema.ErrBadCursor
	case q.Known == "t1":
		return schema.GraphPage{Tag: "t1", Unchanged: true}, nil
	}
	page := somePage()
	if q.Cursor != "" {
		page.Tag = ""
	}
	return page, nil
}

func (l *lake) SchemaTenant(_ context.Context, id int64) (string, error) {
	if l.err != nil {
		return "", l.err
	}
	if id < 1 || id > 2 {
		return "", run.ErrUnknownSchema
	}
	return lakeTenants[id-1].ID, nil
}

func (l *lake) Detail(_ context.Context, id int64, _ string, samples bool) (schema.Detail, error) {
	l.samples = samples
	d := someDetail()
	d.Schema.ID = id
	return d, l.err
}

func (l *lake) SearchTenants(_ context.Context, text string, among schema.Tenants, limit int) (found []schema.Tenant, more bool, err error) {
	for _, t := range lakeTenants {
		if among.Has(t.ID) && strings.Contains(t.ID, text) {
			found = append(found, t)
		}
	}
	return found[:min(limit, len(found))], len(found) > limit, l.err
}

func (l *lake) Retry(_ context.Context, id int64, tenantID string, force bool) (Retried, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if tenantID == "globex" && !force {
		return Retried{}, &RefusedError{Reason: "its analysis is disabled"}
	}
	l.retried = append(l.retried, force)
	return Retried{RunID: "r9", Running: len(l.retried) > 1, Already: len(l.retried) > 1}, l.err
}

// TenantOf makes the lake an Admission.
func (l *lake) TenantOf(channel string) (string, bool) {
	id, ok := strings.CutPrefix(channel, "private-")
	return id, ok
}

func (l *lake) Sign(socketID, channel string) ([]byte, error) {
	if socketID != "1.2" {
		return nil, errors.New("invalid")
	}
	return []byte(`{"auth":"` + channel + `"}`), nil
}

func (l *lake) Samples(context.Context) ([]Sample, error) { return []Sample{{"a.csv", 3}}, l.err }

func (l *lake) AddSample(_ context.Context, file string) (Added, error) {
	if file != "a.csv" {
		return Added{}, &InputError{errors.New("no sample is called so")}
	}
	return Added{7, "a"}, l.err
}

func (l *lake) AddFile(_ context.Context, name string, content io.Reader) (Added, error) {
	text, err := io.ReadAll(content)
	if err != nil {
		return Added{}, err
	}
	if len(text) == 0 {
		return Added{}, &InputError{errors.New(name + " is empty")}
	}
	return Added{8, name}, l.err
}

const (
	acmeToken = "acme-token-0123456789"
	allToken  = "all-tokens-0123456789"
)

var someConfig = UIConfig{
	Version: "1.2.3", ChannelMode: "private", ChannelTemplate: "tenant.{tenant_id}.schemas", Bands: [2]float64{.9, .7},
	Events: &EventServer{Key: "app-key", Host: "127.0.0.1", Port: 6001, Scheme: "http"},
	Access: Access{
		Tokens:  []Token{{acmeToken, schema.Tenants{IDs: []string{"acme"}}}, {allToken, schema.Tenants{All: true}}},
		Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Header: "X-Who",
	},
}

func (l *lake) ports() Ports {
	return Ports{Graphs: l, Tenants: l, Requests: l, Admission: l, Sources: l}
}

func startUI(t *testing.T, cfg UIConfig, l *lake) *UI {
	t.Helper()
	return startUIWith(t, cfg, l.ports())
}

func startUIWith(t *testing.T, cfg UIConfig, ports Ports) *UI {
	t.Helper()
	u, err := NewUI("127.0.0.1:0", cfg, ports)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := u.Stop(context.Background()); err != nil {
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

// ask sends a request; head are header lines, of which Host is the request's.
func (u *UI) ask(t *testing.T, method, path, body string, head ...string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+u.Addr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range head {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			request.Host = value
		} else {
			request.Header.Add(name, value)
		}
	}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(content)}
}

const (
	asAcme = "Authorization: Bearer " + acmeToken
	asAll  = "Authorization: Bearer " + allToken
)

func (r reply) want(t *testing.T, what string, code int, part string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.body, part) {
		t.Errorf("%s: HTTP %d %s, want %d %s", what, r.code, r.body, code, part)
	}
}

func somePage() schema.GraphPage {
	at := time.Date(2025, 11, 24, 16, 0, 0, 5e6, time.UTC)
	confidence, low := .75, .5
	return schema.GraphPage{
		Tag: "t2", Seq: 7, Since: "s", Next: "n", Totals: schema.GraphTotals{Schemas: 2, Entities: 1}, Typical: 1200 * time.Millisecond,
		Schemas: []schema.GraphSchema{
			{Schema: schema.Schema{ID: 2, Hash: "b", Status: schema.StatusPending, AnalysisStatus: schema.AnalysisPending}},
			{
				Schema: schema.Schema{
					ID: 1, Name: "shop", Hash: "a", Status: schema.StatusConfirmed, AnalysisStatus: schema.AnalysisCompleted, CreatedAt: at,
					Fields: []schema.Field{{Name: "id", Type: "string", Format: "uuid", Required: true, Sample: json.RawMessage(`"secret"`)}},
				},
				Seq: 2, Run: &schema.GraphRun{ID: "r1", State: "completed", Attempts: 1, MaxAttempts: 6, Requested: at, Started: at, Ended: at},
				Confidence: &confidence, NeedsReview: true, Engine: schema.EngineLLM, AnalyzedAt: at,
			},
		},
		Entities: []schema.Entity{{ID: 9, Name: "Customer"}},
		Links:    []schema.GraphLink{{SchemaID: 1, EntityID: 9, Fields: 3, Confidence: &confidence, Low: &low, ByHand: 1}},
	}
}

func someDetail() schema.Detail {
	page := somePage()
	confidence := .5
	return schema.Detail{
		Schema: page.Schemas[1], Entity: &page.Entities[0],
		Mappings: []schema.DetailMapping{
			{EntityID: 9, Source: "id", Target: "id", Type: "formula", Formula: "$string(id)", Confidence: &confidence, Why: "alike", Op: schema.OpFormula, VerifiedRows: 3, Review: "likeness"},
			{EntityID: 9, Source: "x", Target: "y", Type: "direct"},
		},
		Unmapped: []schema.DetailUnmapped{{Source: "z", Why: "nothing fits", Code: "no_target"}},
		Decision: &schema.Decision{Action: "create_new", Confidence: &confidence, Why: "new", Engine: schema.EngineLLM, Calls: 1, InputTokens: 10, OutputTokens: 2},
		Runs:     []schema.DetailRun{{GraphRun: *page.Schemas[1].Run, RequestedBy: "me", Outcome: "completed", History: []schema.DetailAttempt{{Number: 1, Worker: "w"}}}},
		Samples:  []json.RawMessage{json.RawMessage(`{"n":12345678901234567890,"s":"` + strings.Repeat("ü", 300) + `","o":{"a":[1]}}`), json.RawMessage(`[1]`)},
	}
}
