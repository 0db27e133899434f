package hub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	maxRequestBytes = 64 << 10 // one frame of a client
	writeTimeout    = 5 * time.Second
	// closeTimeout is for what is still queued and the closing handshake together.
	closeTimeout = 2 * time.Second
)

// conn is one WebSocket. The goroutine of its HTTP request reads, a second one writes.
type conn struct {
	ws       *websocket.Conn
	id       string
	channels map[string]struct{} // guarded by Hub.mu

	queue *queue
	heard atomic.Bool // whether the client said something since the last look

	cancel  context.CancelFunc // cuts the connection
	endOnce sync.Once
	ending  chan struct{} // closed by end, after what follows is set
	code    int
	reason  string
	cut     *time.Timer
}

// connect serves GET /app/{key}.
func (h *Hub) connect(w http.ResponseWriter, r *http.Request) {
	if !localPage(r) {
		refuse(w, http.StatusForbidden, "pages of this origin may not connect, only those of localhost")
		return
	}
	if !h.enter() {
		refuse(w, http.StatusServiceUnavailable, "the server is closing")
		return
	}
	defer h.serving.Done()
	// localPage is stricter than the library, which trusts any Host that equals the
	// Origin: that lets in a page whose name was made to resolve to 127.0.0.1.
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // the library has answered
	}
	ws.SetReadLimit(maxRequestBytes)
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	c := &conn{
		ws: ws, id: newSocketID(), channels: map[string]struct{}{},
		queue: newQueue(), ending: make(chan struct{}), cancel: cancel,
	}
	if code, reason := h.objection(r); code != 0 {
		c.end(code, reason)
	} else {
		h.admit(c)
	}
	h.serve(ctx, c)
}

// enter counts a WebSocket handler, unless the hub is closed.
func (h *Hub) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.serving.Add(1)
	return true
}

// objection says why a client may not connect, 0 when it may.
func (h *Hub) objection(r *http.Request) (code int, reason string) {
	if r.PathValue("key") != h.opts.Key {
		return codeUnknownApp, "no app has this key"
	}
	if version := r.URL.Query().Get("protocol"); version != "" {
		if n, err := strconv.Atoi(version); err != nil || n < 5 || n > 7 {
			return codeBadProtocol, "the protocol version is not supported, 5 to 7 are"
		}
	}
	return 0, ""
}

// serve runs the connection to its end.
func (h *Hub) serve(ctx context.Context, c *conn) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.writeAll(ctx, h.opts.IdleTimeout)
	}()
	h.readAll(ctx, c)
	h.forget(c)
	c.cancel()
	<-written
	if c.ended() {
		c.cut.Stop()
	}
	_ = c.ws.CloseNow() // an error means that it is closed
}

// readAll handles the client's frames until the connection ends. While it ends by our
// wish, reading goes on for the client's part of the closing handshake.
func (h *Hub) readAll(ctx context.Context, c *conn) {
	for {
		kind, raw, err := c.ws.Read(ctx)
		if err != nil {
			return
		}
		c.heard.Store(true)
		if kind == websocket.MessageText && !c.ended() {
			h.handle(c, raw)
		}
	}
}

// writeAll sends what is queued until the connection ends.
func (c *conn) writeAll(ctx context.Context, idle time.Duration) {
	look := time.NewTicker(max(idle/2, 1))
	defer look.Stop()
	quiet := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.ending:
			c.finish(ctx)
			return
		case <-c.queue.ready:
			if frame, ok := c.queue.pop(); ok {
				c.write(ctx, frame)
			}
		case <-look.C:
			quiet++
			if c.heard.Swap(false) {
				quiet = 0
			}
			c.mind(quiet)
		}
	}
}

// mind pings a client that was quiet at one look, and gives it up at the next. A client
// pings by itself only when it receives nothing either.
func (c *conn) mind(quiet int) {
	switch quiet {
	case 0:
	case 1:
		c.send(ping())
	default:
		c.end(codeNoPong, "no answer to a ping")
	}
}

// write sends one frame; when that fails or takes too long, the connection is cut.
func (c *conn) write(ctx context.Context, frame []byte) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, frame); err != nil {
		c.cancel()
	}
}

// finish sends what was queued before the end, then says why it is the end.
func (c *conn) finish(ctx context.Context) {
	for frame, ok := c.queue.pop(); ok; frame, ok = c.queue.pop() {
		c.write(ctx, frame)
	}
	if err := c.ws.Write(ctx, websocket.MessageText, failed(c.code, c.reason)); err != nil {
		return
	}
	_ = c.ws.Close(websocket.StatusCode(c.code), c.reason) // an error is a client that does not answer
}

// send queues a frame and never waits. A client for which there is no more room would
// have a gap, so it has to connect again.
func (c *conn) send(frame []byte) {
	if !c.ended() && !c.queue.push(frame) {
		c.end(codeReconnect, "the client reads too slowly")
	}
}

// end lets the writer finish, and cuts the connection when that takes too long. Only
// the first call counts.
func (c *conn) end(code int, reason string) {
	c.endOnce.Do(func() {
		c.code, c.reason = code, reason
		c.cut = time.AfterFunc(closeTimeout, c.cancel)
		close(c.ending)
	})
}

func (c *conn) ended() bool {
	select {
	case <-c.ending:
		return true
	default:
		return false
	}
}

// newSocketID makes an id of the form that clients and servers check: two numbers.
// Chance alone keeps them apart; together they have 64 bits.
func newSocketID() string { return fmt.Sprintf("%d.%d", rand.Uint32(), rand.Uint32()) }
