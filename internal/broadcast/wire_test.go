package broadcast

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// sent is an event as a subscriber sees it.
type sent struct {
	SchemaID int64 `json:"schema_id"`
	Seq      int64 `json:"seq"`
}

// wire is a Pusher server in memory. It delivers what its script takes.
type wire struct {
	t      *testing.T
	mu     sync.Mutex
	calls  int
	events []sent
	// script decides about a request; nil takes everything.
	script func(ctx context.Context, call int, r request) (*http.Response, error)
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	got := readRequest(w.t, r)
	w.mu.Lock()
	w.calls++
	call := w.calls
	w.mu.Unlock()
	if w.script != nil {
		resp, err := w.script(r.Context(), call, got)
		if resp != nil || err != nil {
			return resp, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, data := range got.Data {
		w.events = append(w.events, decodeSent(w.t, data))
	}
	if r.Method == http.MethodGet {
		return answer(200, soketiChannels), nil
	}
	return answer(200, soketiOK), nil
}

func decodeSent(t *testing.T, data string) sent {
	t.Helper()
	var s sent
	if err := json.Unmarshal([]byte(data), &s); err != nil {
		t.Errorf("decode %s: %v", data, err)
	}
	return s
}

func (w *wire) delivered() []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

func (w *wire) requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}

// mustBeInOrder checks that the first deliveries of every stream count up from 1 to
// count.
func (w *wire) mustBeInOrder(streams, count int) {
	w.t.Helper()
	next := map[int64]int64{}
	for _, e := range w.delivered() {
		switch {
		case e.Seq == next[e.SchemaID]+1:
			next[e.SchemaID]++
		case e.Seq > next[e.SchemaID]:
			w.t.Errorf("schema %d: seq %d arrived before %d", e.SchemaID, e.Seq, next[e.SchemaID]+1)
		}
	}
	if len(next) != streams {
		w.t.Errorf("events of %d schemas arrived, want %d", len(next), streams)
	}
	for id, seq := range next {
		if seq != int64(count) {
			w.t.Errorf("schema %d: %d events arrived, want %d", id, seq, count)
		}
	}
}

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connect: connection refused")}

// bench is everything around a relay.
type bench struct {
	t      *testing.T
	outbox *memory
	wire   *wire
	log    *lines
}

func newBench(t *testing.T) *bench {
	return &bench{t: t, outbox: newMemory(), wire: &wire{t: t}, log: &lines{}}
}

// relay starts a relay; it is stopped at the end of the bubble.
func (b *bench) relay(owner string, change func(*RelayConfig)) *Relay {
	b.t.Helper()
	return b.relayThrough(newTestServer(b.t, testConfig(), b.wire), owner, change)
}

func (b *bench) relayThrough(p Publisher, owner string, change func(*RelayConfig)) *Relay {
	b.t.Helper()
	cfg := RelayConfig{Owner: owner, Log: slog.New(slog.NewTextHandler(b.log, nil))}
	if change != nil {
		change(&cfg)
	}
	r, err := NewRelay(b.outbox, p, newTestRenderer(b.t, nil), cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := r.Start(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = r.Stop(context.Background()) })
	return r
}

// fill writes a whole run and the start of the next for each of n schemas. None of
// these events may be left out.
func (b *bench) fill(owner string, n int) {
	for id := range int64(n) {
		for _, kind := range []schema.EventKind{schema.EventStarted, schema.EventFailed, schema.EventStarted} {
			b.outbox.add(owner, shortEvent(id+1, kind))
		}
	}
}

func shortEvent(id int64, kind schema.EventKind) schema.Event {
	ev := schema.Event{ID: "e", RunID: "r", SchemaID: id, TenantID: "1", Kind: kind, OccurredAt: time.Now()}
	switch kind {
	case schema.EventStarted:
		ev.Started = &schema.Started{Hash: "h", TenantName: "t", Fields: json.RawMessage(`[{"name":"a","sample_value":1}]`)}
	case schema.EventProgress:
		ev.Progress = &schema.Progress{Stage: "ask"}
	case schema.EventCompleted:
		ev.Completed = &schema.Completed{Schema: schema.CompletedSchema{ID: id, Fields: json.RawMessage(`[]`)}}
	default:
		ev.Failed = &schema.Failed{Error: "it failed"}
	}
	return ev
}

// lines collects log lines.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

// count returns how many lines contain text.
func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, line := range l.all {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
