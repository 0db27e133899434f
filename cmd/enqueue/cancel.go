package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/task"
)

// cancelCmd ends analyses that have not ended.
type cancelCmd struct {
	IDs     []int64       `arg:"" name:"id" help:"Ids of the schemas (column id of the app's table schemas)."`
	Tenant  string        `short:"t" help:"Refuse schemas of other tenants: the tenant's id or name."`
	Timeout time.Duration `default:"30s" help:"How long to wait for workers that have to stop; 0 for not at all."`
}

// Validate is called by the command line parser.
func (c *cancelCmd) Validate() error {
	if c.Timeout < 0 {
		return fmt.Errorf("--timeout %s is negative; write a duration such as 30s", c.Timeout)
	}
	return positive(c.IDs)
}

// cancelled is what became of one schema.
type cancelled struct {
	SchemaID int64  `json:"schema_id"`
	State    string `json:"state"`
	Detail   string `json:"detail"`
	failed   bool
}

// Run cancels all of them; those that can not be cancelled do not stop the others.
func (c *cancelCmd) Run(ctx context.Context, a *app) error {
	if err := a.connect(ctx); err != nil {
		return err
	}
	tenantID, err := a.tenantID(ctx, c.Tenant)
	if err != nil {
		return err
	}
	answers, err := a.store.Cancel(ctx, store.CancelRequest{SchemaIDs: unique(c.IDs), TenantID: tenantID, By: a.requester})
	if err != nil {
		return err
	}
	a.hurry(ctx, answers)
	wait, stop := context.WithTimeout(ctx, c.Timeout)
	defer stop()
	failed := false
	for _, answer := range answers {
		result := a.cancelled(wait, answer, c)
		failed = failed || result.failed
		if err := a.printCancelled(result); err != nil {
			return err
		}
	}
	if failed {
		return errUnfinished
	}
	return nil
}

// hurry tells the workers at once what their next heartbeat would tell them. It is a
// courtesy: the cancel stands in the database.
func (a *app) hurry(ctx context.Context, answers []store.Cancelled) {
	for _, answer := range answers {
		if answer.State != store.CancelStopping {
			continue
		}
		if err := task.Nudge(ctx, a.redis, answer.SchemaID, answer.Fence); err != nil {
			a.note("%s; the workers see the cancel with their next heartbeat", err)
			return
		}
	}
}

func (a *app) cancelled(ctx context.Context, answer store.Cancelled, c *cancelCmd) cancelled {
	result := cancelled{SchemaID: answer.SchemaID, State: string(answer.State)}
	switch answer.State {
	case store.CancelDone:
		result.Detail = "is cancelled"
	case store.CancelStopping:
		result.Detail, result.failed = a.stopped(ctx, answer, c.Timeout)
		if !result.failed && c.Timeout > 0 {
			result.State = string(store.CancelDone)
		}
	case store.CancelNothingOpen:
		result.Detail, result.failed = "was not cancelled: "+answer.Reason, true
	case store.CancelUnknown:
		result.Detail, result.failed = unknownSchema(answer.SchemaID, c.Tenant).Error(), true
	}
	return result
}

// stopped waits until the worker has given up, and says how it ended.
func (a *app) stopped(ctx context.Context, answer store.Cancelled, limit time.Duration) (detail string, failed bool) {
	if limit == 0 {
		return "is being cancelled; its worker stops within seconds", false
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		standing, err := a.store.Standing(ctx, answer.SchemaID, answer.TenantID)
		switch {
		case errors.Is(err, run.ErrUnknownSchema):
			return "was deleted meanwhile", false
		case err != nil: // the database may come back until the time is over
		case standing.Open:
		case standing.Failure.Code == run.CodeCancelled:
			return "is cancelled", false
		default:
			return "was not cancelled: its analysis ended first", true
		}
		select {
		case <-ctx.Done():
			return fmt.Sprintf("is still worked on after %s; its run ends as soon as the worker looks, or is found dead", limit), true
		case <-ticker.C:
		}
	}
}

func (a *app) printCancelled(c cancelled) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(c)
	}
	if c.State == string(store.CancelUnknown) {
		a.note("%s", c.Detail)
		return nil
	}
	if c.failed {
		a.note("schema %d %s", c.SchemaID, c.Detail)
		return nil
	}
	_, err := fmt.Fprintf(a.stdout, "schema %d %s\n", c.SchemaID, c.Detail)
	return err
}
