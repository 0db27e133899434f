package testenv_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pusher/pusher-http-go/v5"

	"github.com/schemacast/schemacast/internal/testenv"
)

func signer(app testenv.SoketiApp) *pusher.Client {
	return &pusher.Client{
		AppID: app.AppID, Key: app.Key, Secret: app.Secret, Host: app.Addr(), HTTPClient: &http.Client{Timeout: timeout},
	}
}

func TestRecorderRemembersWhatItTook(t *testing.T) {
	t.Parallel()
	r := testenv.StartRecorder(t, nil)
	client := signer(r.App)
	if err := client.Trigger("tenant.1.schemas", "schema.analysis", map[string]int{"seq": 1}); err != nil {
		t.Fatal(err)
	}
	batch := []pusher.Event{{Channel: "a", Name: "x", Data: "{}"}, {Channel: "b", Name: "x", Data: "{}"}}
	if _, err := client.TriggerBatch(batch); err != nil {
		t.Fatal(err)
	}
	r.Behave(testenv.Refuses(413, "too large"))
	_ = client.Trigger("c", "x", "{}")
	r.Behave(func(int, []testenv.Published) testenv.Reply { return testenv.Reply{Take: true, Status: 500} })
	if err := client.Trigger("d", "x", "{}"); err == nil {
		t.Error("an answer of 500 was none")
	}
	var channels []string
	for _, m := range r.Messages() {
		channels = append(channels, m.Channel)
	}
	if got, want := strings.Join(channels, " "), "tenant.1.schemas a b d"; got != want {
		t.Errorf("taken %s, want %s", got, want)
	}
	if got := string(r.Messages()[0].Data); got != `{"seq":1}` {
		t.Errorf("the data is %s", got)
	}
	if got := r.Requests(); got != 4 {
		t.Errorf("%d requests, want 4", got)
	}
}

func TestRecorderKnowsTheSecret(t *testing.T) {
	t.Parallel()
	r := testenv.StartRecorder(t, nil)
	app := r.App
	app.Secret = "another"
	// The library takes Soketi's refusal for a success, so only the recorder tells.
	_ = signer(app).Trigger("a", "x", "{}")
	if got := r.Messages(); len(got) != 0 {
		t.Errorf("it took %v", got)
	}
}

func TestRecorderHoldsAnswersBack(t *testing.T) {
	t.Parallel()
	r := testenv.StartRecorder(t, nil)
	wait, release := testenv.Until(t)
	r.Behave(func(int, []testenv.Published) testenv.Reply { return testenv.Reply{Take: true, Wait: wait} })
	done := make(chan error, 1)
	go func() { done <- signer(r.App).Trigger("a", "x", "{}") }()
	r.WaitRequests(1, timeout)
	select {
	case err := <-done:
		t.Fatalf("it was answered: %v", err)
	default:
	}
	release()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(timeout):
		t.Error("it was never answered")
	}
}

func TestRecorderInFrontOfSoketi(t *testing.T) {
	t.Parallel()
	soketi := testenv.StartSoketi(t)
	r := testenv.StartRecorder(t, &soketi.SoketiApp)
	tenant := "recorder"
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: soketi.SoketiApp, Tenant: tenant})
	if err := signer(r.App).Trigger("tenant."+tenant+".schemas", "schema.analysis", "{}"); err != nil {
		t.Fatal(err)
	}
	receiver.WaitFor(1, timeout)
	r.Behave(func(int, []testenv.Published) testenv.Reply {
		return testenv.Reply{Take: true, Status: http.StatusBadGateway}
	})
	if err := signer(r.App).Trigger("tenant."+tenant+".schemas", "schema.analysis", "{}"); err == nil {
		t.Error("an answer of 502 was none")
	}
	receiver.WaitFor(2, timeout)
	r.Behave(testenv.Takes)
	soketi.Stop()
	if err := signer(r.App).Trigger("tenant."+tenant+".schemas", "schema.analysis", "{}"); err == nil {
		t.Error("a server that is down took an event")
	}
	if got := len(r.Messages()); got != 2 {
		t.Errorf("%d messages taken, want 2", got)
	}
}
