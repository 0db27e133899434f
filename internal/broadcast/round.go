package broadcast

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// item is an event on its way.
type item struct {
	event    schema.Event
	rung     Rung
	rendered Rendered
}

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
	left, err := r.send(ctx, queue(events), taken)
	settleErr := r.settle(ctx)
	switch {
	case ctx.Err() != nil:
		r.giveBack(ctx, left, 0)
		return pace{}
	case err != nil:
		return r.serverFailed(ctx, left, err)
	case settleErr != nil:
		return r.outboxFailed(settleErr)
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

// queue puts the first events of all streams before the second ones, so that a long
// stream does not hold up the others. Within a stream the order stays.
func queue(events []schema.Event) []*item {
	type entry struct {
		item *item
		rank int
	}
	ranks := make(map[int64]int, len(events))
	entries := make([]entry, len(events))
	for i, ev := range events {
		entries[i] = entry{item: &item{event: ev}, rank: ranks[ev.SchemaID]}
		ranks[ev.SchemaID]++
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.rank - b.rank })
	items := make([]*item, len(entries))
	for i, e := range entries {
		items[i] = e.item
	}
	return items
}

// send works through the queue until it is empty, the server fails, or the lease is
// nearly over. It returns what was not settled.
func (r *Relay) send(ctx context.Context, items []*item, taken time.Time) ([]*item, error) {
	// A request may start in the first two thirds of the lease and is cut off a
	// little before its end: what arrives later could overtake the next owner.
	ttl := r.cfg.LeaseTTL
	ctx, cancel := context.WithDeadline(ctx, taken.Add(ttl-ttl/10))
	defer cancel()
	for len(items) > 0 && ctx.Err() == nil && time.Since(taken) < ttl*2/3 {
		var batch []*item
		batch, items = r.fill(items)
		back, err := r.deliver(ctx, batch)
		items = append(back, items...)
		if err != nil {
			return items, err
		}
	}
	return items, nil
}

// fill renders the next events until a request is full. Events that no channel or
// limit can take are given up here.
func (r *Relay) fill(items []*item) (batch, rest []*item) {
	messages := 0
	for i, it := range items {
		if err := r.render(it); err != nil {
			r.drop(it, err)
			continue
		}
		messages += len(it.rendered.Channels)
		if len(batch) > 0 && messages > r.batch {
			return batch, items[i:]
		}
		batch = append(batch, it)
	}
	return batch, nil
}

// render does nothing when it was done before, for a batch that was full.
func (r *Relay) render(it *item) (err error) {
	if it.rendered.Data == "" || it.rendered.Rung < it.rung {
		it.rendered, err = r.renderer.Render(it.event, it.rung)
	}
	return err
}
