package broadcast

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/testenv"
)

// A Soketi that is killed in the middle of a backlog gets the rest when it is back. What
// it was given and had not handed on is gone with it, so only the order can be checked,
// and that nothing waits any more.
func TestSoketiRelayOutlivesAKill(t *testing.T) {
	t.Parallel()
	app := testenv.StartSoketi(t)
	cfg := testConfig()
	cfg.Host, cfg.Port, cfg.AppID, cfg.Key, cfg.Secret = app.Host, app.Port, app.AppID, app.Key, app.Secret
	first := mustSubscribe(t, cfg, "tenant.1.schemas")
	b := newBench(t)
	const streams = 200
	b.fill("one", streams)
	base := newTransport(cfg)
	t.Cleanup(base.CloseIdleConnections)
	var requests atomic.Int32
	killed := make(chan struct{})
	p := newTestServer(t, cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
		if requests.Add(1) > 15 {
			<-killed
		}
		return base.RoundTrip(r)
	}))
	r := b.relayThrough(p, "one", nil)
	arrived := []sent{decodeSent(t, first.next(EventName).text(t))}
	app.Stop()
	close(killed)
	b.waitHealth(r, HealthRetrying)
	app.Start()
	second := mustSubscribe(t, cfg, "tenant.1.schemas")
	b.outbox.waitEmpty(t)
	b.waitHealth(r, HealthOK)
	b.outbox.add("one", shortEvent(streams+1, schema.EventStarted))
	for len(arrived) == 1 || arrived[len(arrived)-1].SchemaID != streams+1 {
		arrived = append(arrived, decodeSent(t, second.next(EventName).text(t)))
	}
	last := map[int64]int64{}
	for _, e := range arrived {
		if e.Seq < last[e.SchemaID] {
			t.Errorf("schema %d: event %d arrived behind %d", e.SchemaID, e.Seq, last[e.SchemaID])
		}
		last[e.SchemaID] = e.Seq
	}
	if dropped, _, _ := b.outbox.counters(); len(dropped) > 0 {
		t.Errorf("dropped: %v", dropped)
	}
	b.mustLoseNothing()
}

// waitHealth waits until a relay says how it does.
func (b *bench) waitHealth(r *Relay, want Health) {
	b.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for r.Status().Health != want {
		select {
		case <-tick.C:
		case <-limit:
			b.t.Fatalf("the relay is %s after 30 s, want %s: %s", r.Status().Health, want, r.Status().Reason)
		}
	}
}
