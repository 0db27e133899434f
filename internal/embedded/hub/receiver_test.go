package hub_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/embedded/hub"
	"github.com/schemacast/schemacast/internal/testenv"
)

// newPublisher is the worker's, configured as the embedded mode configures it.
func newPublisher(t *testing.T, app testenv.SoketiApp, mode broadcast.Mode) broadcast.Publisher {
	t.Helper()
	p, err := broadcast.NewPublisher(broadcast.Config{
		Driver: broadcast.DriverPusher, Mode: mode, AppID: app.AppID, Key: app.Key, Secret: app.Secret,
		Host: app.Host, Port: app.Port, EncryptionKey: masterKey,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// From the worker's publisher over HTTP to the dashboard's libraries.
func TestPublisherToReceiver(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode   testenv.ChannelMode
		prefix string
	}{{testenv.Public, ""}, {testenv.Private, "private-"}, {testenv.Encrypted, "private-encrypted-"}} {
		t.Run(string(tt.mode), func(t *testing.T) {
			t.Parallel()
			app := startHub(t, hub.Options{EncryptionKey: masterKey, Authorize: func(string) bool { return true }}).SoketiApp
			p := newPublisher(t, app, broadcast.Mode(tt.mode))
			if err := p.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			r := testenv.StartReceiver(t, testenv.ReceiverConfig{
				App: app, Tenant: "8", Mode: tt.mode, AuthEndpoint: "http://" + app.Addr() + "/broadcasting/auth",
			})
			const total = 250
			var messages []broadcast.Message
			var want []string
			for i := range total {
				data := `{"n":` + number(i) + `,"text":"<Größe>"}`
				want = append(want, data)
				messages = append(messages, broadcast.Message{
					Stream: int64(i % 7), Name: "schema.analysis", Channel: tt.prefix + "tenant.8.schemas", Data: data,
				})
			}
			if err := errors.Join(p.Publish(t.Context(), messages)...); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range r.WaitFor(total, timeout) {
				got = append(got, string(m.Payload))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("payloads (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReceiverIsRefused(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{}).SoketiApp
	app.Secret = "wrong" // the receiver signs by itself
	r := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app, Tenant: "8", Mode: testenv.Private, Refused: true})
	if got := r.Errors(); len(got) != 1 || !strings.HasSuffix(got[0], "the connection is unauthorized (401)") {
		t.Errorf("the receiver was told %q", got)
	}
}

// A client comes back by itself, since 4200 tells it to.
func TestReceiverComesBack(t *testing.T) {
	t.Parallel()
	s := startHub(t, hub.Options{})
	r := testenv.StartReceiver(t, testenv.ReceiverConfig{App: s.SoketiApp, Tenant: "8", Watchdog: true})
	s.Stop()
	r.WaitDisconnected(timeout)
	s.Start()
	r.WaitReady(2, timeout)
	mustPublish(t, s.SoketiApp, event{Name: "schema.analysis", Channel: "tenant.8.schemas", Data: `{"after":true}`})
	if diff := cmp.Diff(json.RawMessage(`{"after":true}`), r.WaitFor(1, timeout)[0].Payload); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
}

func TestPublisherSeesRefusals(t *testing.T) {
	t.Parallel()
	app := startHub(t, hub.Options{MaxEventBytes: 10}).SoketiApp
	p := newPublisher(t, app, broadcast.ModePublic)
	results := p.Publish(t.Context(), []broadcast.Message{
		{Stream: 1, Name: "x", Channel: "a", Data: strings.Repeat("x", 11)}, {Stream: 2, Name: "x", Channel: "a", Data: "1"},
	})
	if refusal, ok := errors.AsType[*broadcast.PublishError](results[0]); !ok || refusal.Status != 413 {
		t.Errorf("an event that is too large: %v, want 413", results[0])
	}
	if results[1] != nil {
		t.Errorf("the other event of its batch: %v", results[1])
	}
	app.Secret = "wrong"
	refusal, ok := errors.AsType[*broadcast.PublishError](newPublisher(t, app, broadcast.ModePublic).Check(t.Context()))
	if !ok || refusal.Status != 401 {
		t.Errorf("wrong secret: %v, want 401", refusal)
	}
}
