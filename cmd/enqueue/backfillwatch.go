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

// drainage is the queue as it is seen to drain.
type drainage struct {
	*filler
	total drainDocument
	shown progress // nil until there is something to show
	upTo  int64
	moved time.Time
}

// drain shows the queue until nothing waits in it or runs. Ctrl-C ends only the showing.
func (f *filler) drain(ctx context.Context) error {
	d := &drainage{filler: f, upTo: f.b.Started, moved: time.Now()}
	for ctx.Err() == nil {
		left, err := d.look(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil && left == 0 || sleep(ctx, drainInterval) != nil {
			break
		}
	}
	if d.shown != nil {
		d.shown.end(store.Backfill{Opened: d.total.Completed + d.total.Failed})
	}
	if f.json {
		return json.NewEncoder(f.stdout).Encode(d.total)
	}
	if ctx.Err() != nil {
		f.note("no longer watching; the work goes on")
	}
	_, err := fmt.Fprintf(f.stdout, "%s completed, %s failed, %s wait or run\n",
		grouped(d.total.Completed), grouped(d.total.Failed), grouped(d.total.Waiting+d.total.Running))
	return err
}

// look counts once, and returns how many wait or run.
func (d *drainage) look(ctx context.Context) (left int64, err error) {
	now, err := d.store.Draining(ctx, d.runQueue, d.upTo)
	if err != nil {
		return 0, err
	}
	if now.Completed+now.Failed > 0 {
		d.moved = time.Now()
	}
	d.upTo = now.UpTo
	d.total.Waiting, d.total.Running = now.Waiting, now.Running
	d.total.Completed += now.Completed
	d.total.Failed += now.Failed
	left, ended := now.Waiting+now.Running, d.total.Completed+d.total.Failed
	if d.shown == nil {
		d.shown = newProgress(d.app, ended+left, "ended")
	}
	waits := fmt.Sprintf("%s wait, %s run, %s failed", grouped(now.Waiting), grouped(now.Running), grouped(d.total.Failed))
	if time.Since(d.moved) > stillFor {
		waits += "; nothing ends: is a worker running?"
	}
	d.shown.show(store.Backfill{Opened: ended}, waits)
	return left, nil
}
