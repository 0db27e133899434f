package broadcast

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

const (
	chaosStreams = 60
	chaosRelays  = 3
	chaosLasts   = 10 * time.Minute
)

// Three relays share an outbox while everything breaks: they crash between sending and
// telling, lose leases, the server restarts, hangs, takes half a batch or keeps its answer
// for itself, the database refuses. Afterwards everything has arrived, in order. A failing
// seed is run again with -run TestRelaysInChaos/seed_N.
func TestRelaysInChaos(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		t.Run(fmt.Sprintf("seed_%d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := &chaos{bench: newBench(t), dice: rand.New(rand.NewPCG(seed, 1)), over: time.Now().Add(chaosLasts)}
				c.outbox.fail = func(string) error {
					if c.unlucky(20) {
						return errors.New("the database restarts")
					}
					return nil
				}
				for range chaosRelays {
					c.start()
				}
				c.write()
				c.outbox.waitEmpty(t)
				c.crashes.Wait()
				c.mustHaveArrived()
			})
		})
	}
}

// chaos is a bench on which nothing can be relied upon until it is over.
type chaos struct {
	*bench
	over    time.Time
	crashes sync.WaitGroup

	mu       sync.Mutex
	dice     *rand.Rand
	owners   []string // of all processes so far
	down     time.Time
	arrivals []arrival
	written  []schema.Event
}

// arrival is an event as the server gives it to subscribers.
type arrival struct {
	SchemaID int64  `json:"schema_id"`
	Seq      int64  `json:"seq"`
	EventID  string `json:"event_id"`
	RunID    string `json:"run_id"`
	Status   string `json:"status"`
}

// roll is a number below n.
func (c *chaos) roll(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dice.IntN(n)
}

// unlucky is true once in n times.
func (c *chaos) unlucky(n int) bool { return time.Now().Before(c.over) && c.roll(n) == 0 }

// start is a process with a relay.
func (c *chaos) start() {
	c.mu.Lock()
	owner := fmt.Sprintf("process-%d", len(c.owners))
	c.owners = append(c.owners, owner)
	c.mu.Unlock()
	crashed := make(chan struct{}, 1)
	p := newTestServer(c.t, testConfig(), roundTripper(func(r *http.Request) (*http.Response, error) {
		return c.serve(r, func() {
			c.outbox.kill(owner)
			select {
			case crashed <- struct{}{}:
			default:
			}
		})
	}))
	r := c.relayThrough(p, owner, nil)
	c.crashes.Go(func() {
		select {
		case <-crashed:
		case <-time.After(time.Until(c.over)):
			return
		}
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = r.Stop(ended)
		c.start()
	})
}

// serve is the Pusher server.
func (c *chaos) serve(r *http.Request, crash func()) (*http.Response, error) {
	got := readRequest(c.t, r)
	switch {
	case c.isDown():
		return nil, errRefused
	case c.unlucky(12):
		return answer(503, "no server is available"), nil
	case c.unlucky(12):
		return answer(200, soketiBusy), nil
	case r.Method == http.MethodGet:
		return answer(200, soketiChannels), nil
	case len(got.Data) > 1 && c.unlucky(12): // it dies in the middle of a batch
		c.deliver(got.Data[:c.roll(len(got.Data))])
		c.restart()
		return nil, http.ErrServerClosed
	case c.unlucky(12): // it takes the batch after we have gone
		<-time.After(time.Duration(c.roll(8)) * time.Second)
	}
	c.deliver(got.Data)
	switch {
	case r.Context().Err() != nil:
		return nil, r.Context().Err()
	case c.unlucky(12):
		return nil, http.ErrServerClosed
	case c.unlucky(12):
		return answer(200, `{"ok":tr`), nil
	case c.unlucky(25):
		crash()
	}
	return answer(200, soketiOK), nil
}

func (c *chaos) isDown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.down)
}

func (c *chaos) restart() {
	pause := time.Duration(c.roll(40)) * time.Second
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = time.Now().Add(pause)
}

func (c *chaos) deliver(all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, data := range all {
		var a arrival
		if err := json.Unmarshal([]byte(data), &a); err != nil {
			c.t.Errorf("decode %s: %v", data, err)
		}
		c.arrivals = append(c.arrivals, a)
	}
}

// write writes runs, one after the other in each stream and all streams at once, while
// leases get lost.
func (c *chaos) write() {
	var writers sync.WaitGroup
	for id := range int64(chaosStreams) {
		writers.Go(func() {
			for run := range 3 {
				c.add(id+1, run, schema.EventStarted)
				for range c.roll(6) {
					c.add(id+1, run, schema.EventProgress)
				}
				c.add(id+1, run, []schema.EventKind{schema.EventFailed, schema.EventCompleted}[c.roll(2)])
			}
		})
	}
	for time.Now().Before(c.over) {
		<-time.After(time.Second)
		c.outbox.expire(int64(c.roll(chaosStreams) + 1))
	}
	writers.Wait()
}

func (c *chaos) add(id int64, run int, kind schema.EventKind) {
	<-time.After(time.Duration(c.roll(60_000)) * time.Millisecond)
	ev := shortEvent(id, kind)
	ev.RunID = fmt.Sprintf("run-%d-%d", id, run)
	c.mu.Lock()
	defer c.mu.Unlock()
	owner := c.owners[c.dice.IntN(len(c.owners))]
	ev.ID = fmt.Sprintf("event-%d", len(c.written))
	ev.Seq = c.outbox.add(owner, ev)
	c.written = append(c.written, ev)
}

// mustHaveArrived checks what subscribers saw, after they left out what they had seen.
func (c *chaos) mustHaveArrived() {
	c.mustLoseNothing()
	dropped, _, _ := c.outbox.counters()
	seen := map[string]bool{}
	last := map[int64]int64{}
	ends := map[string]int{}
	for _, a := range c.arrivals {
		if seen[a.EventID] {
			continue
		}
		seen[a.EventID] = true
		if a.Status == "completed" || a.Status == "failed" {
			ends[a.RunID]++
		}
		superseded := dropped[fmt.Sprintf("%d/%d", a.SchemaID, a.Seq)] == Superseded
		// What a relay gave up waiting for may arrive when another has left it out.
		if a.Seq < last[a.SchemaID] && !superseded {
			c.t.Errorf("schema %d: event %d arrived first behind %d", a.SchemaID, a.Seq, last[a.SchemaID])
		}
		last[a.SchemaID] = max(last[a.SchemaID], a.Seq)
	}
	for _, ev := range c.written {
		reason, given := dropped[fmt.Sprintf("%d/%d", ev.SchemaID, ev.Seq)]
		switch {
		case given && (ev.Kind != schema.EventProgress || reason != Superseded):
			c.t.Errorf("schema %d: the %s event %d was given up: %s", ev.SchemaID, ev.Kind, ev.Seq, reason)
		case !given && !seen[ev.ID]:
			c.t.Errorf("schema %d: the %s event %d never arrived", ev.SchemaID, ev.Kind, ev.Seq)
		case ev.Kind.Terminal() && ends[ev.RunID] != 1:
			c.t.Errorf("run %s ended %d times", ev.RunID, ends[ev.RunID])
		}
	}
	if again := len(c.arrivals) - len(seen); again == 0 || len(c.owners) <= chaosRelays {
		c.t.Errorf("%d repetitions, %d processes: the chaos was none", again, len(c.owners))
	}
}
