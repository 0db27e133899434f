package main

import (
	"context"
	"fmt"

	"github.com/schemacast/schemacast/internal/store"
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
	for _, id := range c.IDs {
		if id <= 0 {
			return fmt.Errorf("%d is no id of a schema; ids are positive numbers", id)
		}
	}
	return c.check()
}

// Run asks for all of them; those that can not be analysed do not stop the others.
func (c *schemaCmd) Run(ctx context.Context, a *app) error {
	if err := a.connect(ctx); err != nil {
		return err
	}
	request := store.Request{SchemaIDs: unique(c.IDs), By: a.requester, Force: c.Force}
	if c.Tenant != "" {
		tenant, err := a.store.Tenant(ctx, c.Tenant)
		if err != nil {
			return err
		}
		request.TenantID = tenant.ID
	}
	answers, err := a.store.Request(ctx, request)
	if err != nil {
		return err
	}
	items := make([]*item, len(answers))
	for i, answer := range answers {
		items[i] = &item{known: true, request: answer}
		if answer.State == store.RequestUnknown {
			items[i].problem = c.unknown(answer.SchemaID)
		}
	}
	return a.queue(ctx, items, c.Follow)
}

func (c *schemaCmd) unknown(id int64) error {
	const cure = "see the column id of the app's table schemas"
	if c.Tenant != "" {
		return fmt.Errorf("tenant %s has no schema with the id %d; %s", c.Tenant, id, cure)
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
