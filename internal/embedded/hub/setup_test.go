package hub_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the protocol signs the MD5 of a body
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/schemacast/schemacast/internal/embedded/hub"
	"github.com/schemacast/schemacast/internal/testenv"
)

const timeout = 30 * time.Second

// masterKey is base64 of 32 bytes.
const masterKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// server is a hub behind a listener, with the methods of testenv.SoketiServer.
type server struct {
	testenv.SoketiApp
	t    *testing.T
	opts hub.Options
	hub  *hub.Hub
	http *http.Server
}

// startHub starts a hub with the limits of opts.
func startHub(t *testing.T, opts hub.Options) *server {
	t.Helper()
	s := &server{t: t, opts: opts}
	s.SoketiApp = testenv.SoketiApp{Host: "127.0.0.1", AppID: "demo", Key: "demo-key", Secret: "demo-secret"}
	s.opts.AppID, s.opts.Key, s.opts.Secret = s.AppID, s.Key, s.Secret
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Start takes the same port again after Stop.
func (s *server) Start() {
	s.t.Helper()
	h, err := hub.New(s.opts)
	if err != nil {
		s.t.Fatal(err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(s.t.Context(), "tcp", s.Addr())
	if err != nil {
		s.t.Fatal(err)
	}
	s.Port = listener.Addr().(*net.TCPAddr).Port
	s.hub, s.http = h, &http.Server{Handler: h, ReadHeaderTimeout: timeout}
	go func() { _ = s.http.Serve(listener) }()
}

// Stop ends the hub as the embedded mode does.
func (s *server) Stop() {
	s.hub.Close()
	_ = s.http.Close()
}

// browser is a client on a WebSocket.
type browser struct {
	t        *testing.T
	app      testenv.SoketiApp
	conn     *websocket.Conn
	socketID string
}

type frame struct {
	Event   string          `json:"event"`
	Channel string          `json:"channel"`
	Data    json.RawMessage `json:"data"`
}

// dial connects and reads nothing.
func dial(t *testing.T, app testenv.SoketiApp, query string, header http.Header) (*browser, *http.Response, error) {
	t.Helper()
	url := "ws://" + app.Addr() + "/app/" + app.Key + "?" + query
	conn, resp, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		return nil, resp, err
	}
	conn.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &browser{t: t, app: app, conn: conn}, resp, nil
}

func mustDial(t *testing.T, app testenv.SoketiApp, query string) *browser {
	t.Helper()
	b, _, err := dial(t, app, query, nil) //nolint:bodyclose // the library closes it
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// connect connects and reads the first frame.
func connect(t *testing.T, app testenv.SoketiApp) *browser {
	t.Helper()
	b := mustDial(t, app, "protocol=7&client=js&version=8.6.0&flash=false")
	var hello struct {
		SocketID string `json:"socket_id"`
	}
	b.decode(b.next("pusher:connection_established").text(t), &hello)
	b.socketID = hello.SocketID
	return b
}

// join connects and subscribes.
func join(t *testing.T, app testenv.SoketiApp, channel string) *browser {
	t.Helper()
	b := connect(t, app)
	b.subscribe(channel, "")
	if f := b.next("pusher_internal:subscription_succeeded"); f.Channel != channel {
		t.Fatalf("subscribed to %q, want %q", f.Channel, channel)
	}
	return b
}

func (b *browser) subscribe(channel, auth string) {
	b.t.Helper()
	data := map[string]string{"channel": channel}
	if auth != "" {
		data["auth"] = auth
	}
	b.send(map[string]any{"event": "pusher:subscribe", "data": data})
}

// auth signs as the app would.
func (b *browser) auth(channel, secret string) string {
	return b.app.Key + ":" + sign(secret, b.socketID+":"+channel)
}

func (b *browser) send(v any) {
	b.t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		b.t.Fatal(err)
	}
	b.write(websocket.MessageText, raw)
}

func (b *browser) write(kind websocket.MessageType, raw []byte) {
	b.t.Helper()
	if err := b.conn.Write(b.t.Context(), kind, raw); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) read() (frame, error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), timeout)
	defer cancel()
	_, raw, err := b.conn.Read(ctx)
	if err != nil {
		return frame{}, err
	}
	var f frame
	b.decode(string(raw), &f)
	return f, nil
}

// next reads a frame, which must be of this kind.
func (b *browser) next(event string) frame {
	b.t.Helper()
	f, err := b.read()
	if err != nil {
		b.t.Fatalf("wait for %s: %v", event, err)
	}
	if f.Event != event {
		b.t.Fatalf("the server sent %s %.200s, want %s", f.Event, f.Data, event)
	}
	return f
}

// nothing fails when the server has sent something.
func (b *browser) nothing() {
	b.t.Helper()
	b.send(map[string]any{"event": "pusher:ping", "data": map[string]string{}})
	b.next("pusher:pong")
}

// ended waits for the last frame and the end of the connection, and returns both codes.
func (b *browser) ended() (inFrame int, onWire websocket.StatusCode) {
	b.t.Helper()
	for {
		f, err := b.read()
		if err != nil {
			return inFrame, websocket.CloseStatus(err)
		}
		if f.Event == "pusher:error" {
			inFrame = f.code(b.t)
		}
	}
}

func (b *browser) decode(text string, v any) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		b.t.Fatalf("%v in %.200s", err, text)
	}
}

// text is the data of a frame that has it as a string.
func (f frame) text(t *testing.T) string {
	t.Helper()
	var s string
	if err := json.Unmarshal(f.Data, &s); err != nil {
		t.Fatalf("data of %s is no string: %.200s", f.Event, f.Data)
	}
	return s
}

// code is that of pusher:error or pusher:subscription_error.
func (f frame) code(t *testing.T) int {
	t.Helper()
	var data struct{ Code, Status int }
	if err := json.Unmarshal(f.Data, &data); err != nil {
		t.Fatal(err)
	}
	return max(data.Code, data.Status)
}

type event struct {
	Name     string   `json:"name"`
	Channel  string   `json:"channel,omitempty"`
	Channels []string `json:"channels,omitempty"`
	Data     string   `json:"data"`
	SocketID string   `json:"socket_id,omitempty"`
}

// publish sends one event and returns the status.
func publish(t *testing.T, app testenv.SoketiApp, e event) int {
	t.Helper()
	return post(t, app, "/events", e)
}

func mustPublish(t *testing.T, app testenv.SoketiApp, e event) {
	t.Helper()
	if status := publish(t, app, e); status != http.StatusOK {
		t.Fatalf("publish: status %d", status)
	}
}

func post(t *testing.T, app testenv.SoketiApp, path string, body any) int {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	status, _ := call(t, app, signed(t, app, http.MethodPost, path, raw, "", time.Now()))
	return status
}

// signed builds a request by the words of the protocol's description, with none of the
// server's code and none of the client library's.
func signed(t *testing.T, app testenv.SoketiApp, method, path string, body []byte, extra string, at time.Time) *http.Request {
	t.Helper()
	query := fmt.Sprintf("auth_key=%s&auth_timestamp=%d&auth_version=1.0", app.Key, at.Unix())
	if body != nil {
		query += fmt.Sprintf("&body_md5=%x", md5.Sum(body))
	}
	query += extra // names later in the alphabet
	path = "/apps/" + app.AppID + path
	query += "&auth_signature=" + sign(app.Secret, method+"\n"+path+"\n"+query)
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+app.Addr()+path+"?"+query, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func sign(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// call returns the body and the status, which Soketi hides in it.
func call(t *testing.T, app testenv.SoketiApp, req *http.Request) (int, []byte) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: timeout}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("ask %s: %v", app.Addr(), err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Error string
		Code  int
	}
	if json.Unmarshal(body, &answer) == nil && answer.Error != "" {
		return answer.Code, body
	}
	return resp.StatusCode, body
}

// unique keeps parallel tests apart on the shared Soketi.
func unique(prefix string) string { return prefix + "t" + rand.Text() }

func number(i int) string { return strconv.Itoa(i) }
