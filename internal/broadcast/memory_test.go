package broadcast

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// memory is an Outbox as a database would be one. Its clock is the test's.
type memory struct {
	mu      sync.Mutex
	streams map[int64]*stream
	dropped map[string]string // reasons by "schema/seq"
	takes   int
	taken   []int         // streams of each take that gave any
	again   int           // deliveries that were on record already
	empty   chan struct{} // gets a token whenever the last unsent event was settled
	// fail, when set, may refuse a call ("take", "settle", "defer").
	fail func(call string) error
}

type stream struct {
	owner  string
	until  time.Time // end of the lease
	due    time.Time
	events []schema.Event
	seq    int64
}

func newMemory() *memory {
	return &memory{streams: map[int64]*stream{}, dropped: map[string]string{}, empty: make(chan struct{}, 1)}
}

// add writes the next event of a stream, leased to owner as a store does at insert.
func (m *memory) add(owner string, ev schema.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.streams[ev.SchemaID]
	if s == nil {
		s = &stream{}
		m.streams[ev.SchemaID] = s
	}
	if s.owner == "" || s.until.Before(time.Now()) {
		s.owner, s.until = owner, time.Now().Add(10*time.Second)
	}
	s.seq++
	ev.Seq = s.seq
	s.events = append(s.events, ev)
}

func (m *memory) Take(_ context.Context, owner string, ttl time.Duration, limit int) ([]schema.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.takes++
	if err := m.refusal("take"); err != nil {
		return nil, err
	}
	now := time.Now()
	var ids []int64
	for id, s := range m.streams {
		free := s.owner == "" || s.owner == owner || s.until.Before(now)
		if len(s.events) > 0 && free && !s.due.After(now) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, cmp.Compare)
	var events []schema.Event
	if len(ids) > 0 {
		m.taken = append(m.taken, min(limit, len(ids)))
	}
	for _, id := range ids[:min(limit, len(ids))] {
		s := m.streams[id]
		s.owner, s.until = owner, now.Add(ttl)
		events = append(events, s.events...)
	}
	return events, nil
}

func (m *memory) Settle(_ context.Context, owner string, deliveries []Delivery) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refusal("settle"); err != nil {
		return err
	}
	for _, d := range deliveries {
		s := m.streams[d.SchemaID]
		before := len(s.events)
		s.events = slices.DeleteFunc(s.events, func(ev schema.Event) bool { return ev.Seq == d.Seq })
		if len(s.events) == before {
			m.again++
		}
		if d.Dropped != "" {
			m.dropped[fmt.Sprintf("%d/%d", d.SchemaID, d.Seq)] = d.Dropped
		}
		if len(s.events) == 0 && s.owner == owner {
			s.owner = ""
		}
	}
	if m.unsent() == 0 {
		select {
		case m.empty <- struct{}{}:
		default:
		}
	}
	return nil
}

func (m *memory) Defer(_ context.Context, owner string, ids []int64, delay time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refusal("defer"); err != nil {
		return err
	}
	for _, id := range ids {
		if s := m.streams[id]; s.owner == owner {
			s.owner, s.due = "", time.Now().Add(delay)
		}
	}
	return nil
}

func (m *memory) refusal(call string) error {
	if m.fail == nil {
		return nil
	}
	return m.fail(call)
}

func (m *memory) unsent() int {
	n := 0
	for _, s := range m.streams {
		n += len(s.events)
	}
	return n
}

func (m *memory) left() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.unsent()
}

// counters are what the relay did to the outbox so far.
func (m *memory) counters() (dropped map[string]string, takes, again int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.dropped), m.takes, m.again
}

// holds says whether owner has the lease of a stream now.
func (m *memory) holds(owner string, id int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.streams[id]
	return s.owner == owner && !s.until.Before(time.Now())
}

// waitEmpty waits until everything was settled. In a bubble the limit costs nothing.
func (m *memory) waitEmpty(t *testing.T) {
	t.Helper()
	select {
	case <-m.empty:
	case <-time.After(2 * time.Hour):
		t.Fatalf("%d events are still unsent after two hours", m.left())
	}
}
