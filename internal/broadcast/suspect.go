package broadcast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

const (
	// suspectTries is how often an event may fail while others pass, over about five
	// minutes, before it is given up: what stands behind it must not wait for ever.
	suspectTries = 10
	// soundServer is how many requests with other events pass for each that fails, at
	// least, while an event is given up. A server that is less sound may be the reason.
	soundServer = 20
	// suspectPause limits the wait between two of these tries.
	suspectPause = time.Minute
	// maxSuspects limits the memory. Where so many fail it is not the events.
	maxSuspects = 1000
)

// suspect is the first unsent event of a stream, which failed while others passed: a
// firewall dislikes its words, or the server breaks on it.
//
// Each relay remembers its own, and forgets them with its process. Where several share an
// outbox such an event may be tried by each of them in turn, so that giving it up takes as
// many times five minutes. Only its own schema waits for that, and what a client reads when
// it connects is right meanwhile; a record in the database would cost every event a write.
type suspect struct {
	seq   int64
	tries int // that failed while others passed
	alone int // that failed while there was nothing else to send
	since tally
}

// sound says whether nearly all other requests passed since the record began.
func (s *suspect) sound(now tally) bool {
	passed, failed := now.passed-s.since.passed, now.failed-s.since.failed
	return passed >= failed*soundServer
}

// tally counts the requests without those of suspects.
type tally struct{ passed, failed uint64 }

// rung is the form of the next try. The first failure may have been an accident.
func (s *suspect) rung() Rung { return Rung(s.tries - 1) }

func (s *suspect) pause() time.Duration {
	return min(time.Second<<min(s.tries+s.alone, suspectTries), suspectPause)
}

// mayConcernEvent says whether a failure could have its cause in the event. Nothing was
// sent where the server could not be reached, and some answers are about the app.
func mayConcernEvent(err error) bool {
	if answer, ok := errors.AsType[*PublishError](err); ok {
		switch answer.Status {
		case http.StatusUnauthorized, http.StatusNotFound, http.StatusTooManyRequests:
			return false
		}
		return true
	}
	if network, ok := errors.AsType[*net.OpError](err); ok && network.Op == "dial" {
		return false
	}
	return classify(err) == transient
}

// suspected returns the record of an event that failed before, nil without one.
func (r *Relay) suspected(ev schema.Event) *suspect {
	if s := r.suspects[ev.SchemaID]; s != nil && s.seq == ev.Seq {
		return s
	}
	return nil
}

// keepTally counts a request, unless it was a suspect's.
func (r *Relay) keepTally(batch []*item, passed int, err error) {
	switch {
	case err == nil && passed > 0:
		r.tally.passed++
	case err != nil && r.suspected(batch[len(batch)-1].event) == nil:
		r.tally.failed++
	}
}

// recall marks the events that failed before: they are sent alone, in the form that is
// their turn.
func (r *Relay) recall(items []*item) {
	for _, it := range items {
		if s := r.suspected(it.event); s != nil {
			it.alone, it.rung = true, s.rung()
		}
	}
}

// work is the state of a round.
type work struct {
	queue []*item
	// doubted are the events of the stream whose first one has just failed for the
	// reason in doubt. What happens to the next event tells whose fault it was.
	doubted []*item
	doubt   error
	// aside are the events of streams that are tried again by themselves.
	aside []*item
}

// left is what is neither settled nor set aside.
func (w *work) left() []*item { return slices.Concat(w.doubted, w.queue) }

// separate has the events of a failed batch, which stand first in the queue again, sent
// one by one: one of them may be the reason, or there are too many for the line.
func (r *Relay) separate(w *work, tried int) {
	for _, it := range w.queue[:min(tried, len(w.queue))] {
		it.alone = true
	}
	r.batch = max(1, r.batch/2)
	r.proven = false
}

// question puts the stream of the first event, which failed alone, out of the way. A
// server that took something since the last failure is not to blame.
func (r *Relay) question(w *work, err error) {
	stream := w.queue[0].event.SchemaID
	var others []*item
	for _, it := range w.queue {
		if it.event.SchemaID == stream {
			w.doubted = append(w.doubted, it)
		} else {
			others = append(others, it)
		}
	}
	w.queue, w.doubt = others, err
	known := r.suspected(w.doubted[0].event)
	switch {
	case r.proven:
		r.blame(w)
	case known != nil:
		// What comes next must not wait for it. It is no further proof.
		known.alone++
		w.aside = append(w.aside, w.doubted...)
		w.doubted, w.doubt = nil, nil
	}
	r.proven = false
}

// trust notes that the server took something: a failure just before was the event's.
func (r *Relay) trust(w *work) {
	r.proven = true
	if w.doubt != nil {
		r.blame(w)
	}
}

// blame sets the doubted stream aside, or gives its first event up when it has failed
// too often.
func (r *Relay) blame(w *work) {
	first, err := w.doubted[0], w.doubt
	s := r.suspected(first.event)
	if s == nil {
		s = r.suspect(first.event, err)
	}
	s.tries++
	switch {
	case s.tries < suspectTries:
		w.aside = append(w.aside, w.doubted...)
	case s.sound(r.tally):
		first.dropped = fmt.Sprintf("failed %d times while other events passed: %v", s.tries, err)
		w.queue = append(w.doubted, w.queue...)
	default: // it proves nothing, and the proof begins again
		*s = suspect{seq: s.seq, tries: 1, since: r.tally}
		w.aside = append(w.aside, w.doubted...)
	}
	w.doubted, w.doubt = nil, nil
}

// suspect begins the record of an event.
func (r *Relay) suspect(ev schema.Event, err error) *suspect {
	if len(r.suspects) >= maxSuspects {
		clear(r.suspects)
	}
	s := &suspect{seq: ev.Seq, since: r.tally}
	r.suspects[ev.SchemaID] = s
	r.gauge.suspected(len(r.suspects))
	r.log.Warn("event fails while others pass, its schema is tried again by itself",
		append(identify(ev), slog.String("error", err.Error()))...)
	return s
}

// setAside gives the streams of suspects back, each for a while of its own.
func (r *Relay) setAside(ctx context.Context, items []*item) {
	for _, it := range items {
		if s := r.suspected(it.event); s != nil {
			r.giveBack(ctx, []*item{it}, s.pause())
		}
	}
}

// identify names an event in the log.
func identify(ev schema.Event) []any {
	ids := []any{
		slog.Int64("schema_id", ev.SchemaID), slog.String("tenant_id", ev.TenantID), slog.String("run_id", ev.RunID),
		slog.String("event_id", ev.ID), slog.Int64("seq", ev.Seq), slog.String("kind", string(ev.Kind)),
	}
	if parts := strings.Split(ev.Traceparent, "-"); len(parts) == 4 {
		ids = append(ids, slog.String("trace_id", parts[1]))
	}
	return ids
}
