package broadcast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/schemacast/schemacast/internal/failpoint"
)

// lastCall is how long the outbox is waited for when a round is over, even if the
// relay is being stopped: a delivery that is not recorded is sent again.
const lastCall = 2 * time.Second

// deliver publishes a batch and puts the events that have to be sent again back to the
// front of the queue. It returns how many events it tried, how many the server took,
// and the failure that concerns the server.
func (r *Relay) deliver(ctx context.Context, w *work, batch []*item) (tried, passed int, err error) {
	began := time.Now()
	results := r.publish(ctx, batch)
	var back []*item
	held := make(map[int64]bool) // streams with an event that goes back
	for _, it := range batch {
		stream := it.event.SchemaID
		if it.dropped == "" {
			tried++
		}
		again, failure := r.judge(ctx, it, results[it], held[stream])
		if failure != nil {
			err = failure
		}
		if it.dropped != Superseded {
			r.traced(ctx, it, began, results[it])
		}
		switch {
		case again:
			back, held[stream] = append(back, it), true
		case it.dropped == "":
			passed++
		}
	}
	w.queue = slices.Concat(back, w.queue)
	if err == nil && passed > 0 {
		r.batch = min(r.batch+1, r.cfg.Batch)
		r.retry.Reset()
		r.gauge.fine()
	}
	return tried, passed, err
}

// publish returns what became of the events that are sent. A panic of the client library
// is their failure.
func (r *Relay) publish(ctx context.Context, batch []*item) (results map[*item]error) {
	var messages []Message
	for _, it := range batch {
		if it.dropped != "" {
			continue
		}
		for _, channel := range it.rendered.Channels {
			messages = append(messages, Message{
				Stream: it.event.SchemaID, Name: it.rendered.Name, Channel: channel, Data: it.rendered.Data,
			})
		}
	}
	if len(messages) == 0 {
		return nil
	}
	results = make(map[*item]error, len(batch))
	defer func() {
		if v := recover(); v != nil {
			err := fmt.Errorf("panic of the publisher: %v", v)
			r.log.Error("publisher panicked", slog.String("error", err.Error()), slog.String("stack", string(debug.Stack())))
			for _, it := range batch {
				results[it] = err
			}
		}
	}()
	failpoint.Reach("broadcast.publishing")
	all := r.publisher.Publish(ctx, messages)
	failpoint.Reach("broadcast.published")
	for _, it := range batch {
		if it.dropped == "" {
			n := len(it.rendered.Channels)
			results[it], all = firstError(all[:n]), all[n:]
		}
	}
	return results
}

// judge decides about one event: settled, or to be sent again, as everything behind such
// an event of its stream. A failure is returned when it concerns the server and not the
// event.
func (r *Relay) judge(ctx context.Context, it *item, err error, held bool) (again bool, failure error) {
	switch {
	case held, errors.Is(err, ErrNotTried):
		return true, nil
	case it.dropped != "":
		r.drop(it)
		return false, nil
	case err == nil:
		r.settled(it)
		return false, nil
	case classify(err) != refused:
		return true, err
	case !it.rendered.Smallest:
		it.rung = it.rendered.Rung + 1
		return true, nil
	}
	// A proxy, or a server that is none of Pusher's, refuses everything. Before an
	// event is given up it must be sure that the refusal means the event.
	if check := r.publisher.Check(ctx); check != nil {
		if answer, ok := errors.AsType[*PublishError](check); ok && answer.class() == refused {
			check = &PublishError{Status: http.StatusOK, Msg: "it refuses even a question: " + check.Error(), Driver: answer.Driver}
		}
		return true, check
	}
	it.dropped = err.Error()
	r.drop(it)
	return false, nil
}

// firstError also stops at ErrNotTried: an event counts as sent only when it is on
// all its channels.
func firstError(results []error) error {
	for _, err := range results {
		if err != nil {
			return err
		}
	}
	return nil
}

// drop settles an event that is not sent.
func (r *Relay) drop(it *item) {
	if it.dropped != Superseded {
		r.log.Warn("event dropped", append(identify(it.event), slog.String("error", it.dropped))...)
	}
	r.settled(it)
}

// settled notes that an event is done with. The outbox is told at the end of the round.
func (r *Relay) settled(it *item) {
	if now, known := r.gauge.databaseTime(); known && it.dropped == "" {
		r.cfg.Delivered(it.event.Kind, max(0, now.Sub(it.event.OccurredAt)))
	}
	r.unsettled = append(r.unsettled, Delivery{SchemaID: it.event.SchemaID, Seq: it.event.Seq, Dropped: it.dropped})
	if r.suspected(it.event) != nil {
		delete(r.suspects, it.event.SchemaID)
		r.gauge.suspected(len(r.suspects))
	}
	r.gauge.settled(it.dropped)
}

// settle tells the outbox what became of events. It does so even when ctx has ended.
func (r *Relay) settle(ctx context.Context) error {
	if len(r.unsettled) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCall)
	defer cancel()
	if err := r.outbox.Settle(ctx, r.cfg.Owner, r.unsettled); err != nil {
		return fmt.Errorf("settle %d events: %w", len(r.unsettled), err)
	}
	r.unsettled = nil
	return nil
}

// giveBack makes the streams of unsent events due after delay, for every relay.
func (r *Relay) giveBack(ctx context.Context, left []*item, delay time.Duration) {
	if len(left) == 0 {
		return
	}
	ids := make([]int64, len(left))
	for i, it := range left {
		ids[i] = it.event.SchemaID
	}
	slices.Sort(ids)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCall)
	defer cancel()
	if err := r.outbox.Defer(ctx, r.cfg.Owner, slices.Compact(ids), delay); err != nil {
		// The lease runs out by itself, it only takes longer.
		r.log.Warn("streams not given back, they wait for the end of their lease", slog.String("error", err.Error()))
	}
	r.gauge.deferred(len(left))
}
