package testenv

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The output of a process comes in pieces that know nothing of lines.
func TestFeedReadsLinesFromAnyPieces(t *testing.T) {
	t.Parallel()
	const output = `{"state":"connected"}
{"ready":true,"channel":"tenant.8.schemas"}
{"event":"schema.analysis","payload":{"status":"started"},"received_at":1760000000000}
{"error":"refused","status":401}
a warning of node
{"state":"connecting"}
`
	want := seen{
		ready: 1,
		state: "connecting",
		messages: []Message{{
			Event: "schema.analysis", Payload: json.RawMessage(`{"status":"started"}`), ReceivedAt: time.UnixMilli(1760000000000),
		}},
		errors: []string{"refused (401)", `unreadable line "a warning of node"`},
	}
	for size := 1; size <= len(output); size += 7 {
		f := newFeed()
		for rest := output; rest != ""; {
			n := min(size, len(rest))
			if _, err := f.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if diff := cmp.Diff(want, f.seen, cmp.AllowUnexported(seen{})); diff != "" {
			t.Errorf("in pieces of %d bytes (-want +got):\n%s", size, diff)
		}
	}
}

func TestReservedPortsAreNotGivenTwice(t *testing.T) {
	t.Parallel()
	taken := map[int]bool{}
	for range 50 {
		base := reservePorts(t)
		for port := base; port < base+guardOffset; port++ {
			if taken[port] {
				t.Fatalf("port %d was given twice", port)
			}
			taken[port] = true
		}
	}
}
