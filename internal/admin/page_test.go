package admin

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/embedded/hub"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/testenv"
)

// hostile is what a stranger may call a field, a schema or an entity.
const hostile = `<img src=x onerror="document.title='taken'">`

// show is a page in front of a tenant of the test's own.
type show struct {
	*tab
	t         *testing.T
	tenant    string
	channel   string
	graphs    *fixedGraphs
	renderer  *broadcast.Renderer
	publisher broadcast.Publisher
	seq       int64
}

func startShow(t *testing.T, b *browser, app testenv.SoketiApp, change func(*UIConfig)) *show {
	t.Helper()
	s := &show{t: t, tenant: "page-" + strings.ToLower(ulid.Make().String())}
	s.graphs = &fixedGraphs{tenant: s.tenant, graph: someGraph()}
	cfg := UIConfig{
		Tenant: s.tenant, Channel: "tenant." + s.tenant + ".schemas", Key: app.Key, Host: app.Host, Port: app.Port, Scheme: "http",
	}
	if change != nil {
		change(&cfg)
	}
	s.channel = cfg.Channel
	s.tab = b.open(t, "http://"+startUI(t, cfg, s.graphs).Addr(), 1300, 860)
	events := broadcast.Config{Mode: broadcast.ModePublic, AppID: app.AppID, Key: app.Key, Secret: app.Secret, Host: app.Host, Port: app.Port}
	var err error
	if s.publisher, err = broadcast.NewPublisher(events, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.publisher.Close)
	if s.renderer, err = broadcast.NewRenderer(events); err != nil {
		t.Fatal(err)
	}
	return s
}

// tell publishes an event of schema 3 as the worker does.
func (s *show) tell(ev schema.Event) {
	s.t.Helper()
	s.seq++
	ev.ID, ev.SchemaID, ev.Seq, ev.RunID, ev.OccurredAt = ulid.Make().String(), 3, s.seq, "run", time.Now()
	if ev.TenantID == "" {
		ev.TenantID = s.tenant
	}
	rendered, err := s.renderer.Render(ev, broadcast.RungFull)
	if err != nil {
		s.t.Fatal(err)
	}
	message := broadcast.Message{Stream: 3, Name: rendered.Name, Channel: s.channel, Data: rendered.Data}
	if err := s.publisher.Publish(s.t.Context(), []broadcast.Message{message})[0]; err != nil {
		s.t.Fatal(err)
	}
}

func someFields(names ...string) []schema.Field {
	fields := make([]schema.Field, len(names))
	for i, name := range names {
		fields[i] = schema.Field{Name: name, Type: "string", Required: i == 0}
	}
	return fields
}

func confident(x float64) *float64 { return &x }

func someGraph() schema.Graph {
	customer := someFields("id", "first_name", "last_name", "email", "phone", "city")
	return schema.Graph{
		Seq: 4,
		Schemas: []schema.GraphSchema{
			{Schema: schema.Schema{ID: 2, Name: hostile, Hash: "b2", Status: schema.StatusPending, AnalysisStatus: schema.AnalysisFailed,
				Fields: someFields(hostile)}, Seq: 2, RunID: "r2", Error: "The model refused to answer; ask again, or map the fields by hand."},
			{Schema: schema.Schema{ID: 1, Name: "shop_customers", Hash: "a1", Status: schema.StatusConfirmed, AnalysisStatus: schema.AnalysisCompleted,
				Fields: someFields("Customer ID", "First Name", "Last Name", "E-Mail", "Phone", "Zip"), CreatedAt: time.Unix(1764000000, 0)}, Seq: 2, RunID: "r1"},
		},
		Entities: []schema.Entity{{ID: 9, Name: "Customer", Fields: customer}, {ID: 10, Name: hostile, Fields: customer[:1]}},
		Mappings: []schema.GraphMapping{
			{SchemaID: 1, EntityID: 9, Source: "Customer ID", Target: "id", Type: "formula", Formula: "$string(`Customer ID`)", Confidence: confident(.97)},
			{SchemaID: 1, EntityID: 9, Source: "First Name", Target: "first_name", Type: "direct", Confidence: confident(.99)},
			{SchemaID: 1, EntityID: 9, Source: "Last Name", Target: "last_name", Type: "direct", Confidence: confident(.99)},
			{SchemaID: 1, EntityID: 9, Source: "E-Mail", Target: "email", Type: "formula", Formula: "$lowercase(`E-Mail`)" + strings.Repeat(" & $x", 40), Confidence: confident(.95)},
			{SchemaID: 1, EntityID: 9, Source: "Phone", Target: "phone", Type: "direct"},
		},
	}
}

// theOrder is schema 3 as the graph has it once it is analysed.
func theOrder(g *schema.Graph) {
	order := schema.GraphSchema{Schema: schema.Schema{ID: 3, Name: "shop_orders", Hash: "c3", Status: schema.StatusConfirmed,
		AnalysisStatus: schema.AnalysisCompleted, Fields: someFields("Order ID", "Total")}, Seq: 3, RunID: "r3"}
	g.Schemas = append([]schema.GraphSchema{order}, g.Schemas...)
	g.Entities = append([]schema.Entity{{ID: 11, Name: "Order", Fields: someFields("id", "total")}}, g.Entities...)
	g.Mappings = append(g.Mappings, schema.GraphMapping{SchemaID: 3, EntityID: 11, Source: "Order ID", Target: "id", Type: "direct", Confidence: confident(.88)})
	g.Seq += 3
}

const (
	isLive    = `document.getElementById('state').className === 'live'`
	firstCard = `document.querySelector('#schemas details').innerText`
	logText   = `document.getElementById('log').innerText`
)

func TestPage(t *testing.T) {
	t.Parallel()
	app := testenv.Soketi(t)
	b := startBrowser(t)
	for name, test := range map[string]func(*testing.T, *browser, testenv.SoketiApp){
		"follows an analysis":                 followsAnAnalysis,
		"private channel":                     privateChannel,
		"without events it reads the graph":   withoutEvents,
		"what was missed is there afterwards": comesBack,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, b, app)
		})
	}
}

func followsAnAnalysis(t *testing.T, b *browser, app testenv.SoketiApp) {
	s := startShow(t, b, app, nil)
	s.wait(isLive)
	s.wait(`document.querySelectorAll('#schemas details').length === 2`)
	for _, want := range []string{"shop_customers", "→ Customer", "5 of 6 mapped", "98 %", hostile, "The model refused"} {
		if text := s.run("document.body.innerText"); !strings.Contains(text, want) {
			t.Errorf("the page does not show %q; it shows:\n%s", want, text)
		}
	}
	fields := json.RawMessage(`[{"name":"Order ID","type":"float"},{"name":"Total","type":"float"}]`)
	s.tell(schema.Event{Kind: schema.EventStarted, TenantID: "another", Started: &schema.Started{Name: "theirs", Fields: fields}})
	s.seq = 0
	s.tell(schema.Event{Kind: schema.EventStarted, Started: &schema.Started{Name: "shop_orders", Hash: "c3", Fields: fields}})
	s.tell(schema.Event{Kind: schema.EventProgress, Progress: &schema.Progress{Stage: "verify", Done: 1, Total: 2}})
	s.wait(firstCard + `.includes('verify 1/2')`)
	s.graphs.change(theOrder)
	s.tell(schema.Event{Kind: schema.EventCompleted, Completed: &schema.Completed{
		Schema: schema.CompletedSchema{ID: 3, Name: "shop_orders", Fields: fields}, Entity: &schema.CompletedEntity{ID: 11, Name: "Order", Fields: fields}, MappingsCount: 1,
	}})
	s.wait(firstCard + `.includes('88 %')`)
	// An event that was seen already, as after a relay's restart, and then one that was not.
	s.seq = 0
	s.tell(schema.Event{Kind: schema.EventStarted, Started: &schema.Started{Name: "again", Fields: fields}})
	s.seq = 3
	s.tell(schema.Event{Kind: schema.EventFailed, Failed: &schema.Failed{Code: "x", Error: hostile}})
	s.wait(logText + `.includes('failed')`)
	if log := s.run(logText); strings.Contains(log, "theirs") || strings.Contains(log, "again") || !strings.Contains(log, "→ Order, 1 mapping") {
		t.Errorf("the log is:\n%s", log)
	}
	s.run(`document.querySelectorAll('#schemas details').forEach(d => d.open = true)`)
	s.wait(`document.body.innerText.includes('$lowercase')`)
	if got := s.run(`document.title + document.querySelectorAll('img').length`); got != "Schemacast0" {
		t.Errorf("a name has become a part of the page: %s", got)
	}
	s.save("light.png")
	s.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": "dark"}}})
	s.save("dark.png")
	s.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 420, "height": 800, "deviceScaleFactor": 1, "mobile": true})
	s.save("narrow.png")
	if wide := s.run(`document.documentElement.scrollWidth`); wide != "420" {
		t.Errorf("on a phone the page is %s wide", wide)
	}
}

// save keeps a picture for whoever wants to look: go test -artifacts.
func (s *show) save(name string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.t.ArtifactDir(), name), s.screenshot(), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// The hub and the page as they stand in the embedded mode, on two ports.
func privateChannel(t *testing.T, b *browser, _ testenv.SoketiApp) {
	app := testenv.SoketiApp{AppID: "app", Key: "key", Secret: "secret"}
	admitted := make(chan string, 1)
	h, err := hub.New(hub.Options{AppID: app.AppID, Key: app.Key, Secret: app.Secret, Authorize: func(channel string) bool {
		return channel == <-admitted
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	addr := startHTTP(t, h.ServeHTTP)
	app.Host = "127.0.0.1"
	if app.Port, err = strconv.Atoi(port(addr)); err != nil {
		t.Fatal(err)
	}
	s := startShow(t, b, app, func(cfg *UIConfig) {
		cfg.Channel, cfg.AuthEndpoint = "private-"+cfg.Channel, "http://"+addr+"/broadcasting/auth"
	})
	admitted <- "another"
	s.wait(`document.getElementById('state').innerText.includes('answers 403')`)
	admitted <- s.channel
	s.wait(isLive)
	s.tell(schema.Event{Kind: schema.EventFailed, Failed: &schema.Failed{Code: "x", Error: "it has no usable field"}})
	s.wait(logText + `.includes('no usable field')`)
}

func withoutEvents(t *testing.T, b *browser, app testenv.SoketiApp) {
	for name, change := range map[string]func(*UIConfig){
		"no server": func(cfg *UIConfig) { cfg.Key = "" },
		"encrypted": func(cfg *UIConfig) { cfg.Channel = "private-encrypted-" + cfg.Channel },
		"wrong key": func(cfg *UIConfig) { cfg.Key = "wrong" },
		"nobody":    func(cfg *UIConfig) { cfg.Port = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startShow(t, b, app, change)
			s.wait(`document.getElementById('state').className === 'off'`)
			s.wait(`document.querySelectorAll('#schemas details').length === 2`)
			s.graphs.change(theOrder)
			s.wait(`document.querySelectorAll('#schemas details').length === 3`)
		})
	}
}

func comesBack(t *testing.T, b *browser, _ testenv.SoketiApp) {
	server := testenv.StartSoketi(t)
	s := startShow(t, b, server.SoketiApp, nil)
	s.wait(isLive)
	s.wait(`document.querySelectorAll('#schemas details').length === 2`)
	// Without the reading of the graph every few seconds, which would tell it too.
	s.run(`for (let id = 1000; id; id--) clearInterval(id)`)
	server.Stop()
	s.wait(`document.getElementById('state').className === 'off'`)
	s.graphs.change(theOrder)
	server.Start()
	s.wait(`document.querySelectorAll('#schemas details').length === 3`)
	s.wait(isLive)
}
