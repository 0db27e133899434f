package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrationFiles embed.FS

const (
	metaTable  = "schemacast_meta"
	versionKey = "schema_version"
	// migrationLock is the key of PostgreSQL's advisory lock, so that workers which
	// start together migrate one after the other.
	migrationLock = 0x5c4e3a
)

// Migrated is one migration that Migrate applied.
type Migrated struct {
	Version  int64
	Name     string
	Duration time.Duration
}

// Migrate brings our own tables to the version of this program. Any number of
// processes may call it at once. It never touches the app's tables.
func (s *Store) Migrate(ctx context.Context) ([]Migrated, error) {
	provider, err := s.migrations()
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	results, err := provider.Up(ctx)
	if err != nil && s.dialect.name == SQLite {
		// SQLite has no advisory lock: another process may have applied the same
		// migration a moment before, and then nothing is pending any more.
		if pending, checkErr := provider.HasPending(ctx); checkErr == nil && !pending {
			return nil, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("migrate the schemacast_ tables: %w", translate(err))
	}
	applied := make([]Migrated, len(results))
	for i, r := range results {
		applied[i] = Migrated{Version: r.Source.Version, Name: r.Source.Path, Duration: r.Duration}
	}
	return applied, nil
}

func (s *Store) migrations() (*goose.Provider, error) {
	files, err := fs.Sub(migrationFiles, migrationFolder(s.dialect))
	if err != nil {
		return nil, err
	}
	db, err := s.db.DB()
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithStore(metaVersions{dialect: s.dialect}), goose.WithDisableGlobalRegistry(true)}
	if s.dialect.name == Postgres {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock), lock.WithLockTimeout(1, 60))
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider("", db, files, options...)
}

func migrationFolder(d dialect) string {
	if d.name == SQLite {
		return "migrations/sqlite"
	}
	return "migrations/postgres"
}

// latestVersion is the number of the last embedded migration.
func latestVersion(d dialect) (int64, error) {
	files, err := migrationFiles.ReadDir(migrationFolder(d))
	if err != nil || len(files) == 0 {
		return 0, err
	}
	number, _, _ := strings.Cut(files[len(files)-1].Name(), "_") // sorted by name
	return strconv.ParseInt(number, 10, 64)
}

// metaVersions keeps goose's version in schemacast_meta, one row, where the
// Laravel package's migrations record the same: whoever migrated, both know it.
type metaVersions struct{ dialect dialect }

var _ database.StoreExtender = metaVersions{}

func (metaVersions) Tablename() string { return metaTable }

func (metaVersions) CreateVersionTable(ctx context.Context, db database.DBTxConn) error {
	_, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS schemacast_meta (key varchar(64) PRIMARY KEY, value text NOT NULL)")
	return err
}

// Insert never goes back: a process that starts late begins by recording version 0.
func (metaVersions) Insert(ctx context.Context, db database.DBTxConn, r database.InsertRequest) error {
	version := strconv.FormatInt(r.Version, 10)
	_, err := db.ExecContext(ctx, "INSERT INTO schemacast_meta (key, value) VALUES ('"+versionKey+"', '"+version+"') "+
		"ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE CAST(schemacast_meta.value AS integer) < "+version)
	return err
}

func (metaVersions) Delete(ctx context.Context, db database.DBTxConn, version int64) error {
	_, err := db.ExecContext(ctx, "UPDATE schemacast_meta SET value = '"+strconv.FormatInt(version-1, 10)+"' WHERE key = '"+versionKey+"'")
	return err
}

func (m metaVersions) GetMigration(ctx context.Context, db database.DBTxConn, version int64) (*database.GetMigrationResult, error) {
	latest, err := m.GetLatestVersion(ctx, db)
	if err != nil {
		return nil, err
	}
	if version > latest {
		return nil, database.ErrVersionNotFound
	}
	return &database.GetMigrationResult{IsApplied: true}, nil
}

func (m metaVersions) GetLatestVersion(ctx context.Context, db database.DBTxConn) (int64, error) {
	var value string
	err := db.QueryRowContext(ctx, "SELECT value FROM schemacast_meta WHERE key = '"+versionKey+"'").Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, database.ErrVersionNotFound
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(value, 10, 64)
}

func (m metaVersions) ListMigrations(ctx context.Context, db database.DBTxConn) ([]*database.ListMigrationsResult, error) {
	latest, err := m.GetLatestVersion(ctx, db)
	if errors.Is(err, database.ErrVersionNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []*database.ListMigrationsResult
	for v := latest; v >= 0; v-- {
		list = append(list, &database.ListMigrationsResult{Version: v, IsApplied: true})
	}
	return list, nil
}

func (m metaVersions) TableExists(ctx context.Context, db database.DBTxConn) (bool, error) {
	query := "SELECT CASE WHEN to_regclass('schemacast_meta') IS NULL THEN 0 ELSE 1 END"
	if m.dialect.name == SQLite {
		query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schemacast_meta'"
	}
	var n int
	err := db.QueryRowContext(ctx, query).Scan(&n)
	return n > 0, err
}
