package hub_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/embedded/hub"
	"github.com/schemacast/schemacast/internal/testenv"
)

func TestNewNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := hub.New(hub.Options{AppID: "a/b", EncryptionKey: "c2hvcnQ=", MaxChannels: -1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"app id", "the key", "secret", "32 bytes", "negative"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not mention %q: %v", part, err)
		}
	}
}

// A client that does not read is cut off; until then it misses nothing, and the others
// do not notice.
func TestSlowConsumer(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{}).SoketiApp
	channel := unique("")
	slow, fast := join(t, app, channel), join(t, app, channel)
	const total = 300 // times 100 KB: more than the queue and the system's buffers
	padding := strings.Repeat("x", 100_000)
	for i := range total {
		mustPublish(t, app, event{Name: number(i), Channel: channel, Data: padding})
		fast.next(number(i))
	}
	got := 0
	for ; ; got++ {
		f, err := slow.read()
		if err != nil || f.Event == "pusher:error" {
			break
		}
		if f.Event != number(got) {
			t.Fatalf("event %s arrived, want %d", f.Event, got)
		}
	}
	if got == total {
		t.Error("the hub kept everything for a client that did not read")
	}
	fast.nothing()
}

func TestMalformedFramesAreIgnored(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{}).SoketiApp
	b := connect(t, app)
	for _, raw := range []string{
		"", "{", "null", "[]", "7", `"pusher:ping"`, `{"event":7}`, `{"event":null}`, `{}`,
		`{"event":"pusher:subscribe"}`, `{"event":"pusher:subscribe","data":"x"}`, `{"event":"pusher:subscribe","data":[]}`,
		`{"event":"pusher:subscribe","data":{"channel":7}}`, `{"event":"pusher:unsubscribe"}`,
		`{"event":"pusher:unsubscribe","data":{"channel":"never-joined"}}`, `{"event":"pusher:signin","data":{}}`,
		`{"event":"pusher_internal:subscription_succeeded","channel":"x","data":"{}"}`, strings.Repeat("[", 60_000),
	} {
		b.write(websocket.MessageText, []byte(raw))
		b.nothing()
	}
	b.write(websocket.MessageBinary, []byte(`{"event":"pusher:ping","data":{}}`))
	b.nothing()
	b.subscribe("", "")
	if code := b.next("pusher:subscription_error").code(t); code != 4009 {
		t.Errorf("a channel without name: %d, want 4009", code)
	}
}

func TestFramesAreBounded(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{}).SoketiApp
	b := connect(t, app)
	b.write(websocket.MessageText, []byte(strings.Repeat(" ", 64<<10+1)))
	if _, onWire := b.ended(); onWire != websocket.StatusMessageTooBig {
		t.Errorf("closed with %d, want %d", onWire, websocket.StatusMessageTooBig)
	}
	connect(t, app).nothing()
}

func TestProtocolVersion(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{}).SoketiApp
	for query, want := range map[string]websocket.StatusCode{
		"": 0, "protocol=5": 0, "protocol=7": 0, "protocol=4": 4007, "protocol=8": 4007, "protocol=x": 4007,
	} {
		b := mustDial(t, app, query)
		if want == 0 {
			b.next("pusher:connection_established")
			continue
		}
		if inFrame, onWire := b.ended(); inFrame != int(want) || onWire != want {
			t.Errorf("%q: pusher:error %d, closed with %d, want %d", query, inFrame, onWire, want)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{MaxConnections: 2}).SoketiApp
	first := connect(t, app)
	connect(t, app)
	if inFrame, onWire := mustDial(t, app, "").ended(); inFrame != 4100 || onWire != 4100 {
		t.Errorf("pusher:error %d, closed with %d, want 4100", inFrame, onWire)
	}
	_ = first.conn.CloseNow()
	for { // until the hub has noticed; the test's time limit is the limit
		if f, err := mustDial(t, app, "").read(); err == nil && f.Event == "pusher:connection_established" {
			break
		}
	}
}

func TestChannelsOfAConnectionAreBounded(t *testing.T) {
	t.Parallel()
	b := join(t, startHub(t, hub.Options{MaxChannels: 2}).SoketiApp, "one")
	b.subscribe("two", "")
	b.next("pusher_internal:subscription_succeeded")
	b.subscribe("three", "")
	if code := b.next("pusher:subscription_error").code(t); code != 4009 {
		t.Errorf("the third channel: %d, want 4009", code)
	}
	b.subscribe("two", "") // it is one of the two
	b.next("pusher_internal:subscription_succeeded")
	b.send(map[string]any{"event": "pusher:unsubscribe", "data": map[string]string{"channel": "one"}})
	b.subscribe("three", "")
	b.next("pusher_internal:subscription_succeeded")
}

// They would look like others and behave otherwise.
func TestKindsOfChannelsThatTheHubDoesNotHave(t *testing.T) {
	t.Parallel()
	b := connect(t, startHub(t, hub.Options{}).SoketiApp)
	for _, name := range []string{"presence-a", "presence-cache-a", "cache-a", "private-cache-a", "private-encrypted-cache-a"} {
		b.subscribe(name, b.auth(name, b.app.Secret))
		if code := b.next("pusher:subscription_error").code(t); code != 4009 {
			t.Errorf("%s: %d, want 4009", name, code)
		}
	}
}

// A client that only listens to a busy channel says nothing by itself.
func TestQuietClientIsPinged(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{IdleTimeout: time.Second}).SoketiApp
	b := join(t, app, "busy")
	for range 2 {
		b.next("pusher:ping")
		b.send(map[string]any{"event": "pusher:pong", "data": map[string]string{}})
	}
	b.nothing()
}

func TestDeadClientIsGivenUp(t *testing.T) {
	t.Parallel()
	b := connect(t, startHub(t, hub.Options{IdleTimeout: 50 * time.Millisecond}).SoketiApp)
	b.next("pusher:ping")
	if inFrame, onWire := b.ended(); inFrame != 4201 || onWire != 4201 {
		t.Errorf("pusher:error %d, closed with %d, want 4201", inFrame, onWire)
	}
}

// What was taken before Close arrives, then clients are told to come back.
func TestClose(t *testing.T) {
	t.Parallel()
	s := startHub(t, hub.Options{})
	channel := unique("")
	b := join(t, s.SoketiApp, channel)
	const total = 50
	for i := range total {
		mustPublish(t, s.SoketiApp, event{Name: number(i), Channel: channel, Data: "1"})
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.hub.Close()
	}()
	for i := range total {
		b.next(number(i))
	}
	if inFrame, onWire := b.ended(); inFrame != 4200 || onWire != 4200 {
		t.Errorf("pusher:error %d, closed with %d, want 4200", inFrame, onWire)
	}
	<-closed

	if _, resp, err := dial(t, s.SoketiApp, "", nil); err == nil || resp.StatusCode != http.StatusServiceUnavailable { //nolint:bodyclose // the library closes it
		t.Errorf("a client after Close: %v, want status 503", err)
	}
	if status := publish(t, s.SoketiApp, event{Name: "late", Channel: channel, Data: "1"}); status != http.StatusServiceUnavailable {
		t.Errorf("an event after Close: status %d, want 503", status)
	}
	s.hub.Close() // twice does no harm
}

// A client that neither reads nor answers does not hold up the end of the process,
// which has five seconds.
func TestCloseDoesNotWaitForADeadClient(t *testing.T) {
	t.Parallel()
	s := startHub(t, hub.Options{})
	channel := unique("")
	join(t, s.SoketiApp, channel)
	for range 150 { // more than the system's buffers take
		mustPublish(t, s.SoketiApp, event{Name: "x", Channel: channel, Data: strings.Repeat("x", 100_000)})
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.hub.Close()
	}()
	select {
	case <-closed:
	case <-time.After(4500 * time.Millisecond):
		t.Error("Close still waits")
	}
}

// Clients of all kinds at once, and Close in the midst.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	s := startHub(t, hub.Options{})
	channels := []string{unique(""), unique(""), unique("")}
	var wg sync.WaitGroup
	for i := range 16 {
		b := connect(t, s.SoketiApp)
		wg.Go(func() {
			for round := range 50 {
				data := map[string]string{"channel": channels[(i+round)%len(channels)]}
				kind := []string{"pusher:subscribe", "pusher:unsubscribe", "pusher:ping"}[round%3]
				if raw := []byte(`{"event":"` + kind + `","data":{"channel":"` + data["channel"] + `"}}`); b.conn.Write(t.Context(), websocket.MessageText, raw) != nil {
					return
				}
			}
			b.ended()
		})
	}
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if status := publish(t, s.SoketiApp, event{Name: "x", Channels: channels, Data: "1"}); status == http.StatusServiceUnavailable {
					return
				}
			}
			s.hub.Close()
		})
	}
	wg.Wait()
	_, list := call(t, s.SoketiApp, signed(t, s.SoketiApp, http.MethodGet, "/channels", nil, "", time.Now()))
	if diff := cmp.Diff(`{"channels":{}}`, strings.TrimSpace(string(list))); diff != "" {
		t.Errorf("channels after Close (-want +got):\n%s", diff)
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{}).SoketiApp
	for origin, allowed := range map[string]bool{
		"":                             true,
		"http://localhost:8080":        true,
		"https://127.0.0.1":            true,
		"http://[::1]:5173":            true,
		"http://127.9.9.9":             true,
		"null":                         false,
		"http://example.com":           false,
		"http://localhost.example.com": false,
		"http://127.0.0.1.example.com": false,
		"http://0.0.0.0":               false,
		"http://192.168.0.1":           false,
		"%":                            false,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		_, resp, err := dial(t, app, "", header) //nolint:bodyclose // the library closes it
		if (err == nil) != allowed || (!allowed && resp.StatusCode != http.StatusForbidden) {
			t.Errorf("origin %q: %v, want it allowed: %t", origin, err, allowed)
		}
	}
}

// A page whose name resolves to 127.0.0.1 has its own name in both headers.
func TestOriginThatEqualsTheHost(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{}).SoketiApp
	_, resp, err := websocket.Dial(t.Context(), "ws://"+app.Addr()+"/app/"+app.Key, &websocket.DialOptions{ //nolint:bodyclose // the library closes it
		Host: "evil.example", HTTPHeader: http.Header{"Origin": {"http://evil.example"}},
	})
	if err == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("got %v, want status 403", err)
	}
}

func TestSocketIDsDiffer(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{}).SoketiApp
	var ids []string
	for range 50 {
		ids = append(ids, connect(t, app).socketID)
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != 50 {
		t.Errorf("%d ids for 50 connections", n)
	}
}

// Two hubs share nothing.
func TestHubsAreIndependent(t *testing.T) {
	t.Parallel()
	one, two := startHub(t, hub.Options{}).SoketiApp, startHub(t, hub.Options{}).SoketiApp
	channel := unique("")
	b := join(t, one, channel)
	mustPublish(t, two, event{Name: "x", Channel: channel, Data: "1"})
	b.nothing()
}

var _ interface {
	Start()
	Stop()
} = (*testenv.SoketiServer)(nil)
