package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// listener is a subscribed client, on one connection to Soketi.
type listener struct {
	conn *websocket.Conn
	want int

	mu      sync.Mutex
	started map[int64]time.Time
	ended   map[int64]time.Time
	failed  int
	err     error
	all     chan struct{} // closed when so many schemas have ended as were waited for
}

// listen returns when the subscriptions hold.
func listen(ctx context.Context, soketi string, tenants []string, want int) (*listener, error) {
	conn, _, err := websocket.Dial(ctx, "ws://"+soketi+"/app/"+soketiKey+"?protocol=7&client=bench&version=1.0", nil) //nolint:bodyclose // the library closes it
	if err != nil {
		return nil, fmt.Errorf("subscribe at %s: %w", soketi, err)
	}
	conn.SetReadLimit(8 << 20)
	l := &listener{conn: conn, want: want, started: map[int64]time.Time{}, ended: map[int64]time.Time{}, all: make(chan struct{})}
	for _, tenant := range tenants {
		frame := fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":"tenant.%s.schemas"}}`, tenant)
		if err := conn.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
			return nil, err
		}
	}
	for left := len(tenants); left > 0; {
		event, _, err := l.read(ctx)
		if err != nil {
			return nil, err
		}
		if event == "pusher_internal:subscription_succeeded" {
			left--
		}
	}
	go l.run(context.WithoutCancel(ctx))
	return l, nil
}

func (l *listener) close() { _ = l.conn.CloseNow() }

func (l *listener) read(ctx context.Context) (event, data string, err error) {
	_, text, err := l.conn.Read(ctx)
	if err != nil {
		return "", "", err
	}
	var frame struct {
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &frame); err != nil {
		return "", "", fmt.Errorf("read a frame: %w", err)
	}
	if frame.Event == "pusher:ping" {
		return "", "", l.conn.Write(ctx, websocket.MessageText, []byte(`{"event":"pusher:pong","data":{}}`))
	}
	_ = json.Unmarshal(frame.Data, &data) // frames of the protocol itself may have an object
	return frame.Event, data, nil
}

func (l *listener) run(ctx context.Context) {
	for {
		event, data, err := l.read(ctx)
		at := time.Now()
		if err != nil {
			l.mu.Lock()
			l.err = err
			l.mu.Unlock()
			return
		}
		if event == "schema.analysis" {
			l.note(at, data)
		}
	}
}

func (l *listener) note(at time.Time, data string) {
	var payload struct {
		Status   string `json:"status"`
		SchemaID int64  `json:"schema_id"`
	}
	if json.Unmarshal([]byte(data), &payload) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch payload.Status {
	case "started":
		if _, again := l.started[payload.SchemaID]; !again {
			l.started[payload.SchemaID] = at
		}
		return
	case "failed":
		l.failed++
	}
	if _, again := l.ended[payload.SchemaID]; again {
		return
	}
	l.ended[payload.SchemaID] = at
	if len(l.ended) == l.want {
		close(l.all)
	}
}

// wait returns when all have ended.
func (l *listener) wait(ctx context.Context, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-l.all:
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		l.mu.Lock()
		defer l.mu.Unlock()
		return fmt.Errorf("after %s %d of %d schemas have ended, %d have started; the listener: %w", patience, len(l.ended), l.want, len(l.started), l.err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed > 0 {
		return fmt.Errorf("%d of %d analyses have failed", l.failed, l.want)
	}
	return nil
}

// span is the time from the first start to the last end.
func (l *listener) span() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first, last time.Time
	for _, at := range l.started {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	for _, at := range l.ended {
		if at.After(last) {
			last = at
		}
	}
	return last.Sub(first)
}
