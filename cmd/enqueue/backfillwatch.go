package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/schemacast/schemacast/internal/store"
)

const (
	// drainInterval is how often --watch counts, which reads an index of all that waits.
	drainInterval = 2 * time.Second
	// stillFor is after how long without an end it asks whether a worker runs.
	stillFor = 30 * time.Second
)

// drainDocument is what --watch --json prints at its end.
type drainDocument struct {
	Waiting   int64 `json:"waiting"`
	Running   int64 `json:"running"`
	Completed int64 `json:"completed"`
	Failed    int64 `json:"failed"`
}

// drain shows the queue until nothing waits in it or runs. Ctrl-C ends only the showing.
func (f *filler) drain(ctx context.Context) error {
	var total drainDocument
	var shown progress
	upTo, moved := f.b.Started, time.Now()
	for {
		d, err := f.store.Draining(ctx, f.b.Queue, upTo)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil {
			if d.Completed+d.Failed > 0 {
				moved = time.Now()
			}
			upTo = d.UpTo
			total = drainDocument{Waiting: d.Waiting, Running: d.Running, Completed: total.Completed + d.Completed, Failed: total.Failed + d.Failed}
			if shown == nil {
				shown = newProgress(f.app, total.Completed+total.Failed+d.Waiting+d.Running, "ended")
			}
			waits := fmt.Sprintf("%s wait, %s run, %s failed", grouped(d.Waiting), grouped(d.Running), grouped(total.Failed))
			if time.Since(moved) > stillFor {
				waits += "; nothing ends: is a worker running?"
			}
			shown.show(store.Backfill{Opened: total.Completed + total.Failed}, waits)
		}
		if ctx.Err() != nil || d.Waiting+d.Running == 0 || sleep(ctx, drainInterval) != nil {
			break
		}
	}
	if shown != nil {
		shown.end(store.Backfill{Opened: total.Completed + total.Failed})
	}
	if f.json {
		return json.NewEncoder(f.stdout).Encode(total)
	}
	if ctx.Err() != nil {
		f.note("no longer watching; the work goes on")
	}
	_, err := fmt.Fprintf(f.stdout, "%s completed, %s failed, %s wait or run\n", grouped(total.Completed), grouped(total.Failed), grouped(total.Waiting+total.Running))
	return err
}
