package broadcast

import (
	"context"
	"fmt"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// round takes streams, sends their events and tells the outbox what became of them.
func (r *Relay) round(ctx context.Context) pace {
	// Nothing new is taken before the last round is on record, since it would be
	// sent twice.
	if err := r.settle(ctx); err != nil {
		return r.outboxFailed(err)
	}
	taken := time.Now() // before the lease begins, so never later than its end
	events, err := r.outbox.Take(ctx, r.cfg.Owner, r.cfg.LeaseTTL, r.streams)
	if err != nil {
		if ctx.Err() != nil {
			return pace{}
		}
		return r.outboxFailed(fmt.Errorf("take events: %w", err))
	}
	if len(events) == 0 {
		return r.idle(ctx)
	}
	r.resize(events)
	items := newItems(events)
	supersede(items, r.gauge.databaseTime)
	r.recall(items)
	w := &work{queue: queue(items)}
	err = r.send(ctx, w, taken)
	if settleErr := r.settle(ctx); settleErr != nil {
		// The streams stay ours until they are on record. Given back they would be sent
		// again.
		return r.outboxFailed(settleErr)
	}
	r.setAside(ctx, w.aside)
	switch {
	case ctx.Err() != nil:
		r.giveBack(ctx, w.left(), 0)
		return pace{}
	case err != nil:
		return r.serverFailed(ctx, w.left(), err)
	}
	return pace{}
}

const (
	// firstStreams is where a relay begins, enough to fill a request: after an outage
	// everything waits.
	firstStreams = maxBatch
	// heldBytes of events in one round are enough. A completed event of 5,000 fields
	// has one megabyte.
	heldBytes = 4 << 20
)

// resize chooses how many streams the next round takes: fewer after one that held
// too much, more after a small one.
func (r *Relay) resize(events []schema.Event) {
	held := 0
	for _, ev := range events {
		held += fieldBytes(ev)
	}
	switch {
	case held > heldBytes:
		r.streams = max(1, r.streams/2)
	case held < heldBytes/4:
		r.streams = min(r.cfg.Streams, 2*r.streams)
	}
}

// fieldBytes is the size of the lists of fields in an event. The rest is small.
func fieldBytes(ev schema.Event) int {
	size := 0
	if ev.Started != nil {
		size += len(ev.Started.Fields)
	}
	if ev.Completed != nil {
		size += len(ev.Completed.Schema.Fields)
		if ev.Completed.Entity != nil {
			size += len(ev.Completed.Entity.Fields)
		}
	}
	return size
}

// send works through the queue until it is empty, the server fails, or the lease is
// nearly over.
func (r *Relay) send(ctx context.Context, w *work, taken time.Time) error {
	// A request may start in the first two thirds of the lease and is cut off a
	// little before its end: what arrives later could overtake the next owner.
	ttl := r.cfg.LeaseTTL
	ctx, cancel := context.WithDeadline(ctx, taken.Add(ttl-ttl/10))
	defer cancel()
	for len(w.queue) > 0 && ctx.Err() == nil && time.Since(taken) < ttl*2/3 {
		batch := r.fill(w)
		tried, passed, err := r.deliver(ctx, w, batch)
		r.keepTally(batch, passed, err)
		switch {
		case err == nil && passed > 0:
			r.trust(w)
		case err == nil:
		case w.doubt != nil || ctx.Err() != nil || !mayConcernEvent(err):
			return err
		case tried == 1:
			r.question(w, err)
		default:
			r.separate(w, tried)
		}
	}
	return w.doubt
}
