package broadcast

import (
	"cmp"
	"context"
	"errors"
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
	taken   []int           // streams of each take that gave any
	again   int             // deliveries that were on record already
	lost    []string        // events by "schema/seq" that a later delivery skipped
	empty   chan struct{}   // gets a token whenever the last unsent event was settled
	dead    map[string]bool // owners whose process is gone
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
	return &memory{streams: map[int64]*stream{}, dropped: map[string]string{}, dead: map[string]bool{}, empty: make(chan struct{}, 1)}
}

// add writes the next event of a stream, leased to owner as a store does at insert, and
// returns its seq.
func (m *memory) add(owner string, ev schema.Event) int64 {
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
	return s.seq
}

func (m *memory) Take(_ context.Context, owner string, ttl time.Duration, limit int) ([]schema.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.takes++
	if err := m.refusal(owner, "take"); err != nil {
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
	slices.SortFunc(ids, func(a, b int64) int {
		return cmp.Or(m.streams[a].due.Compare(m.streams[b].due), cmp.Compare(a, b))
	})
	var events []schema.Event
	if len(ids) > 0 {
		m.taken = append(m.taken, min(limit, len(ids)))
	}
	ids = ids[:min(limit, len(ids))]
	slices.Sort(ids)
	for _, id := range ids {
		s := m.streams[id]
		s.owner, s.until = owner, now.Add(ttl)
		events = append(events, s.events...)
	}
	return events, nil
}

func (m *memory) Settle(_ context.Context, owner string, deliveries []Delivery) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refusal(owner, "settle"); err != nil {
		return err
	}
	for _, d := range deliveries {
		if d.Dropped != "" {
			m.dropped[fmt.Sprintf("%d/%d", d.SchemaID, d.Seq)] = d.Dropped
		}
	}
	// As in the database a stream has one counter of what was sent.
	upTo := map[int64]int64{}
	named := map[int64]map[int64]bool{}
	for _, d := range deliveries {
		upTo[d.SchemaID] = max(upTo[d.SchemaID], d.Seq)
		if named[d.SchemaID] == nil {
			named[d.SchemaID] = map[int64]bool{}
		}
		named[d.SchemaID][d.Seq] = true
	}
	for id, last := range upTo {
		m.settle(owner, id, last, named[id])
	}
	if m.unsent() == 0 {
		select {
		case m.empty <- struct{}{}:
		default:
		}
	}
	return nil
}

func (m *memory) settle(owner string, id, last int64, named map[int64]bool) {
	s := m.streams[id]
	if s.owner != owner {
		return
	}
	before := len(s.events)
	s.events = slices.DeleteFunc(s.events, func(ev schema.Event) bool {
		if ev.Seq <= last && !named[ev.Seq] {
			m.lost = append(m.lost, fmt.Sprintf("%d/%d", id, ev.Seq))
		}
		return ev.Seq <= last
	})
	if len(s.events) == before {
		m.again++
	}
	if len(s.events) == 0 {
		s.owner = ""
	}
}

func (m *memory) Defer(_ context.Context, owner string, ids []int64, delay time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refusal(owner, "defer"); err != nil {
		return err
	}
	for _, id := range ids {
		if s := m.streams[id]; s.owner == owner {
			s.owner, s.due = "", time.Now().Add(delay)
		}
	}
	return nil
}

func (m *memory) refusal(owner, call string) error {
	if m.dead[owner] {
		return errors.New("the process is gone")
	}
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

// kill makes the process of owner disappear: what it did since it last spoke is not on
// record.
func (m *memory) kill(owner string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead[owner] = true
}

// expire ends the lease of a stream, as a database does that was restored, or whose
// clock jumped.
func (m *memory) expire(id int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.streams[id]; s != nil {
		s.until = time.Time{}
	}
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
	limit := time.After(2 * time.Hour)
	for m.left() > 0 {
		select {
		case <-m.empty:
		case <-limit:
			t.Fatalf("%d events are still unsent after two hours", m.left())
		}
	}
}
