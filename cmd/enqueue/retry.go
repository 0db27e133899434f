package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/task"
)

// retryCmd asks again for analyses that failed.
type retryCmd struct {
	Failed bool          `required:"" help:"All schemas whose analysis failed. It must be written, since it may be many."`
	Tenant string        `short:"t" help:"Only those of one tenant: its id or name."`
	Code   []string      `placeholder:"CODE" help:"Only those that failed with one of these codes, as status prints them. Defaults to all but cancelled."`
	Since  time.Duration `placeholder:"DURATION" help:"Only those that failed within this time, such as 2h."`
	Limit  int           `help:"At most so many, the lowest ids first; 0 for all."`
	DryRun bool          `help:"Count them and change nothing."`
	Queue  string        `default:"${backfill}" enum:"${queues}" help:"Queue to use: ${queues}."`
}

// retryPage is how many schemas one transaction asks for.
const retryPage = 500

// Validate is called by the command line parser.
func (c *retryCmd) Validate() error {
	if c.Limit < 0 || c.Since < 0 {
		return errors.New("--limit and --since must not be negative")
	}
	return nil
}

// retried is the result of the command.
type retried struct {
	Failed  int              `json:"failed"`
	Queued  int              `json:"queued"`
	Refused int              `json:"refused"`
	Left    int              `json:"left_cancelled"`
	ByCode  map[run.Code]int `json:"by_code"`
	DryRun  bool             `json:"dry_run"`
}

// Run goes through them page by page. What one page asked for is in the database and
// in Redis before the next one is read, so it can be interrupted and called again.
func (c *retryCmd) Run(ctx context.Context, a *app) error {
	if err := a.connect(ctx); err != nil {
		return err
	}
	filter := store.FailedFilter{Codes: codes(c.Code)}
	if c.Since > 0 {
		filter.Since = time.Now().Add(-c.Since)
	}
	var err error
	if filter.TenantID, err = a.tenantID(ctx, c.Tenant); err != nil {
		return err
	}
	result := retried{ByCode: map[run.Code]int{}, DryRun: c.DryRun}
	for after := int64(0); c.Limit == 0 || result.Failed < c.Limit; {
		limit := retryPage
		if c.Limit > 0 {
			limit = min(limit, c.Limit-result.Failed)
		}
		var page []store.FailedSchema
		if page, err = a.store.Failed(ctx, filter, after, limit); err != nil || len(page) == 0 {
			break
		}
		after = page[len(page)-1].SchemaID
		if err = c.again(ctx, a, page, &result); err != nil {
			break
		}
	}
	return errors.Join(err, a.printRetried(result))
}

// again asks for one page.
func (c *retryCmd) again(ctx context.Context, a *app, page []store.FailedSchema, result *retried) error {
	var ids []int64
	for _, failed := range page {
		// What somebody cancelled is not asked for again by the way.
		if failed.Failure.Code == run.CodeCancelled && len(c.Code) == 0 {
			result.Left++
			continue
		}
		ids = append(ids, failed.SchemaID)
		result.Failed++
		result.ByCode[failed.Failure.Code]++
	}
	if c.DryRun || len(ids) == 0 {
		return nil
	}
	answers, err := a.store.Request(ctx, store.Request{SchemaIDs: ids, By: a.requester, Queue: queueOf(c.Queue)})
	if err != nil {
		return err
	}
	items := make([]*item, len(answers))
	for i, answer := range answers {
		items[i] = &item{request: answer}
	}
	err = a.enqueue(ctx, items, c.Queue)
	for _, i := range items {
		switch {
		case i.problem != nil || i.request.State == store.RequestUnknown:
			result.Refused++
		case i.queued != task.Unknown:
			result.Queued++
		}
	}
	return err
}

func (a *app) printRetried(r retried) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(r)
	}
	verb := fmt.Sprintf("%d queued again", r.Queued)
	if r.DryRun {
		verb = "nothing was changed"
	}
	if r.Refused > 0 {
		verb += fmt.Sprintf(", %d refused: rejected, disabled or deleted meanwhile", r.Refused)
	}
	if r.Left > 0 {
		verb += fmt.Sprintf("; %d that were cancelled are left out, --code cancelled asks for them", r.Left)
	}
	if _, err := fmt.Fprintf(a.stdout, "%s failed: %s\n", counted(r.Failed, "analysis", "analyses"), verb); err != nil {
		return err
	}
	byCount := slices.SortedFunc(maps.Keys(r.ByCode), func(x, y run.Code) int {
		return cmp.Or(cmp.Compare(r.ByCode[y], r.ByCode[x]), cmp.Compare(x, y))
	})
	for _, code := range byCount {
		if _, err := fmt.Fprintf(a.stdout, "  %6d  %s\n", r.ByCode[code], printable(string(cmp.Or(code, "unknown")))); err != nil {
			return err
		}
	}
	return nil
}

func codes(names []string) []run.Code {
	list := make([]run.Code, len(names))
	for i, name := range names {
		list[i] = run.Code(name)
	}
	return list
}
