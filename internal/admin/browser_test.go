package admin

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/schemacast/schemacast/internal/testenv"
)

// pageTimeout is generous: a browser on two busy cores takes seconds to start.
const pageTimeout = 60 * time.Second

// browser is a headless Chromium, remote-controlled through its DevTools protocol.
type browser struct{ address string }

func startBrowser(t *testing.T) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		testenv.Need(t, "chromium is not in PATH")
	}
	// It is killed after the clean-up, unless it has left by then.
	ctx, cancel := context.WithTimeout(context.Background(), 4*pageTimeout)
	cmd := exec.CommandContext(ctx, program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--no-first-run", "--disable-background-networking", "--user-data-dir="+t.TempDir(), "--remote-debugging-port=0", "about:blank")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	address := ""
	for address == "" && lines.Scan() {
		_, address, _ = strings.Cut(lines.Text(), "DevTools listening on ")
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, said)
	}()
	t.Cleanup(func() {
		defer cancel()
		if address != "" {
			dialTab(t, address).call("Browser.close", nil)
		} else {
			cancel()
		}
		<-drained
		_ = cmd.Wait() // how a browser leaves is of no interest
	})
	if address == "" {
		t.Fatalf("%s does not listen", program)
	}
	return &browser{address}
}

// tab is one page of a browser. Its methods belong to the test's own goroutine.
type tab struct {
	t    *testing.T
	conn *websocket.Conn
	last int
}

// open shows url, which must be on this machine.
func (b *browser) open(t *testing.T, url string, width, height int) *tab {
	t.Helper()
	whole := dialTab(t, b.address)
	defer func() { _ = whole.conn.CloseNow() }()
	var target struct {
		ID string `json:"targetId"`
	}
	// In a window of its own: Chromium does not paint tabs behind others.
	created := whole.call("Target.createTarget", map[string]any{"url": "about:blank", "newWindow": true})
	if err := json.Unmarshal(created, &target); err != nil {
		t.Fatal(err)
	}
	root, _, _ := strings.Cut(b.address, "/devtools/")
	page := dialTab(t, root+"/devtools/page/"+target.ID)
	t.Cleanup(func() { _ = page.conn.CloseNow() })
	page.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false})
	page.call("Page.navigate", map[string]any{"url": url})
	return page
}

func dialTab(t *testing.T, address string) *tab {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), pageTimeout)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.Body != nil {
		_ = response.Body.Close()
	}
	conn.SetReadLimit(32 << 20) // screenshots
	return &tab{t: t, conn: conn}
}

// call runs one command and returns its result. Everything else that comes meanwhile
// is an event that nobody asked for.
func (p *tab) call(method string, params any) json.RawMessage {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), pageTimeout)
	defer cancel()
	p.last++
	if err := wsjson.Write(ctx, p.conn, map[string]any{"id": p.last, "method": method, "params": params}); err != nil {
		p.t.Fatalf("%s: %v", method, err)
	}
	for {
		var reply struct {
			ID     int             `json:"id"`
			Result json.RawMessage `json:"result"`
			Error  json.RawMessage `json:"error"`
		}
		if err := wsjson.Read(ctx, p.conn, &reply); err != nil {
			p.t.Fatalf("%s: %v", method, err)
		}
		if reply.Error != nil {
			p.t.Fatalf("%s: %s", method, reply.Error)
		}
		if reply.ID == p.last {
			return reply.Result
		}
	}
}

// run evaluates an expression in the page, waits for it when it is a promise, and
// returns its value as text.
func (p *tab) run(expression string) string {
	p.t.Helper()
	var reply struct {
		Result struct {
			Value any `json:"value"`
		} `json:"result"`
		Exception json.RawMessage `json:"exceptionDetails"`
	}
	raw := p.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true})
	if err := json.Unmarshal(raw, &reply); err != nil {
		p.t.Fatal(err)
	}
	if reply.Exception != nil {
		p.t.Fatalf("%s: %s", expression, reply.Exception)
	}
	return fmt.Sprint(reply.Result.Value)
}

// wait returns when a condition of the page holds. It looks at every change.
func (p *tab) wait(condition string) {
	p.t.Helper()
	met := p.run(`new Promise(done => {
		const look = () => { let met = false; try { met = ` + condition + ` } catch {} if (met) { watch.disconnect(); clearTimeout(late); done('yes'); } };
		const watch = new MutationObserver(look);
		watch.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
		const late = setTimeout(() => done('no'), 30000);
		look();
	})`)
	if met != "yes" {
		p.t.Fatalf("the page never came to %s; it shows:\n%s", condition, p.run("document.body.innerText"))
	}
}

func (p *tab) screenshot() []byte {
	p.t.Helper()
	var shot struct {
		Data string `json:"data"`
	}
	if err := json.Unmarshal(p.call("Page.captureScreenshot", nil), &shot); err != nil {
		p.t.Fatal(err)
	}
	image, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		p.t.Fatal(err)
	}
	return image
}
