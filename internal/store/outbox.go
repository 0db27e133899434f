package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/schema"
)

// maxTaken is how many events of one stream are taken at once: one that waited out a
// long outage must not fill the memory of the relay.
const maxTaken = 64

// maxTakenBytes of events are taken at once, of all streams together. The completed event
// of a wide schema has a megabyte.
const maxTakenBytes = 4 << 20

// Take implements broadcast.Outbox. What is due is found by comparing counters of
// streams, never by an id that grows: ids become visible in another order than the
// one in which they were given.
func (s *Store) Take(ctx context.Context, owner string, ttl time.Duration, limit int) ([]schema.Event, error) {
	var events []schema.Event
	err := s.transact(ctx, func(t *tx) error {
		var ids []int64
		now := s.dialect.now
		_, err := t.query(&ids, "UPDATE schemacast_streams SET lease_owner = ?, lease_until_ms = "+now+" + ? WHERE schema_id IN ("+
			"SELECT schema_id FROM schemacast_streams WHERE sent_seq < last_seq AND due_ms <= "+now+
			" AND (lease_owner = '' OR lease_owner = ? OR lease_until_ms < "+now+") ORDER BY due_ms LIMIT ?"+s.dialect.skipLocked+") RETURNING schema_id",
			owner, ttl.Milliseconds(), owner, limit)
		if err != nil || len(ids) == 0 {
			return err
		}
		var rows []eventRow
		_, err = t.query(&rows, "SELECT * FROM (SELECT e.id, e.schema_id, e.seq, e.tenant_id, e.run_id, e.requested_by, e.kind, e.payload, e.occurred_ms, "+
			"SUM(length(e.payload)) OVER (ORDER BY e.schema_id, e.seq) - length(e.payload) AS before "+
			"FROM schemacast_events e JOIN schemacast_streams s ON s.schema_id = e.schema_id "+
			"WHERE s.schema_id IN ? AND e.seq > s.sent_seq AND e.seq <= s.sent_seq + ?) x WHERE before < ? ORDER BY schema_id, seq",
			ids, maxTaken, maxTakenBytes)
		events = domainEvents(rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("take events from the outbox: %w", err)
	}
	return events, nil
}

// Unsent implements broadcast.Meter.
func (s *Store) Unsent(ctx context.Context) (broadcast.Unsent, error) {
	var row struct{ Events, Streams, OldestMs, NowMs int64 }
	err := s.db.WithContext(ctx).Raw("SELECT COALESCE(SUM(last_seq - sent_seq), 0) AS events, COUNT(*) AS streams, COALESCE((" +
		"SELECT MIN(e.occurred_ms) FROM schemacast_streams s JOIN schemacast_events e ON e.schema_id = s.schema_id AND e.seq = s.sent_seq + 1 " +
		"WHERE s.sent_seq < s.last_seq), 0) AS oldest_ms, " + s.dialect.now + " AS now_ms FROM schemacast_streams WHERE sent_seq < last_seq").Scan(&row).Error
	if err != nil {
		return broadcast.Unsent{}, fmt.Errorf("count the unsent events: %w", translate(err))
	}
	unsent := broadcast.Unsent{Events: row.Events, Streams: row.Streams, AsOf: time.UnixMilli(row.NowMs).UTC()}
	if row.OldestMs > 0 {
		unsent.Oldest = time.UnixMilli(row.OldestMs).UTC()
	}
	return unsent, nil
}

// Settle implements broadcast.Outbox.
func (s *Store) Settle(ctx context.Context, owner string, deliveries []broadcast.Delivery) error {
	if len(deliveries) == 0 {
		return nil
	}
	upTo := make(map[int64]int64)
	for _, d := range deliveries {
		upTo[d.SchemaID] = max(upTo[d.SchemaID], d.Seq)
	}
	err := s.transact(ctx, func(t *tx) error {
		t.markDropped(owner, deliveries)
		values, args := valueList(upTo)
		t.later("count what was sent", "UPDATE schemacast_streams SET sent_seq = v.column2, lease_owner = CASE WHEN last_seq = v.column2 THEN '' ELSE lease_owner END "+
			"FROM (VALUES "+values+") AS v WHERE schema_id = v.column1 AND sent_seq < v.column2 AND lease_owner = ?", append(args, owner)...)
		// Those of streams that somebody else holds by now are not counted, and are sent again.
		t.later("mark what was sent", "UPDATE schemacast_events SET sent_ms = "+s.dialect.now+" WHERE schema_id IN ? AND sent_ms IS NULL AND seq <= "+
			"(SELECT sent_seq FROM schemacast_streams s WHERE s.schema_id = schemacast_events.schema_id)", slices.Sorted(maps.Keys(upTo)))
		return nil
	})
	if err != nil {
		return fmt.Errorf("settle %d deliveries: %w", len(deliveries), err)
	}
	return nil
}

// markDropped notes why events were not sent, which is rare but for news of progress. It
// changes nothing in streams that somebody else holds by now.
func (t *tx) markDropped(owner string, deliveries []broadcast.Delivery) {
	var values []string
	var args []any
	for _, d := range deliveries {
		if d.Dropped != "" {
			values = append(values, "(CAST(? AS bigint), CAST(? AS bigint), CAST(? AS varchar(255)))")
			args = append(args, d.SchemaID, d.Seq, clip(d.Dropped, maxVarchar))
		}
	}
	if len(values) == 0 {
		return
	}
	t.later("mark what was dropped", "UPDATE schemacast_events SET sent_ms = "+t.store.dialect.now+", dropped = v.column3 "+
		"FROM (VALUES "+strings.Join(values, ", ")+") AS v, schemacast_streams s WHERE schemacast_events.schema_id = v.column1 AND seq = v.column2 AND sent_ms IS NULL "+
		"AND s.schema_id = v.column1 AND s.lease_owner = ?", append(args, owner)...)
}

// Defer implements broadcast.Outbox.
func (s *Store) Defer(ctx context.Context, owner string, schemaIDs []int64, delay time.Duration) error {
	if len(schemaIDs) == 0 {
		return nil
	}
	err := s.transact(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE schemacast_streams SET lease_owner = '', due_ms = "+s.dialect.now+" + ? WHERE schema_id IN ? AND lease_owner = ?",
			delay.Milliseconds(), schemaIDs, owner)
		return err
	})
	if err != nil {
		return fmt.Errorf("give %d streams back: %w", len(schemaIDs), err)
	}
	return nil
}

// eventRow is an event that is not sent yet.
type eventRow struct {
	ID          string
	SchemaID    int64
	Seq         int64
	TenantID    string
	RunID       string
	RequestedBy string
	Kind        string
	Payload     string
	OccurredMs  int64
}

// domainEvents decodes events. One whose payload is damaged comes without its parts, so
// that the relay gives it up: it must not hold up all others.
func domainEvents(rows []eventRow) []schema.Event {
	events := make([]schema.Event, len(rows))
	for i, r := range rows {
		events[i] = schema.Event{
			ID: r.ID, SchemaID: r.SchemaID, TenantID: r.TenantID, RunID: r.RunID, RequestedBy: r.RequestedBy,
			Seq: r.Seq, Kind: schema.EventKind(r.Kind), OccurredAt: time.UnixMilli(r.OccurredMs).UTC(),
		}
		whole := events[i]
		if err := decodeEvent(r.Payload, &whole); err == nil {
			events[i] = whole
		}
	}
	return events
}

func valueList(pairs map[int64]int64) (string, []any) {
	var values []string
	var args []any
	for a, b := range pairs {
		values = append(values, "(CAST(? AS bigint), CAST(? AS bigint))")
		args = append(args, a, b)
	}
	return strings.Join(values, ", "), args
}
