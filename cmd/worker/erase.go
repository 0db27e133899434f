package main

import (
	"context"
	"errors"

	"github.com/schemacast/schemacast/internal/config"
	"github.com/schemacast/schemacast/internal/store"
)

type eraseCmd struct {
	Tenant string `arg:"" help:"The tenant's id, as in the app's table tenants, also of a tenant that the app has deleted."`
	Yes    bool   `help:"Really delete."`
}

// Validate is called by the command line parser.
func (c eraseCmd) Validate() error {
	if !c.Yes {
		return errors.New("erase deletes the tenant's runs, attempts, events and answers for good; add --yes to do so")
	}
	return nil
}

// Run deletes what our tables hold of a tenant. The app's tables are the app's business.
func (c eraseCmd) Run(ctx context.Context, p *program) error {
	cfg, err := p.load(config.NeedDatabase)
	if err != nil {
		return err
	}
	db, err := openStore(ctx, cfg, nil)
	if err != nil {
		return err
	}
	return errors.Join(c.erase(ctx, p, db), db.Close())
}

func (c eraseCmd) erase(ctx context.Context, p *program, db *store.Store) error {
	if err := db.CheckTables(ctx); err != nil {
		return err
	}
	erased, err := db.Erase(ctx, c.Tenant)
	say(p.stdout, "erased of tenant %q: %d runs with their attempts, %d events, %d answers of the model, %d streams; the app's tables are as they were",
		c.Tenant, erased.Runs, erased.Events, erased.Answers, erased.Streams)
	return err
}
