package broadcast

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

// step is an event of a story; negative ages are in the future of our clock.
type step struct {
	stream int64
	run    string
	kind   schema.EventKind
	age    time.Duration
}

func TestSupersede(t *testing.T) {
	t.Parallel()
	const (
		started, progress, completed, failed = schema.EventStarted, schema.EventProgress, schema.EventCompleted, schema.EventFailed
		long                                 = time.Hour
	)
	tests := map[string]struct {
		events []step
		want   []int // indexes of those that are left out
		blind  bool  // the database's clock is not known
	}{
		"the latest progress stays":        {events: []step{{1, "a", started, 0}, {1, "a", progress, 2}, {1, "a", progress, 1}}, want: []int{1}},
		"the end of the run tells more":    {events: []step{{1, "a", progress, 0}, {1, "a", completed, 0}}, want: []int{0}},
		"so does a failure":                {events: []step{{1, "a", progress, 0}, {1, "a", progress, 0}, {1, "a", failed, 0}}, want: []int{0, 1}},
		"another run says nothing":         {events: []step{{1, "a", progress, 0}, {1, "b", started, 0}, {1, "b", failed, 0}}},
		"another schema says nothing":      {events: []step{{1, "a", progress, 0}, {2, "a", progress, 0}, {2, "a", failed, 0}}, want: []int{1}},
		"what was before says nothing":     {events: []step{{1, "a", failed, 0}, {1, "a", progress, 0}}},
		"30 s are not old":                 {events: []step{{1, "a", progress, 30 * time.Second}}},
		"more than 30 s are":               {events: []step{{1, "a", progress, 30*time.Second + 1}}, want: []int{0}},
		"the others are never too old":     {events: []step{{1, "a", started, long}, {1, "a", completed, long}, {1, "b", started, long}, {1, "b", failed, long}}},
		"nothing is old without a clock":   {events: []step{{1, "a", progress, long}}, blind: true},
		"without a clock, later ones tell": {events: []step{{1, "a", progress, long}, {1, "a", progress, long}}, want: []int{0}, blind: true},
		"a clock that is behind":           {events: []step{{1, "a", progress, -long}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Now()
			var items []*item
			for _, s := range tt.events {
				items = append(items, &item{event: schema.Event{SchemaID: s.stream, RunID: s.run, Kind: s.kind, OccurredAt: now.Add(-s.age)}})
			}
			supersede(items, func() (time.Time, bool) { return now, !tt.blind })
			var got []int
			for i, it := range items {
				if it.dropped != "" {
					got = append(got, i)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
		})
	}
}

// After an outage the started, completed and failed events arrive and no stale progress.
func TestRelayLeavesOutOldProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		back := time.Now().Add(10 * time.Minute)
		b.wire.script = func(context.Context, int, request) (*http.Response, error) {
			if time.Now().Before(back) {
				return nil, errRefused
			}
			return nil, nil
		}
		for id := range int64(20) {
			b.outbox.add("one", shortEvent(id+1, schema.EventStarted))
			for range 50 {
				b.outbox.add("one", shortEvent(id+1, schema.EventProgress))
			}
			if id%2 == 0 {
				b.outbox.add("one", shortEvent(id+1, schema.EventFailed))
			}
		}
		r := b.relay("one", nil)
		b.outbox.waitEmpty(t)
		got := map[int64]int64{}
		for _, e := range b.wire.delivered() {
			if e.Seq < got[e.SchemaID] || e.Seq > 1 && e.Seq < 52 {
				t.Errorf("schema %d: event %d arrived behind %d", e.SchemaID, e.Seq, got[e.SchemaID])
			}
			got[e.SchemaID] = e.Seq
		}
		for id := range int64(20) {
			if want := []int64{52, 1}[id%2]; got[id+1] != want {
				t.Errorf("schema %d: the last event was %d, want %d", id+1, got[id+1], want)
			}
		}
		if s := r.Status(); s.Superseded != 1000 || s.Dropped != 0 || s.Sent != 30 {
			t.Errorf("status = %+v, want 30 sent and 1000 superseded", s)
		}
		if n := b.log.count("dropped"); n > 0 {
			t.Errorf("%d lines in the log about progress that nobody misses", n)
		}
		b.mustLoseNothing()
	})
}

// An event that is left out, or given up, is settled after those in front of it and not
// before: the outbox forgets everything up to it.
func TestRelaySettlesInOrder(t *testing.T) {
	t.Parallel()
	foreign := shortEvent(1, schema.EventFailed)
	foreign.TenantID = "no name"
	broken := shortEvent(1, schema.EventFailed)
	broken.Failed = nil
	for name, second := range map[string]schema.Event{
		"superseded":     shortEvent(1, schema.EventProgress),
		"no channel":     foreign,
		"damaged record": broken,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.wire.script = func(_ context.Context, call int, _ request) (*http.Response, error) {
					if call <= 3 {
						return answer(503, ""), nil
					}
					return nil, nil
				}
				b.outbox.add("one", shortEvent(1, schema.EventStarted))
				b.outbox.add("one", second)
				b.outbox.add("one", shortEvent(1, schema.EventFailed))
				b.relay("one", nil)
				b.outbox.waitEmpty(t)
				if diff := cmp.Diff([]sent{{1, 1}, {1, 3}}, b.wire.delivered()); diff != "" {
					t.Errorf("delivered (-want +got):\n%s", diff)
				}
				b.mustLoseNothing()
			})
		})
	}
}

// meter counts a memory as a database would, whose clock is ahead of ours.
type meter struct {
	*memory
	ahead time.Duration
	err   error
}

func (m *meter) Unsent(context.Context) (Unsent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := Unsent{AsOf: time.Now().Add(m.ahead)}
	for _, s := range m.streams {
		for _, ev := range s.events {
			u.Events++
			if u.Oldest.IsZero() || ev.OccurredAt.Before(u.Oldest) {
				u.Oldest = ev.OccurredAt
			}
		}
		if len(s.events) > 0 {
			u.Streams++
		}
	}
	return u, m.err
}

func TestRelayMeasuresTheOutbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		down := true
		b.wire.script = func(context.Context, int, request) (*http.Response, error) {
			if down {
				return nil, errRefused
			}
			return nil, nil
		}
		b.fill("one", 7)
		m := &meter{memory: b.outbox}
		r := b.relay("one", func(c *RelayConfig) { c.Meter = m })
		<-time.After(time.Minute)
		got := r.Status().Unsent
		if got.Events != 21 || got.Streams != 7 || got.Age() < 45*time.Second || got.Age() > time.Minute {
			t.Errorf("unsent = %+v of age %s, want 21 events of 7 streams, a minute old", got, got.Age())
		}
		m.mu.Lock()
		m.err = errors.New("the database restarts")
		m.mu.Unlock()
		down = false
		b.outbox.waitEmpty(t)
		if got := r.Status().Unsent.Events; got != 21 {
			t.Errorf("unsent = %d while nobody counts, want the last count", got)
		}
		m.mu.Lock()
		m.err = nil
		m.mu.Unlock()
		<-time.After(time.Minute)
		if got := r.Status().Unsent; got.Events != 0 || got.Age() != 0 {
			t.Errorf("unsent = %+v of age %s in the end, want none", got, got.Age())
		}
	})
}

// What is old is told by the database's clock: that of this machine may be wrong.
func TestRelayTrustsTheDatabasesClock(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-45 * time.Second, 0, 45 * time.Second} {
		t.Run(fmt.Sprint(ahead), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				r := b.relay("one", func(c *RelayConfig) { c.Meter = &meter{memory: b.outbox, ahead: ahead} })
				synctest.Wait()
				for id, age := range map[int64]time.Duration{1: time.Second, 2: 40 * time.Second} {
					ev := shortEvent(id, schema.EventProgress)
					ev.OccurredAt = time.Now().Add(ahead - age)
					b.outbox.add("one", ev)
				}
				r.Nudge(1)
				b.outbox.waitEmpty(t)
				if diff := cmp.Diff([]sent{{1, 1}}, b.wire.delivered()); diff != "" {
					t.Errorf("delivered (-want +got):\n%s", diff)
				}
			})
		})
	}
}
