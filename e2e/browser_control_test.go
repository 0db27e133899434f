package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"time"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/testenv"
)

// The tokens of the page: one opens every tenant, the other the ground's own only.
const (
	tokenOfAll = "browser-token-of-all"
	tokenOfOne = "browser-token-of-one"
)

// control lets scripts in another process act on a ground: POST {"op":"name",...} on
// loopback. What they ask for is done on the test's own goroutine, as everything is that may
// end the test.
type control struct {
	*ground
	jobs   chan func()
	soketi *testenv.SoketiServer // nil when it is not this ground's own
	app    *laravel              // nil without one
	worker *worker               // nil while it is dead
	addr   string                // of the page, the same after a restart
	held   func()                // lets the model answer
}

func newControl(g *ground) *control {
	g.env["ADMIN_TOKENS"] = tokenOfAll + "=* " + tokenOfOne + "=" + g.tenant
	g.env["ADMIN_ADDR"] = testenv.Port(g.t)
	g.env["WORKER_SWEEP_INTERVAL"] = "1s"
	return &control{ground: g, jobs: make(chan func()), addr: g.env["ADMIN_ADDR"], held: func() {}}
}

var pageLine = regexp.MustCompile(`admin server started`)

func (c *control) startWorker() {
	c.t.Helper()
	w := c.start(c.t)
	await(c.t, "the page is served", func() bool { return pageLine.MatchString(w.log.String()) })
	c.worker = w
}

// order is what a script asks for.
type order struct {
	Op      string         `json:"op"`
	Tenant  string         `json:"tenant"`
	On      bool           `json:"on"`
	Step    string         `json:"step"`
	Shapes  []browserShape `json:"shapes"`
	Seed    browserSeed    `json:"seed"`
	Events  []browserEvent `json:"events"`
	Columns string         `json:"columns"`
}

// serve returns the address at which orders are taken until the test ends.
func (c *control) serve() string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var o order
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer := make(chan any, 1)
		select {
		case c.jobs <- func() { answer <- c.do(o) }:
		case <-r.Context().Done():
			return
		}
		select {
		case value := <-answer:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(value) // a script that left is the script's business
		case <-r.Context().Done():
		}
	}))
	c.t.Cleanup(server.CloseClientConnections)
	return server.URL
}

// do carries out an order and returns what the script gets.
func (c *control) do(o order) any {
	c.t.Helper()
	steps := map[string]func(o order) any{
		"tenant":    c.addTenant,
		"schemas":   c.addSchemas,
		"seed":      c.seed,
		"model":     c.model,
		"asked":     func(order) any { return c.llm.Count() },
		"publish":   c.publish,
		"soketi":    c.switchSoketi,
		"worker":    c.switchWorker,
		"lose time": func(order) any { (&faultGround{ground: c.ground}).loseTime(); return nil },
		"graph":     c.graph,
		"laravel":   func(o order) any { return c.app.post(o.Tenant, columns(o.Columns), nil) },
	}
	step, ok := steps[o.Op]
	if !ok {
		c.t.Fatalf("a script asks for %q, which is none of the orders", o.Op)
	}
	return step(o)
}

// model scripts the answer to the next question, or lets the held one go.
func (c *control) model(o order) any {
	c.t.Helper()
	switch o.Step {
	case "hold":
		gate := make(chan struct{})
		c.held = sync.OnceFunc(func() { close(gate) })
		c.t.Cleanup(c.held)
		c.llm.Script(llmtest.Changed("held", func(*llmtest.Answer) { <-gate }))
	case "release":
		c.held()
	case "fail":
		c.llm.Script(llmtest.Unauthorized())
	default:
		c.t.Fatalf("a script wants the model to %q", o.Step)
	}
	return nil
}

func (c *control) switchSoketi(o order) any {
	if o.On {
		c.soketi.Start()
	} else {
		c.soketi.Stop()
	}
	return nil
}

func (c *control) switchWorker(o order) any {
	c.t.Helper()
	if o.On {
		c.startWorker()
	} else {
		c.worker.kill()
	}
	return nil
}

func (c *control) addTenant(order) any {
	c.t.Helper()
	id := fmt.Sprintf("page-%d", time.Now().UnixNano())
	c.exec("INSERT INTO tenants (id, name, created_at) VALUES ($1, 'Initech', now())", id)
	return id
}
