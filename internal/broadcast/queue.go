package broadcast

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"github.com/schemacast/schemacast/internal/schema"
)

// item is an event on its way.
type item struct {
	event    schema.Event
	rung     Rung
	rendered Rendered
	// dropped says why the event is not sent. It is settled in its turn like the
	// others, since that also settles what stands before it.
	dropped string
	// alone says that it failed before and is sent by itself.
	alone bool
}

func newItems(events []schema.Event) []*item {
	items := make([]*item, len(events))
	for i, ev := range events {
		items[i] = &item{event: ev}
	}
	return items
}

// queue puts the first events of all streams before the second ones, so that a long
// stream does not hold up the others. Within a stream the order stays.
func queue(items []*item) []*item {
	ranks := make(map[*item]int, len(items))
	next := make(map[int64]int)
	for _, it := range items {
		ranks[it] = next[it.event.SchemaID]
		next[it.event.SchemaID]++
	}
	slices.SortStableFunc(items, func(a, b *item) int { return ranks[a] - ranks[b] })
	return items
}

// fill takes events from the queue until a request is full.
func (r *Relay) fill(w *work) []*item {
	messages := 0
	for i, it := range w.queue {
		if it.dropped == "" {
			r.render(it)
		}
		if it.dropped != "" {
			continue
		}
		messages += len(it.rendered.Channels)
		if i > 0 && (messages > r.batch || it.alone) {
			return w.split(i)
		}
		if it.alone {
			return w.split(i + 1)
		}
	}
	return w.split(len(w.queue))
}

// split cuts the first n events off the queue.
func (w *work) split(n int) []*item {
	batch := w.queue[:n:n]
	w.queue = w.queue[n:]
	return batch
}

// render makes the form that is sent, unless that was done before, for a batch that was
// full. An event that has none, no channel or no data is given up.
func (r *Relay) render(it *item) {
	defer func() {
		if v := recover(); v != nil {
			it.dropped = fmt.Sprintf("panic while it was rendered: %v", v)
			r.log.Error("rendering panicked", append(identify(it.event), slog.String("error", fmt.Sprint(v)), slog.String("stack", string(debug.Stack())))...)
		}
	}()
	if it.rendered.Data != "" && it.rendered.Rung >= it.rung {
		return
	}
	rendered, err := r.renderer.Render(it.event, it.rung)
	if err != nil {
		it.dropped = err.Error()
		return
	}
	it.rendered = rendered
}
