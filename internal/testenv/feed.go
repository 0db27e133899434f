package testenv

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

// feed takes the lines that a receiver prints and wakes whoever waits for them.
type feed struct {
	mu      sync.Mutex
	partial []byte // the line that has not ended yet
	seen    seen
	changed chan struct{} // closed and replaced at every line
}

// seen is what a receiver has printed since its start.
type seen struct {
	ready    int
	state    string
	messages []Message
	errors   []string
}

func newFeed() *feed { return &feed{changed: make(chan struct{})} }

// Write takes any piece of the receiver's output.
func (f *feed) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.partial = append(f.partial, b...)
	for {
		line, rest, whole := bytes.Cut(f.partial, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		f.seen.take(line)
		f.partial = bytes.Clone(rest)
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// take reads one line. A line that is none of ours is kept as an error: nothing that
// a receiver says may get lost.
func (s *seen) take(line []byte) {
	var l struct {
		Ready      bool            `json:"ready"`
		State      string          `json:"state"`
		Event      string          `json:"event"`
		Payload    json.RawMessage `json:"payload"`
		ReceivedAt int64           `json:"received_at"`
		Error      string          `json:"error"`
		Status     int             `json:"status"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		s.errors = append(s.errors, fmt.Sprintf("unreadable line %q", line))
		return
	}
	switch {
	case l.Event != "":
		s.messages = append(s.messages, Message{Event: l.Event, Payload: l.Payload, ReceivedAt: time.UnixMilli(l.ReceivedAt)})
	case l.Ready:
		s.ready++
		s.state = "connected"
	case l.State != "":
		s.state = l.State
	default:
		s.errors = append(s.errors, fmt.Sprintf("%s (%d)", l.Error, l.Status))
	}
}

// check asks enough about what was seen; changed is closed when there is more.
func (f *feed) check(enough func(*seen) bool) (messages []Message, ok bool, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen.messages), enough(&f.seen), f.changed
}

func (f *feed) snapshot() (messages []Message, refused []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen.messages), slices.Clone(f.seen.errors)
}

// String sums up what was seen, for the text of a failed wait.
func (f *feed) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprintf("%d subscriptions, connection %q, %d messages, errors %q",
		f.seen.ready, f.seen.state, len(f.seen.messages), f.seen.errors)
}
