// Package broadcast brings committed events to browsers: it renders them as the
// app's listener reads them, fits them into the limits of the server, and relays
// the outbox in order to a server that speaks the Pusher protocol (Soketi, Laravel
// Reverb, Pusher).
//
// It decides nothing about an analysis: what an event says was fixed in the
// transaction that wrote it, and no failure here reaches a run. It keeps no state of
// its own; what was sent stands in the Outbox.
//
// It guarantees that the events of one schema leave in the order of their seq, at
// least once, from one relay at a time; that only progress is left out, when a later
// event tells more or nobody needs it any more; that any other event is given up only
// when the server refuses its smallest form, when it alone fails again and again while
// others pass, or when no channel can carry it, and then with a reason; that no event
// holds up another schema's; that no sample value leaves unless Config.Samples is on; and
// that error texts hold no key, secret or signed URL.
//
// It does not guarantee that somebody listens: the servers keep nothing for those who
// come late, so listeners read the state of things when they connect.
package broadcast

import "errors"

const (
	// EventName is the event that the app's listener is bound to.
	EventName = "schema.analysis"
	// ProgressEventName is apart, so that the listener of the first never sees a fourth
	// status.
	ProgressEventName = "schema.analysis.progress"
	// wireVersion is the key "v" of every event.
	wireVersion = 1
	// maxBatch is what Soketi, Sockudo and Pusher take in one request.
	maxBatch = 10
)

// Message is one event for one channel, ready to be published.
type Message struct {
	// Stream is the schema's id. Messages of one stream are never sent past each
	// other.
	Stream int64
	// Name is the event's name, schema.analysis or schema.analysis.progress.
	Name    string
	Channel string
	// Data is a JSON document. On an encrypted channel it is encrypted when it is
	// published.
	Data string
}

// ErrNotTried is the result of a message that was held back because an earlier one
// of its stream was refused. It can be sent once that one is settled.
var ErrNotTried = errors.New("held back behind a refused event of the same schema")
