package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// maxFrame is more than the largest event that the hub takes.
const maxFrame = 1 << 20

// frame is one message of the Pusher protocol.
type frame struct {
	Event   string          `json:"event"`
	Channel string          `json:"channel,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Watch subscribes to a public channel as a browser would. It returns when it is
// subscribed, and then calls see for every event of the channel, one after the other,
// until ctx ends or the connection does; the channel that it returns is closed then.
func (s *Services) Watch(ctx context.Context, channel string, see func(event string, data []byte)) (<-chan struct{}, error) {
	u := url.URL{Scheme: "ws", Host: s.Address(), Path: "/app/" + s.key, RawQuery: "protocol=7&client=schemacast"}
	conn, response, err := websocket.Dial(ctx, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded hub: %w", err)
	}
	if response != nil && response.Body != nil {
		_ = response.Body.Close()
	}
	conn.SetReadLimit(maxFrame)
	if err := subscribe(ctx, conn, channel); err != nil {
		_ = conn.CloseNow()
		return nil, fmt.Errorf("subscribe to %s: %w", channel, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = conn.CloseNow() }()
		for {
			f, err := read(ctx, conn)
			if err != nil {
				return
			}
			if f.Channel == channel && f.Event != "" {
				see(f.Event, unquoted(f.Data))
			}
		}
	}()
	return ended, nil
}

func subscribe(ctx context.Context, conn *websocket.Conn, channel string) error {
	data, err := json.Marshal(map[string]string{"channel": channel})
	if err != nil {
		return err
	}
	if err := wsjson.Write(ctx, conn, frame{Event: "pusher:subscribe", Data: data}); err != nil {
		return err
	}
	for {
		f, err := read(ctx, conn)
		if err != nil {
			return err
		}
		switch f.Event {
		case "pusher_internal:subscription_succeeded":
			return nil
		case "pusher:subscription_error", "pusher:error":
			return fmt.Errorf("the hub says %s", unquoted(f.Data))
		}
	}
}

// read returns the next frame; pings are answered on the way.
func read(ctx context.Context, conn *websocket.Conn) (frame, error) {
	for {
		var f frame
		if err := wsjson.Read(ctx, conn, &f); err != nil {
			return f, err
		}
		if f.Event != "pusher:ping" {
			return f, nil
		}
		if err := wsjson.Write(ctx, conn, frame{Event: "pusher:pong", Data: json.RawMessage("{}")}); err != nil {
			return f, err
		}
	}
}

// unquoted returns the document that the protocol carries as a string.
func unquoted(data json.RawMessage) []byte {
	var text string
	if json.Unmarshal(data, &text) == nil {
		return []byte(text)
	}
	return data
}
