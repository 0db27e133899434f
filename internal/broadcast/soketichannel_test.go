package broadcast

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

// tenantModes are the modes with what they need.
var tenantModes = map[string]func(*Config){
	"public":    func(*Config) {},
	"private":   func(c *Config) { c.Mode = ModePrivate },
	"encrypted": encrypted,
}

// Every tenant id that we take makes a channel that is what its mode says, on the real
// server: open to all or to nobody without a signature, and without a memory.
func TestSoketiTakesTheTenantsThatWeTake(t *testing.T) {
	t.Parallel()
	odd := map[string]string{
		"punctuation": "a=b@c,d;e_f.g-", "dashes": "-", "dots": "..", "upper case": "PRIVATE-PRESENCE-CACHE-", "words without a dash": "privatepresencecache",
		"half a word": "rivate-resence-ache", "a word at the end": "cache", "client event": "client-x", "prefix of ours": "encrypted-x", "long": strings.Repeat("t", 40),
		"inside, private": "acme-private-eu", "inside, presence": "acme-presence-eu", "inside, cache": "acme-cache-eu",
	}
	for mode, change := range tenantModes {
		for name, suffix := range odd {
			t.Run(mode+" "+name, func(t *testing.T) {
				t.Parallel()
				cfg := soketi(t, change)
				r, err := NewRenderer(cfg)
				if err != nil {
					t.Fatal(err)
				}
				ev := failedEvent("why", "")
				ev.TenantID = uniqueTenant(t) + suffix
				out, err := r.Render(ev, RungFull)
				if err != nil {
					mustBeATrap(t, cfg, ev.TenantID)
					return
				}
				mustBehaveAsItsMode(t, cfg, out)
			})
		}
	}
}

// mustBehaveAsItsMode publishes before, while and after somebody listens.
func mustBehaveAsItsMode(t *testing.T, cfg Config, out Rendered) {
	t.Helper()
	channel := out.Channels[0]
	p := connect(t, cfg)
	m := []Message{{1, out.Name, channel, out.Data}}
	if err := firstError(p.Publish(t.Context(), m)); err != nil {
		t.Fatal(err)
	}
	_, reply := subscribe(t, cfg, channel, false)
	if open := reply.Event == "pusher_internal:subscription_succeeded"; open != (cfg.Mode == ModePublic) {
		t.Errorf("a stranger on %s got %s", channel, reply.Event)
	}
	s := mustSubscribe(t, cfg, channel)
	if err := firstError(p.Publish(t.Context(), m)); err != nil {
		t.Fatal(err)
	}
	got := s.next(out.Name).text(t)
	if cfg.Mode == ModeEncrypted {
		got = decrypt(t, cfg, channel, got)
	}
	if diff := cmp.Diff(out.Data, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	// A channel with a memory would have repeated the first event before it.
	if err := firstError(p.Publish(t.Context(), []Message{{1, "end", channel, "{}"}})); err != nil {
		t.Fatal(err)
	}
	s.next("end")
}

// mustBeATrap fails when a tenant is refused for nothing: the server must make something
// else of its channel.
func mustBeATrap(t *testing.T, cfg Config, tenant string) {
	t.Helper()
	n := namer{mode: cfg.Mode}
	channel := n.prefix() + "tenant." + tenant + ".schemas"
	if strings.Contains(tenant, "cache-") {
		mustRemember(t, cfg, channel)
		return
	}
	if _, reply := subscribe(t, cfg, channel, cfg.Mode != ModePublic); reply.Event != "pusher:subscription_error" {
		t.Errorf("the server answered %s to %s; it is no trap, channel.go need not refuse it", reply.Event, channel)
	}
}

// mustRemember fails when a channel is no cache channel, which greets its listeners with
// an old event or says that there is none.
func mustRemember(t *testing.T, cfg Config, channel string) {
	t.Helper()
	s := mustSubscribe(t, cfg, channel)
	if f := s.read(); f.Event != "pusher:cache_miss" {
		t.Errorf("the server sent %s on %s; it is no trap, channel.go need not refuse it", f.Event, channel)
	}
}

// A tenant that no channel can carry costs its own events and says so; the others pass.
func TestSoketiRelayRefusesATrap(t *testing.T) {
	t.Parallel()
	cfg := soketi(t, nil)
	tenant := uniqueTenant(t)
	s := mustSubscribe(t, cfg, "tenant."+tenant+".schemas")
	b := newBench(t)
	bad := shortEvent(1, schema.EventStarted)
	bad.TenantID = "acme-private-eu"
	good := shortEvent(2, schema.EventStarted)
	good.TenantID = tenant
	b.outbox.add("one", bad)
	b.outbox.add("one", good)
	b.relayThrough(connect(t, cfg), "one", nil)
	if got := decodeSent(t, s.next(EventName).text(t)); got != (sent{2, 1}) {
		t.Errorf("event %+v arrived, want that of the sound tenant", got)
	}
	b.outbox.waitEmpty(t)
	dropped, _, _ := b.outbox.counters()
	if reason := dropped["1/1"]; len(dropped) != 1 || !strings.Contains(reason, `tenant id "acme-private-eu"`) || !strings.Contains(reason, "give the tenant an id") {
		t.Errorf("dropped %v, want the trap with its cure", dropped)
	}
}
