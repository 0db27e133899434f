package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/task"
)

// Follow are the flags of commands that queue schemas.
type Follow struct {
	Queue   string        `default:"${queue}" enum:"${queues}" help:"Queue to use: ${queues}."`
	Wait    bool          `short:"w" help:"Wait until the analyses have ended, and print entities and mappings."`
	Timeout time.Duration `default:"15m" help:"How long --wait waits."`
}

// check is part of the commands' Validate.
func (f Follow) check() error {
	if f.Timeout <= 0 {
		return fmt.Errorf("--timeout %s leaves no time to wait; write a duration such as 30s or 15m", f.Timeout)
	}
	return nil
}

const (
	// pollInterval is how often --wait looks into the database.
	pollInterval = 200 * time.Millisecond
	// silentPolls is after how many of them it says what it waits for.
	silentPolls = 5
)

// item is one schema on its way through the command.
type item struct {
	path     string // of the file, empty for a schema named by its id
	fields   int
	records  int
	known    bool
	request  store.Requested
	queued   task.Outcome
	problem  error
	standing *store.Standing // with --wait
}

// errUnfinished says that something did not end well, after each problem was told.
var errUnfinished = errors.New("not everything ended well, see above")

// queue puts the accepted ones into Redis, and follows them with --wait.
func (a *app) queue(ctx context.Context, items []*item, f Follow) error {
	queueErr := a.enqueue(ctx, items, f.Queue)
	if f.Wait && queueErr == nil {
		wait, cancel := context.WithTimeout(ctx, f.Timeout)
		defer cancel()
		a.follow(wait, items, f.Timeout)
	}
	if err := a.report(items); err != nil {
		return err
	}
	if queueErr != nil {
		return queueErr
	}
	for _, i := range items {
		if i.failed() {
			return errUnfinished
		}
	}
	return nil
}

// enqueue makes tasks for all that have an open run. The runs are in the database
// already, so a Redis that is down loses nothing.
func (a *app) enqueue(ctx context.Context, items []*item, queue string) error {
	var open []*item
	var requests []task.Request
	for _, i := range items {
		switch i.request.State {
		case store.RequestUnknown: // has its problem
		case store.RequestRefused:
			i.problem = refusal(i)
		default:
			open = append(open, i)
			payload := task.PayloadOf(i.request.SchemaID, i.request.TenantID)
			requests = append(requests, task.Request{Payload: payload, Queue: queue, Traceparent: a.traceparent()})
		}
	}
	outcomes, err := a.producer.Enqueue(ctx, requests...)
	for n, outcome := range outcomes {
		open[n].queued = outcome
	}
	if err != nil {
		return fmt.Errorf("%w; the wish is stored: run the same command again when Redis is back", err)
	}
	return nil
}

// traceparent is the trace of whoever runs the command, from the variable that CI systems and
// wrappers set for it. The producer leaves out what is none.
func (a *app) traceparent() string {
	for _, variable := range a.environ {
		if value, found := strings.CutPrefix(variable, "TRACEPARENT="); found {
			return value
		}
	}
	return ""
}

// refusal is nil for a shape that is analysed already: that is what was wanted.
func refusal(i *item) error {
	if i.path != "" && i.known {
		return nil
	}
	return fmt.Errorf("schema %d is not analysed: %s", i.request.SchemaID, i.request.Reason)
}

// waiting says that the item's analysis is not known to have ended.
func (i *item) waiting() bool {
	return i.problem == nil && (i.standing == nil || i.standing.Open)
}

// follow polls until every analysis has ended or the context is over.
func (a *app) follow(ctx context.Context, items []*item, limit time.Duration) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for polls := 1; ; polls++ {
		waiting := make([]*item, 0, len(items))
		for _, i := range items {
			if i.waiting() && !a.look(ctx, i) {
				waiting = append(waiting, i)
			}
		}
		if len(waiting) == 0 {
			return
		}
		if polls == silentPolls {
			a.note("waiting for %s, up to %s; Ctrl-C ends the waiting, not the work", counted(len(waiting), "analysis", "analyses"), limit)
		}
		select {
		case <-ctx.Done():
			for _, i := range waiting {
				i.problem = waitEnded(ctx, i, limit)
			}
			return
		case <-ticker.C:
		}
	}
}

// look reads where the schema stands and says whether there is nothing to wait for.
func (a *app) look(ctx context.Context, i *item) bool {
	standing, err := a.store.Standing(ctx, i.request.SchemaID, i.request.TenantID)
	switch {
	case errors.Is(err, run.ErrUnknownSchema):
		i.problem = fmt.Errorf("schema %d was deleted meanwhile", i.request.SchemaID)
		return true
	case err != nil:
		return false // the database may come back until the time is over
	}
	i.standing = &standing
	return !standing.Open
}

func waitEnded(ctx context.Context, i *item, limit time.Duration) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("schema %d: waiting was interrupted; its analysis goes on", i.request.SchemaID)
	}
	hint := "is a worker running? See its /readyz and log"
	if i.standing != nil && i.standing.Failure.Text != "" {
		hint = "the last attempt said: " + i.standing.Failure.Text
	}
	return fmt.Errorf("schema %d has not ended after %s and goes on in the background; %s", i.request.SchemaID, limit, hint)
}

func (i *item) failed() bool {
	return i.problem != nil || (i.standing != nil && i.standing.Failure.Code != "" && !i.standing.Open)
}
