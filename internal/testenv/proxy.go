package testenv

import (
	"encoding/json"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Proxy stands between a client and a server and breaks their connections, as networks
// do. It knows nothing of what passes through it. Its methods belong to the test's own
// goroutine.
type Proxy struct {
	// Addr is host:port of the proxy; it stays the same while the proxy is cut.
	Addr string

	t     testing.TB
	proxy *toxiproxy.Proxy
}

// StartProxy starts a proxy in front of a server, such as 127.0.0.1:5432.
func StartProxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &Proxy{
		Addr: loopback(reservePorts(t)),
		t:    t,
	}
	p.proxy = toxiproxy.NewProxy(server, "test", p.Addr, upstream)
	p.Restore()
	t.Cleanup(p.proxy.Stop)
	return p
}

// Host and Port are the parts of Addr.
func (p *Proxy) Host() string {
	host, _, _ := net.SplitHostPort(p.Addr)
	return host
}

// Port is the port of Addr.
func (p *Proxy) Port() int {
	_, text, _ := net.SplitHostPort(p.Addr)
	port, err := strconv.Atoi(text)
	if err != nil {
		p.t.Fatalf("the proxy's address %q has no port: %v", p.Addr, err)
	}
	return port
}

// Cut ends all connections and refuses new ones, as a server that is down.
func (p *Proxy) Cut() { p.proxy.Stop() }

// Restore lets everything pass again: it undoes Cut and all that was added since.
func (p *Proxy) Restore() {
	p.t.Helper()
	p.proxy.Toxics.ResetToxics(p.t.Context())
	if p.proxy.Enabled {
		return
	}
	if err := p.proxy.Start(); err != nil {
		p.t.Fatalf("start the proxy on %s: %v", p.Addr, err)
	}
}

// Delay holds up every piece of an answer.
func (p *Proxy) Delay(d time.Duration) {
	p.t.Helper()
	p.add("latency", "downstream", map[string]any{"latency": d.Milliseconds()})
}

// Truncate ends each connection after this many more bytes of answers. With 0, requests
// still reach the server and no answer comes back.
func (p *Proxy) Truncate(bytes int64) {
	p.t.Helper()
	p.add("limit_data", "downstream", map[string]any{"bytes": bytes})
}

// Swallow lets requests pass and answers vanish, without ending a connection.
func (p *Proxy) Swallow() {
	p.t.Helper()
	p.add("timeout", "downstream", map[string]any{"timeout": 0})
}

// Hold keeps connections open and lets nothing pass to the server.
func (p *Proxy) Hold() {
	p.t.Helper()
	p.add("timeout", "upstream", map[string]any{"timeout": 0})
}

// ResetPeer ends each connection with a TCP reset, after a while.
func (p *Proxy) ResetPeer(after time.Duration) {
	p.t.Helper()
	p.add("reset_peer", "downstream", map[string]any{"timeout": after.Milliseconds()})
}

func (p *Proxy) add(kind, stream string, attributes map[string]any) {
	p.t.Helper()
	text, err := json.Marshal(map[string]any{"type": kind, "stream": stream, "attributes": attributes})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(string(text))); err != nil {
		p.t.Fatalf("add %s to the proxy on %s: %v", text, p.Addr, err)
	}
}
