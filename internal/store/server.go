package store

import (
	"context"
	"fmt"
	"time"

	"github.com/schemacast/schemacast/internal/run"
)

var _ run.Clock = (*Store)(nil)

// leastPostgres is the oldest version that is tested, as server_version_num has it.
const leastPostgres = 13_00_00

// Version returns the version of the database, and a *TablesError when it is too old.
func (s *Store) Version(ctx context.Context) (string, error) {
	var server struct {
		Name   string
		Number int
	}
	sql := "SELECT current_setting('server_version') AS name, current_setting('server_version_num')::int AS number"
	if s.dialect.name == SQLite {
		sql = "SELECT sqlite_version() AS name, 0 AS number"
	}
	if err := s.db.WithContext(ctx).Raw(sql).Scan(&server).Error; err != nil {
		return "", fmt.Errorf("ask the database for its version: %w", translate(err))
	}
	if s.dialect.name == Postgres {
		return server.Name, checkPostgres(server.Name, server.Number)
	}
	return server.Name, nil
}

func checkPostgres(name string, number int) error {
	if number >= leastPostgres {
		return nil
	}
	return &TablesError{Problem: "this is PostgreSQL " + name, Cure: "use version 13 or newer"}
}

// Now implements run.Clock by the database's clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	var ms int64
	if err := s.db.WithContext(ctx).Raw("SELECT " + s.dialect.now).Scan(&ms).Error; err != nil {
		return time.Time{}, fmt.Errorf("ask the database for its time: %w", translate(err))
	}
	return time.UnixMilli(ms).UTC(), nil
}

// ClockAhead returns by how much the database's clock is ahead of this process's.
func (s *Store) ClockAhead(ctx context.Context) (time.Duration, error) {
	sent := time.Now()
	now, err := s.Now(ctx)
	if err != nil {
		return 0, err
	}
	return now.Sub(sent.Add(time.Since(sent) / 2)), nil
}
