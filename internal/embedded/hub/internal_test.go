package hub

import (
	"bytes"
	"crypto/md5" //nolint:gosec // the protocol signs the MD5 of a body
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testHub(t testing.TB) *Hub {
	t.Helper()
	h, err := New(Options{AppID: "demo", Key: "demo-key", Secret: "demo-secret", MaxEventBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// testConn has no WebSocket: nobody writes what is queued.
func testConn() *conn {
	return &conn{id: "1.2", channels: map[string]struct{}{}, queue: newQueue(), ending: make(chan struct{}), cancel: func() {}}
}

func TestQueueKeepsOrderAndItsLimit(t *testing.T) {
	t.Parallel()
	q := newQueue()
	n := 0
	for q.push(bytes.Repeat([]byte{byte(n)}, 100<<10)) {
		n++
	}
	if want := maxQueuedBytes / (100<<10 + frameOverhead); n != want {
		t.Errorf("%d frames found room, want %d", n, want)
	}
	for i := range n {
		select {
		case <-q.ready:
		default:
			t.Fatalf("not ready with %d frames left", n-i)
		}
		if frame, ok := q.pop(); !ok || frame[0] != byte(i) {
			t.Fatalf("frame %d is not number %d", frame[0], i)
		}
	}
	if _, ok := q.pop(); ok || len(q.ready) != 0 || q.size != 0 {
		t.Errorf("the empty queue is ready %d times and has %d bytes", len(q.ready), q.size)
	}
	if !q.push([]byte("x")) {
		t.Error("no room after all was taken")
	}
}

func TestFullQueueSendsTheClientAway(t *testing.T) {
	t.Parallel()
	c := testConn()
	for range maxQueuedBytes {
		if c.ended() {
			break
		}
		c.send(make([]byte, 100<<10))
	}
	if !c.ended() || c.code != codeReconnect {
		t.Fatalf("ended %t with code %d, want %d", c.ended(), c.code, codeReconnect)
	}
	c.cut.Stop()
	before := len(c.queue.frames)
	c.queue.pop()
	c.send([]byte("after a gap"))
	if len(c.queue.frames) != before-1 {
		t.Error("a frame was queued behind a gap")
	}
}

// The confirmation is queued before anything that is published after the join.
func TestNoEventPrecedesTheConfirmation(t *testing.T) {
	t.Parallel()
	h, done := testHub(t), make(chan struct{})
	go func() {
		defer close(done)
		for range 2000 {
			h.publish([]event{{name: "x", data: "1", channels: []string{"a"}}})
		}
	}()
	for range 200 {
		c := testConn()
		h.join(c, "a")
		h.forget(c)
		first, _ := c.queue.pop()
		if diff := cmp.Diff(string(subscribed("a")), string(first)); diff != "" {
			t.Fatalf("first frame (-want +got):\n%s", diff)
		}
	}
	<-done
	if len(h.channels) != 0 || len(h.conns) != 0 {
		t.Errorf("%d channels and %d connections are left", len(h.channels), len(h.conns))
	}
}

// Whatever a client sends, the hub neither panics nor lets it in, and answers in JSON.
func FuzzFrame(f *testing.F) {
	for _, seed := range []string{
		`{"event":"pusher:ping","data":{}}`, `{"event":"pusher:subscribe","data":{"channel":"a"}}`, `{"event":"client-x"}`,
		`{"event":"pusher:subscribe","data":{"channel":"private-a","auth":"demo-key:00"}}`, `{"event":"pusher:subscribe"}`,
		`{"event":"pusher:unsubscribe","data":{"channel":"a"}}`, `{"event":"pusher:subscribe","data":null}`, `[`, `"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, c := testHub(t), testConn()
		h.handle(c, raw)
		for channel := range c.channels {
			if !validChannel(channel) || unsupported(channel) || bytes.HasPrefix([]byte(channel), []byte(privatePrefix)) {
				t.Errorf("joined %q", channel)
			}
		}
		for reply, ok := c.queue.pop(); ok; reply, ok = c.queue.pop() {
			if !json.Valid(reply) {
				t.Errorf("answered %q", reply)
			}
		}
		h.forget(c)
		if len(h.channels) != 0 {
			t.Errorf("%d channels are left", len(h.channels))
		}
	})
}

// Whatever a publisher signs, the answer is JSON and no error of the server.
func FuzzEvents(f *testing.F) {
	f.Add(false, []byte(`{"name":"x","channel":"a","data":"1"}`))
	f.Add(true, []byte(`{"batch":[{"name":"x","channel":"a","data":"\u0000\ud800"}]}`))
	f.Add(true, []byte(`{"batch":[null]}`))
	f.Fuzz(func(t *testing.T, batch bool, body []byte) {
		h, c := testHub(t), testConn()
		h.join(c, "a")
		path := "/apps/demo/events"
		if batch {
			path = "/apps/demo/batch_events"
		}
		sum := md5.Sum(body)
		query := "auth_key=demo-key&auth_timestamp=" + strconv.FormatInt(time.Now().Unix(), 10) + "&body_md5=" + hex.EncodeToString(sum[:])
		query += "&auth_signature=" + h.sign(http.MethodPost+"\n"+path+"\n"+query)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path+"?"+query, bytes.NewReader(body)))
		if w.Code != 200 && w.Code != 400 && w.Code != 413 {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("answered %q", w.Body)
		}
		for sent, ok := c.queue.pop(); ok; sent, ok = c.queue.pop() {
			if !json.Valid(sent) {
				t.Errorf("sent %q", sent)
			}
		}
	})
}
