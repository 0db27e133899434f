package main

import (
	"context"
	"errors"
	"time"

	"github.com/schemacast/schemacast/internal/admin"
	"github.com/schemacast/schemacast/internal/config"
)

// healthcheck asks a running worker. It needs the address only: what else is wrong
// with the configuration is the worker's business.
func healthcheck(ctx context.Context, p *program) error {
	cfg, err := p.load(config.NeedWorker)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return admin.Healthcheck(ctx, cfg.Worker.HealthAddr)
}

type configCmd struct{}

// Run prints the configuration that a worker would run with.
func (configCmd) Run(p *program) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	return cfg.Describe(p.stdout)
}

type migrateCmd struct {
	WithAppTables bool `help:"Also make the Laravel app's tables, in a database that has none of them."`
}

// Run migrates. Any number of processes may do so at once.
func (c migrateCmd) Run(ctx context.Context, p *program) error {
	cfg, err := p.load(config.NeedDatabase)
	if err != nil {
		return err
	}
	db, err := openStore(ctx, cfg, nil)
	if err != nil {
		return err
	}
	return errors.Join(c.migrate(ctx, p, db), db.Close())
}
