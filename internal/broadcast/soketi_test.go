package broadcast

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/pusher/pusher-http-go/v5"
)

const soketiAddress = "SCHEMACAST_TEST_SOKETI"

// soketi is the configuration for the real server that the tests run beside.
func soketi(t *testing.T, change func(*Config)) Config {
	t.Helper()
	address := os.Getenv(soketiAddress)
	if address == "" {
		const reason = soketiAddress + " (host:port of a Soketi with the app ai-data-lake) is not set; `make test` starts one"
		if os.Getenv("CI") == "true" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatalf("%s is %q, not host:port", soketiAddress, address)
	}
	cfg := testConfig()
	cfg.Host = host
	if cfg.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

// uniqueTenant keeps parallel tests and earlier runs apart on the shared server.
func uniqueTenant(t *testing.T) string {
	return fmt.Sprintf("t%x-%d", sha256.Sum256([]byte(t.Name())), time.Now().UnixNano())[:40]
}

// subscriber is a browser.
type subscriber struct {
	t    *testing.T
	conn *websocket.Conn
}

type frame struct {
	Event   string          `json:"event"`
	Channel string          `json:"channel,omitempty"`
	Data    json.RawMessage `json:"data"`
}

// text is the data of a channel's event, which travels as a string.
func (f frame) text(t *testing.T) string {
	t.Helper()
	var s string
	if err := json.Unmarshal(f.Data, &s); err != nil {
		t.Fatalf("data of %s is no string: %s", f.Event, f.Data)
	}
	return s
}

// subscribe connects and joins a channel. The server's refusal is returned.
func subscribe(t *testing.T, cfg Config, channel string, authorised bool) (*subscriber, frame) {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), "ws://"+cfg.address()+"/app/"+cfg.Key+"?protocol=7&client=test&version=1", nil) //nolint:bodyclose // the library closes it
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	conn.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = conn.CloseNow() })
	s := &subscriber{t: t, conn: conn}
	var hello struct {
		SocketID string `json:"socket_id"`
	}
	if err := json.Unmarshal([]byte(s.next("pusher:connection_established").text(t)), &hello); err != nil {
		t.Fatal(err)
	}
	join := map[string]string{"channel": channel}
	if authorised {
		client := pusher.Client{Key: cfg.Key, Secret: cfg.Secret, EncryptionMasterKeyBase64: cfg.EncryptionKey}
		raw, err := client.AuthorizePrivateChannel([]byte("socket_id=" + hello.SocketID + "&channel_name=" + url.QueryEscape(channel)))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &join); err != nil {
			t.Fatal(err)
		}
	}
	request, err := json.Marshal(map[string]any{"event": "pusher:subscribe", "data": join})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Write(t.Context(), websocket.MessageText, request); err != nil {
		t.Fatal(err)
	}
	return s, s.read()
}

// mustSubscribe fails when the server refuses.
func mustSubscribe(t *testing.T, cfg Config, channel string) *subscriber {
	t.Helper()
	s, reply := subscribe(t, cfg, channel, strings.HasPrefix(channel, "private-"))
	if reply.Event != "pusher_internal:subscription_succeeded" {
		t.Fatalf("subscribe to %s: %s %s", channel, reply.Event, reply.Data)
	}
	return s
}

func (s *subscriber) read() frame {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	_, raw, err := s.conn.Read(ctx)
	if err != nil {
		s.t.Fatalf("read from the server: %v", err)
	}
	var f frame
	if err := json.Unmarshal(raw, &f); err != nil {
		s.t.Fatalf("read from the server: %v in %s", err, raw)
	}
	return f
}

func (s *subscriber) next(event string) frame {
	s.t.Helper()
	f := s.read()
	if f.Event != event {
		s.t.Fatalf("the server sent %s %s, want %s", f.Event, f.Data, event)
	}
	return f
}

func connect(t *testing.T, cfg Config) Publisher {
	t.Helper()
	p, err := NewPublisher(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// What is rendered arrives byte for byte, on each kind of channel.
func TestSoketiDelivers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"public":    func(*Config) {},
		"private":   func(c *Config) { c.Mode = ModePrivate },
		"encrypted": encrypted,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := soketi(t, change)
			p := connect(t, cfg)
			if err := p.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			r, err := NewRenderer(cfg)
			if err != nil {
				t.Fatal(err)
			}
			ev := completedEvent(t)
			ev.TenantID = uniqueTenant(t)
			out := mustRender(t, r, ev, RungFull)
			s := mustSubscribe(t, cfg, out.Channels[0])
			if err := firstError(p.Publish(t.Context(), []Message{{1, out.Name, out.Channels[0], out.Data}})); err != nil {
				t.Fatal(err)
			}
			got := s.next(EventName).text(t)
			if cfg.Mode == ModeEncrypted {
				if strings.Contains(got, "schema_id") {
					t.Errorf("the server sees the event: %s", got)
				}
				got = decrypt(t, cfg, out.Channels[0], got)
			}
			if diff := cmp.Diff(out.Data, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

// decrypt lets the library do it, which it only does for webhooks.
func decrypt(t *testing.T, cfg Config, channel, data string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"events": []map[string]string{{"channel": channel, "data": data}}})
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(cfg.Secret))
	mac.Write(body)
	header := http.Header{"X-Pusher-Key": {cfg.Key}, "X-Pusher-Signature": {hex.EncodeToString(mac.Sum(nil))}}
	client := pusher.Client{Key: cfg.Key, Secret: cfg.Secret, EncryptionMasterKeyBase64: cfg.EncryptionKey}
	hook, err := client.Webhook(header, body)
	if err != nil {
		t.Fatal(err)
	}
	return hook.Events[0].Data
}

// Soketi hides errors in a 200. None of them passes for a success.
func TestSoketiRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*Config)
		status int
		check  bool // whether Check sees it too
	}{
		"wrong secret": {func(c *Config) { c.Secret = "wrong" }, 401, true},
		"unknown app":  {func(c *Config) { c.AppID = "other" }, 404, true},
		"too large":    {func(c *Config) { c.MaxBytes = 200 << 10 }, 413, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := connect(t, soketi(t, tt.change))
			m := message(1)
			if tt.status == 413 {
				m.Data = strings.Repeat("x", soketiMaxBytes+1)
			}
			if diff := cmp.Diff([]int{tt.status}, statuses(p.Publish(t.Context(), []Message{m}))); diff != "" {
				t.Errorf("publish (-want +got):\n%s", diff)
			}
			if err := p.Check(t.Context()); (err != nil) != tt.check {
				t.Errorf("check = %v, want an error: %t", err, tt.check)
			}
		})
	}
}

// The limit is in bytes of the data, and ours is the server's.
func TestSoketiTakesTheLargestEvent(t *testing.T) {
	t.Parallel()
	cfg := soketi(t, nil)
	tenant := uniqueTenant(t)
	s := mustSubscribe(t, cfg, tenant)
	m := Message{Stream: 1, Name: EventName, Channel: tenant, Data: strings.Repeat("ä", soketiMaxBytes/2)}
	if err := firstError(connect(t, cfg).Publish(t.Context(), []Message{m})); err != nil {
		t.Fatal(err)
	}
	if got := s.next(EventName).text(t); got != m.Data {
		t.Errorf("%d bytes arrived, want %d", len(got), len(m.Data))
	}
}

// A batch with one bad event is dropped by Soketi as a whole; the others go singly.
func TestSoketiBatch(t *testing.T) {
	t.Parallel()
	cfg := soketi(t, func(c *Config) { c.MaxBytes = 200 << 10 })
	tenant := uniqueTenant(t)
	s := mustSubscribe(t, cfg, tenant)
	var list []Message
	for i := range 25 {
		list = append(list, Message{Stream: int64(i), Name: EventName, Channel: tenant, Data: strconv.Itoa(i)})
	}
	list[14].Data = strings.Repeat("x", soketiMaxBytes+1)
	want := make([]int, 25)
	want[14] = 413
	if diff := cmp.Diff(want, statuses(connect(t, cfg).Publish(t.Context(), list))); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	for i := range list {
		if i == 14 {
			continue
		}
		if got := s.next(EventName).text(t); got != strconv.Itoa(i) {
			t.Fatalf("event %d arrived, want %d", i, i)
		}
	}
}

// The whole way from the outbox to a browser.
func TestSoketiRelay(t *testing.T) {
	t.Parallel()
	cfg := soketi(t, nil)
	tenant := uniqueTenant(t)
	s := mustSubscribe(t, cfg, "tenant."+tenant+".schemas")
	b := newBench(t)
	renderer, err := NewRenderer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRelay(b.outbox, connect(t, cfg), renderer, RelayConfig{Owner: "one"})
	if err != nil {
		t.Fatal(err)
	}
	const streams = 50
	b.fill("one", streams)
	for _, stream := range b.outbox.streams {
		for i := range stream.events {
			stream.events[i].TenantID = tenant
		}
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 * streams {
		b.wire.events = append(b.wire.events, decodeSent(t, s.read().text(t)))
	}
	if err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wire.mustBeInOrder(streams, 3)
}
