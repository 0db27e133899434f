package broadcast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// lastCall is how long the outbox is waited for when a round is over, even if the
// relay is being stopped: a delivery that is not recorded is sent again.
const lastCall = 2 * time.Second

// deliver publishes a batch. It returns the events that have to be sent again, in
// order, and the failure that concerns the server.
func (r *Relay) deliver(ctx context.Context, batch []*item) (back []*item, err error) {
	if len(batch) == 0 {
		return nil, nil
	}
	var messages []Message
	for _, it := range batch {
		for _, channel := range it.rendered.Channels {
			messages = append(messages, Message{
				Stream: it.event.SchemaID, Name: it.rendered.Name, Channel: channel, Data: it.rendered.Data,
			})
		}
	}
	results := r.publisher.Publish(ctx, messages)
	for _, it := range batch {
		mine := results[:len(it.rendered.Channels)]
		results = results[len(mine):]
		again, failure := r.judge(ctx, it, firstError(mine))
		if again {
			back = append(back, it)
		}
		if failure != nil {
			err = failure
		}
	}
	if err == nil {
		r.batch = min(r.batch+1, r.cfg.Batch)
		r.retry.Reset()
		r.gauge.fine()
	}
	return back, err
}

// judge decides about one event: sent, dropped, or to be sent again. A failure is
// returned when it concerns the server and not the event.
func (r *Relay) judge(ctx context.Context, it *item, err error) (again bool, failure error) {
	switch {
	case err == nil:
		r.deliveries(it, "")
		return false, nil
	case errors.Is(err, ErrNotTried):
		return true, nil
	case classify(err) != refused:
		return true, err
	case !it.rendered.Smallest:
		it.rung = it.rendered.Rung + 1
		return true, nil
	}
	// A proxy, or a server that is none of Pusher's, refuses everything. Before an
	// event is given up it must be sure that the refusal means the event.
	if check := r.publisher.Check(ctx); check != nil {
		if classify(check) == refused {
			check = &PublishError{Status: 200, Msg: "it refuses even a question: " + check.Error()}
		}
		return true, check
	}
	r.drop(it, err)
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

func (r *Relay) drop(it *item, reason error) {
	ev := it.event
	r.log.Warn("event dropped", slog.Int64("schema_id", ev.SchemaID), slog.String("tenant_id", ev.TenantID),
		slog.String("run_id", ev.RunID), slog.String("event_id", ev.ID), slog.Int64("seq", ev.Seq),
		slog.String("kind", string(ev.Kind)), slog.String("error", reason.Error()))
	r.deliveries(it, reason.Error())
}

func (r *Relay) deliveries(it *item, dropped string) {
	r.unsettled = append(r.unsettled, Delivery{SchemaID: it.event.SchemaID, Seq: it.event.Seq, Dropped: dropped})
	if dropped == "" {
		r.gauge.count(1, 0, 0)
	} else {
		r.gauge.count(0, 1, 0)
	}
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
	r.gauge.count(0, 0, len(left))
}
