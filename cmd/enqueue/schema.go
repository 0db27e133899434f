package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/task"
)

// schemaCmd asks for the analysis of schemas that are in the database.
type schemaCmd struct {
	IDs    []int64 `arg:"" name:"id" help:"Ids of the schemas (column id of the app's table schemas)."`
	Tenant string  `short:"t" help:"Refuse schemas of other tenants: the tenant's id or name."`
	Force  bool    `help:"Let the result replace what humans decided: mappings, names, a rejection."`
	Follow `embed:""`
}

// Validate is called by the command line parser.
func (c *schemaCmd) Validate() error {
	return errors.Join(positive(c.IDs), c.check())
}

// Run asks for all of them; those that can not be analysed do not stop the others.
func (c *schemaCmd) Run(ctx context.Context, a *app) error {
	if err := a.connect(ctx); err != nil {
		return err
	}
	tenantID, err := a.tenantID(ctx, c.Tenant)
	if err != nil {
		return err
	}
	answers, err := a.store.Request(ctx, store.Request{
		SchemaIDs: unique(c.IDs), TenantID: tenantID, By: a.requester, Force: c.Force, Queue: queueOf(c.Queue),
	})
	if err != nil {
		return err
	}
	items := make([]*item, len(answers))
	for i, answer := range answers {
		items[i] = &item{known: true, request: answer}
		if answer.State == store.RequestUnknown {
			items[i].problem = unknownSchema(answer.SchemaID, c.Tenant)
		}
	}
	return a.queue(ctx, items, c.Follow)
}

// tenantID finds a tenant by id or name; an empty name stands for all tenants.
func (a *app) tenantID(ctx context.Context, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	tenant, err := a.store.Tenant(ctx, name)
	return tenant.ID, err
}

// queueOf is the name under which a run remembers a queue: the interactive one has
// none.
func queueOf(name string) string {
	if name == task.QueueInteractive {
		return ""
	}
	return name
}

func positive(ids []int64) error {
	for _, id := range ids {
		if id <= 0 {
			return fmt.Errorf("%d is no id of a schema; ids are positive numbers", id)
		}
	}
	return nil
}

func unknownSchema(id int64, tenant string) error {
	const cure = "see the column id of the app's table schemas"
	if tenant != "" {
		return fmt.Errorf("tenant %s has no schema with the id %d; %s", tenant, id, cure)
	}
	return fmt.Errorf("no schema has the id %d; %s", id, cure)
}

func unique(ids []int64) []int64 {
	seen := make(map[int64]bool, len(ids))
	var list []int64
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			list = append(list, id)
		}
	}
	return list
}
