package hub_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/pusher/pusher-http-go/v5"

	"github.com/schemacast/schemacast/internal/embedded/hub"
	"github.com/schemacast/schemacast/internal/testenv"
)

// What the product relies on, in the hub and in a real Soketi.
var conformance = map[string]func(*testing.T, testenv.SoketiApp){
	"handshake":                 handshake,
	"unknown key":               unknownKey,
	"public channel":            publicChannel,
	"subscribed twice":          subscribedTwice,
	"unsubscribe":               unsubscribe,
	"no replay":                 noReplay,
	"private channel":           privateChannel,
	"private channel refused":   privateRefused,
	"encrypted channel":         encryptedChannel,
	"bad channel names":         badChannelNames,
	"several channels":          severalChannels,
	"the sender's own socket":   senderExcluded,
	"client events are refused": clientEvents,
	"largest event":             largestEvent,
	"largest batch":             largestBatch,
	"one bad event in a batch":  badBatch,
	"refused events":            refusedEvents,
	"wrong credentials":         wrongCredentials,
	"questions about channels":  channelQuestions,
	"1,500 events in order":     order,
	"unknown frames":            unknownFrames,
}

func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("hub", func(t *testing.T) {
		t.Parallel()
		runConformance(t, startHub(t, hub.Options{}).SoketiApp)
	})
	t.Run("soketi", func(t *testing.T) {
		t.Parallel()
		runConformance(t, testenv.Soketi(t))
	})
}

func runConformance(t *testing.T, app testenv.SoketiApp) {
	for name, test := range conformance {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, app)
		})
	}
}

func handshake(t *testing.T, app testenv.SoketiApp) {
	b := mustDial(t, app, "protocol=7&client=js&version=8.6.0&flash=false")
	var hello struct {
		SocketID string `json:"socket_id"`
		Activity int    `json:"activity_timeout"`
	}
	b.decode(b.next("pusher:connection_established").text(t), &hello)
	if !regexp.MustCompile(`^\d+\.\d+$`).MatchString(hello.SocketID) || hello.Activity != 30 {
		t.Errorf("the server greets with %+v", hello)
	}
	b.nothing()
}

func unknownKey(t *testing.T, app testenv.SoketiApp) {
	app.Key = "other"
	inFrame, onWire := mustDial(t, app, "protocol=7").ended()
	if inFrame != 4001 || onWire != 4001 {
		t.Errorf("pusher:error %d, closed with %d, want 4001", inFrame, onWire)
	}
}

func publicChannel(t *testing.T, app testenv.SoketiApp) {
	channel := unique("tenant.") + ".schemas"
	subscriber, stranger := join(t, app, channel), join(t, app, unique(""))
	const data = `{"name":"Größe <b>&\u0001</b>","nested":"{\"a\":1}","line":"` + "\u2028😀" + `"}`
	mustPublish(t, app, event{Name: "schema.analysis", Channel: channel, Data: data})
	f := subscriber.next("schema.analysis")
	if diff := cmp.Diff([]string{channel, data}, []string{f.Channel, f.text(t)}); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	stranger.nothing()
}

func subscribedTwice(t *testing.T, app testenv.SoketiApp) {
	channel := unique("")
	b := join(t, app, channel)
	b.subscribe(channel, "")
	b.next("pusher_internal:subscription_succeeded")
	mustPublish(t, app, event{Name: "once", Channel: channel, Data: "1"})
	b.next("once")
	b.nothing()
}

func unsubscribe(t *testing.T, app testenv.SoketiApp) {
	channel := unique("")
	b, other := join(t, app, channel), join(t, app, channel)
	b.send(map[string]any{"event": "pusher:unsubscribe", "data": map[string]string{"channel": channel}})
	b.nothing() // it was heard
	mustPublish(t, app, event{Name: "later", Channel: channel, Data: "1"})
	other.next("later")
	b.nothing()
	b.subscribe(channel, "")
	b.next("pusher_internal:subscription_succeeded")
	mustPublish(t, app, event{Name: "again", Channel: channel, Data: "1"})
	b.next("again")
}

func noReplay(t *testing.T, app testenv.SoketiApp) {
	channel := unique("")
	mustPublish(t, app, event{Name: "before", Channel: channel, Data: "1"})
	join(t, app, channel).nothing()
}

func privateChannel(t *testing.T, app testenv.SoketiApp) {
	channel := unique("private-")
	b := connect(t, app)
	b.subscribe(channel, b.auth(channel, app.Secret))
	b.next("pusher_internal:subscription_succeeded")
	mustPublish(t, app, event{Name: "secret", Channel: channel, Data: "1"})
	b.next("secret")
}

func privateRefused(t *testing.T, app testenv.SoketiApp) {
	channel, b, other := unique("private-"), connect(t, app), connect(t, app)
	for name, auth := range map[string]string{
		"no signature":       "",
		"wrong secret":       b.auth(channel, "wrong"),
		"of another socket":  other.auth(channel, app.Secret),
		"of another channel": b.auth(channel+"x", app.Secret),
		"without the key":    strings.TrimPrefix(b.auth(channel, app.Secret), app.Key),
	} {
		b.subscribe(channel, auth)
		f := b.next("pusher:subscription_error")
		var data struct {
			Type   string
			Status int
		}
		b.decode(string(f.Data), &data)
		if data.Type != "AuthError" || data.Status != 401 || f.Channel != channel {
			t.Errorf("%s: the server answers %s for %s", name, f.Data, f.Channel)
		}
	}
	mustPublish(t, app, event{Name: "secret", Channel: channel, Data: "1"})
	b.nothing()
}

// encryptedChannel goes the library's way from one end to the other.
func encryptedChannel(t *testing.T, app testenv.SoketiApp) {
	channel := unique("private-encrypted-")
	client := pusher.Client{
		AppID: app.AppID, Key: app.Key, Secret: app.Secret, Host: app.Addr(), EncryptionMasterKeyBase64: masterKey,
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: timeout},
	}
	b := connect(t, app)
	b.subscribe(channel, b.auth(channel, app.Secret))
	b.next("pusher_internal:subscription_succeeded")
	if err := client.Trigger(channel, "hidden", `{"plain":true}`); err != nil {
		t.Fatal(err)
	}
	data := b.next("hidden").text(t)
	if strings.Contains(data, "plain") {
		t.Errorf("the server sees the event: %s", data)
	}
	// The library decrypts in webhooks only.
	body, err := json.Marshal(map[string]any{"events": []map[string]string{{"channel": channel, "data": data}}})
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"X-Pusher-Key": {app.Key}, "X-Pusher-Signature": {sign(app.Secret, string(body))}}
	hook, err := client.Webhook(header, body)
	if err != nil {
		t.Fatal(err)
	}
	if got := hook.Events[0].Data; got != `{"plain":true}` {
		t.Errorf("decrypted: %s", got)
	}
}

func badChannelNames(t *testing.T, app testenv.SoketiApp) {
	b := connect(t, app)
	for _, name := range []string{"tenant:7", "tenant 7", "größe", strings.Repeat("x", 201)} {
		b.subscribe(name, "")
		if f := b.next("pusher:subscription_error"); f.code(t) != 4009 || f.Channel != name {
			t.Errorf("%s: the server answers %s for %s", name, f.Data, f.Channel)
		}
	}
	join(t, app, strings.Repeat("x", 150)+unique("-=@,.;_"))
}

func severalChannels(t *testing.T, app testenv.SoketiApp) {
	base := unique("")
	var channels []string
	for i := range 100 {
		channels = append(channels, base+number(i))
	}
	b := join(t, app, channels[99])
	mustPublish(t, app, event{Name: "many", Channels: channels, Data: "1"})
	b.next("many")
	if status := publish(t, app, event{Name: "many", Channels: append(channels, base), Data: "1"}); status != 400 {
		t.Errorf("101 channels: status %d, want 400", status)
	}
	b.nothing()
}

func senderExcluded(t *testing.T, app testenv.SoketiApp) {
	channel := unique("")
	sender, other := join(t, app, channel), join(t, app, channel)
	mustPublish(t, app, event{Name: "typed", Channel: channel, Data: "1", SocketID: sender.socketID})
	other.next("typed")
	sender.nothing()
}

func clientEvents(t *testing.T, app testenv.SoketiApp) {
	channel := unique("")
	b, other := join(t, app, channel), join(t, app, channel)
	b.send(map[string]any{"event": "client-hello", "channel": channel, "data": map[string]string{}})
	if code := b.next("pusher:error").code(t); code != 4301 {
		t.Errorf("pusher:error %d, want 4301", code)
	}
	b.nothing()
	other.nothing()
}

func largestEvent(t *testing.T, app testenv.SoketiApp) {
	channel := unique("")
	b := join(t, app, channel)
	for name, data := range map[string]string{
		"letters":      strings.Repeat("x", 102_400),
		"two bytes":    strings.Repeat("ä", 51_200),
		"all escaped":  strings.Repeat("\u0001", 102_400),
		"quotes":       strings.Repeat(`"`, 102_400),
		"angle braces": strings.Repeat("<", 102_400),
	} {
		mustPublish(t, app, event{Name: "large", Channel: channel, Data: data})
		if got := b.next("large").text(t); got != data {
			t.Errorf("%s: %d bytes arrived changed, want %d", name, len(got), len(data))
		}
		if status := publish(t, app, event{Name: "large", Channel: channel, Data: data + "x"}); status != 413 {
			t.Errorf("%s, one byte more: status %d, want 413", name, status)
		}
	}
	b.nothing()
}

func largestBatch(t *testing.T, app testenv.SoketiApp) {
	channel := unique("")
	b := join(t, app, channel)
	var batch []event
	for i := range 10 {
		batch = append(batch, event{Name: number(i), Channel: channel, Data: strings.Repeat("x", 102_400)})
	}
	if status := post(t, app, "/batch_events", map[string]any{"batch": batch}); status != 200 {
		t.Fatalf("batch of 10: status %d", status)
	}
	for i := range batch {
		b.next(number(i))
	}
	batch = append(batch, event{Name: "11", Channel: channel, Data: "1"})
	if status := post(t, app, "/batch_events", map[string]any{"batch": batch}); status != 400 {
		t.Errorf("batch of 11: status %d, want 400", status)
	}
	b.nothing()
}

func badBatch(t *testing.T, app testenv.SoketiApp) {
	channel := unique("")
	b := join(t, app, channel)
	batch := []event{{Name: "good", Channel: channel, Data: "1"}, {Name: "bad", Channel: channel, Data: strings.Repeat("x", 102_401)}}
	if status := post(t, app, "/batch_events", map[string]any{"batch": batch}); status != 413 {
		t.Errorf("status %d, want 413", status)
	}
	b.nothing()
}

func refusedEvents(t *testing.T, app testenv.SoketiApp) {
	channel := unique("")
	b := join(t, app, channel)
	for name, e := range map[string]event{
		"no name":    {Channel: channel, Data: "1"},
		"long name":  {Name: strings.Repeat("x", 201), Channel: channel, Data: "1"},
		"no data":    {Name: "x", Channel: channel},
		"no channel": {Name: "x", Data: "1"},
	} {
		if status := publish(t, app, e); status != 400 {
			t.Errorf("%s: status %d, want 400", name, status)
		}
	}
	b.nothing()
	mustPublish(t, app, event{Name: strings.Repeat("x", 200), Channel: channel, Data: "1"})
	b.next(strings.Repeat("x", 200))
}

func wrongCredentials(t *testing.T, app testenv.SoketiApp) {
	wrongSecret, wrongApp := app, app
	wrongSecret.Secret, wrongApp.AppID = "wrong", "other"
	for want, app := range map[int]testenv.SoketiApp{401: wrongSecret, 404: wrongApp} {
		statuses := []int{
			publish(t, app, event{Name: "x", Channel: unique(""), Data: "1"}),
			post(t, app, "/batch_events", map[string]any{"batch": []event{}}),
		}
		for _, path := range []string{"/channels", "/channels/x"} {
			status, _ := call(t, app, signed(t, app, http.MethodGet, path, nil, "", time.Now()))
			statuses = append(statuses, status)
		}
		if diff := cmp.Diff([]int{want, want, want, want}, statuses); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
	}
}

func channelQuestions(t *testing.T, app testenv.SoketiApp) {
	channel := unique("")
	join(t, app, channel)
	join(t, app, channel)
	_, list := call(t, app, signed(t, app, http.MethodGet, "/channels", nil, "&filter_by_prefix="+channel, time.Now()))
	_, one := call(t, app, signed(t, app, http.MethodGet, "/channels/"+channel, nil, "", time.Now()))
	_, none := call(t, app, signed(t, app, http.MethodGet, "/channels/"+channel+"x", nil, "", time.Now()))
	want := []string{
		`{"channels":{"` + channel + `":{"subscription_count":2,"occupied":true}}}`,
		`{"subscription_count":2,"occupied":true}`,
		`{"subscription_count":0,"occupied":false}`,
	}
	got := []string{strings.TrimSpace(string(list)), strings.TrimSpace(string(one)), strings.TrimSpace(string(none))}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func order(t *testing.T, app testenv.SoketiApp) {
	channel := unique("")
	b := join(t, app, channel)
	const total, size = 1500, 10
	for first := 0; first < total; first += size {
		var batch []event
		for i := range size {
			batch = append(batch, event{Name: "step", Channel: channel, Data: number(first + i)})
		}
		if status := post(t, app, "/batch_events", map[string]any{"batch": batch}); status != 200 {
			t.Fatalf("batch from %d on: status %d", first, status)
		}
	}
	for i := range total {
		if got := b.next("step").text(t); got != number(i) {
			t.Fatalf("event %s arrived, want %d", got, i)
		}
	}
}

func unknownFrames(t *testing.T, app testenv.SoketiApp) {
	b := connect(t, app)
	for _, raw := range []string{"{", "", "pusher:ping", `{"event":"pusher:unheard-of","data":{}}`} {
		b.write(websocket.MessageText, []byte(raw))
	}
	b.nothing()
}

// A server that comes back is a new one: clients lose their connection, and it
// remembers nothing.
func TestConformanceRestart(t *testing.T) {
	t.Parallel()
	t.Run("hub", func(t *testing.T) {
		t.Parallel()
		s := startHub(t, hub.Options{})
		restart(t, s, func() testenv.SoketiApp { return s.SoketiApp })
	})
	t.Run("soketi", func(t *testing.T) {
		t.Parallel()
		s := testenv.StartSoketi(t)
		restart(t, s, func() testenv.SoketiApp { return s.SoketiApp })
	})
}

func restart(t *testing.T, server interface {
	Start()
	Stop()
}, app func() testenv.SoketiApp) {
	channel := unique("")
	before := join(t, app(), channel)
	mustPublish(t, app(), event{Name: "before", Channel: channel, Data: "1"})
	before.next("before")
	server.Stop()
	before.ended()
	server.Start()
	if _, list := call(t, app(), signed(t, app(), http.MethodGet, "/channels", nil, "", time.Now())); strings.TrimSpace(string(list)) != `{"channels":{}}` {
		t.Errorf("channels after the restart: %s", list)
	}
	after := join(t, app(), channel)
	mustPublish(t, app(), event{Name: "after", Channel: channel, Data: "1"})
	after.next("after")
}
