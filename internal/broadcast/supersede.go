package broadcast

import (
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// progressAge is how long news of progress are news.
const progressAge = 30 * time.Second

// supersede marks the progress events that a listener does not need any more: a later
// event of their run tells more, or they are old. The others are never left out. The
// items are in the order of their streams. Without a clock no event is old.
func supersede(items []*item, clock func() (time.Time, bool)) {
	type run struct {
		stream int64
		id     string
	}
	now, known := clock()
	later := make(map[run]bool)
	for i := len(items) - 1; i >= 0; i-- {
		ev := items[i].event
		of := run{ev.SchemaID, ev.RunID}
		progress := ev.Kind == schema.EventProgress
		if progress && (later[of] || known && now.Sub(ev.OccurredAt) > progressAge) {
			items[i].dropped = Superseded
		}
		if progress || ev.Kind.Terminal() {
			later[of] = true
		}
	}
}
