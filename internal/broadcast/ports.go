package broadcast

import (
	"context"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// Outbox holds events that are committed and not sent yet. A stream is the events
// of one schema; whoever leases it is the only one who sends them.
type Outbox interface {
	// Take leases up to limit streams that have unsent events and are due to owner
	// for ttl, those that are due longest first, and returns their unsent events, of a
	// long stream the first ones, ordered by stream and seq. Streams that owner holds
	// already are among them. An event whose data can not be read is returned without
	// it, so that it is given up and holds up nothing.
	Take(ctx context.Context, owner string, ttl time.Duration, limit int) ([]schema.Event, error)
	// Settle records what became of events. A delivery also ends the wait of all earlier
	// events of its stream, so the relay names them in the order of their seq and never
	// one before another that is still to be sent. A stream without unsent events loses
	// its lease; one that owner does not hold any more stays as it is.
	Settle(ctx context.Context, owner string, deliveries []Delivery) error
	// Defer gives streams back; they are due again after delay.
	Defer(ctx context.Context, owner string, schemaIDs []int64, delay time.Duration) error
}

// Delivery is what became of one event.
type Delivery struct {
	SchemaID int64
	Seq      int64
	// Dropped says why the event was not sent, empty when it was: Superseded, or the
	// reason for which it was given up.
	Dropped string
}

// Superseded is the reason of progress events that nobody needs any more: a later one,
// or the end of their run, waited behind them, or they are older than 30 s.
const Superseded = "superseded"

// Meter measures an outbox.
type Meter interface {
	// Unsent counts the events of all tenants that wait to be sent.
	Unsent(ctx context.Context) (Unsent, error)
}

// Unsent is what waits in an outbox.
type Unsent struct {
	Events, Streams int64
	// Oldest is when the oldest of them occurred, zero without any, and AsOf when they
	// were counted, both by the database's clock.
	Oldest, AsOf time.Time
}

// Age is how long the oldest event waits, 0 without any.
func (u Unsent) Age() time.Duration {
	if u.Oldest.IsZero() {
		return 0
	}
	return max(0, u.AsOf.Sub(u.Oldest))
}
