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
	// for ttl, and returns their unsent events, of a long stream the first ones, ordered
	// by stream and seq. Streams that owner holds already are among them.
	Take(ctx context.Context, owner string, ttl time.Duration, limit int) ([]schema.Event, error)
	// Settle records what became of events. A stream without unsent events loses its
	// lease.
	Settle(ctx context.Context, owner string, deliveries []Delivery) error
	// Defer gives streams back; they are due again after delay.
	Defer(ctx context.Context, owner string, schemaIDs []int64, delay time.Duration) error
}

// Delivery is what became of one event.
type Delivery struct {
	SchemaID int64
	Seq      int64
	// Dropped says why the event was given up, empty when it was sent.
	Dropped string
}
