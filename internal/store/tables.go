package store

import (
	"context"
	"embed"
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"
)

//go:embed apptables/*.sql
var appTableFiles embed.FS

// appTables are the tables of the Laravel app that the service touches, in the
// order in which they are created.
var appTables = []string{"tenants", "users", "schemas", "schema_mappings"}

// TablesError says that the database is not ready for this version of the service.
type TablesError struct{ Problem, Cure string }

func (e *TablesError) Error() string { return e.Problem + "; " + e.Cure }

// CheckTables says whether the app's tables and ours are there and new enough. A
// newer version of our tables is fine: a worker of the version before must go on
// during a rolling deploy.
func (s *Store) CheckTables(ctx context.Context) error {
	found, err := s.existingAppTables(ctx)
	if err != nil {
		return err
	}
	if missing := without(appTables, found, "users"); len(missing) > 0 {
		return &TablesError{
			Problem: "the app's tables " + strings.Join(missing, ", ") + " are missing in this database",
			Cure:    "check that DB_DATABASE names the Laravel app's database, or, for an empty one, run `worker migrate --with-app-tables`",
		}
	}
	version, err := s.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	latest, err := latestVersion(s.dialect)
	if err != nil {
		return err
	}
	switch {
	case version == 0:
		return &TablesError{Problem: "the schemacast_ tables are missing in this database", Cure: "run `worker migrate`"}
	case version < latest:
		return &TablesError{
			Problem: fmt.Sprintf("the schemacast_ tables have version %d and this program needs %d", version, latest),
			Cure:    "run `worker migrate`",
		}
	}
	return s.checkStatusValues(ctx)
}

// SchemaVersion is the version of our tables, 0 when there are none.
func (s *Store) SchemaVersion(ctx context.Context) (int64, error) {
	exists, err := s.tableExists(ctx, metaTable)
	if err != nil || !exists {
		return 0, err
	}
	var value string
	err = s.db.WithContext(ctx).Raw("SELECT value FROM schemacast_meta WHERE key = ?", versionKey).Scan(&value).Error
	if err != nil || value == "" {
		return 0, translate(err)
	}
	version, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, &TablesError{
			Problem: fmt.Sprintf("schemacast_meta has %q as %s, which is no number", value, versionKey),
			Cure:    "restore that row from a backup",
		}
	}
	return version, nil
}

// CreateAppTables makes the app's tables in a database that has none of them, for
// running without the Laravel app. It refuses where any of them exists.
func (s *Store) CreateAppTables(ctx context.Context) error {
	found, err := s.existingAppTables(ctx)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return &TablesError{
			Problem: "this database has the app's tables " + strings.Join(found, ", ") + " already, so none was created",
			Cure:    "run `worker migrate` without --with-app-tables",
		}
	}
	file := "apptables/postgres.sql"
	if s.dialect.name == SQLite {
		file = "apptables/sqlite.sql"
	}
	script, err := appTableFiles.ReadFile(file)
	if err != nil {
		return err
	}
	err = s.db.WithContext(ctx).Transaction(func(db *gorm.DB) error {
		for _, statement := range strings.Split(string(script), ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if err := db.Exec(statement).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("create the app's tables: %w", translate(err))
	}
	return nil
}

// checkStatusValues finds an app that is older than its own job: its constraint does
// not know "processing", so every claim would fail. An app without a constraint is
// fine.
func (s *Store) checkStatusValues(ctx context.Context) error {
	if s.dialect.name != Postgres {
		return nil // its tables are ours
	}
	var constraints []string
	err := s.db.WithContext(ctx).Raw("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = to_regclass('schemas') AND contype = 'c'").
		Scan(&constraints).Error
	if err != nil {
		return fmt.Errorf("read the constraints of the table schemas: %w", translate(err))
	}
	for _, definition := range constraints {
		if strings.Contains(definition, "ai_analysis_status") && !strings.Contains(definition, "'processing'") {
			return &TablesError{
				Problem: "the column schemas.ai_analysis_status does not allow the value processing",
				Cure:    "run the Laravel app's migrations, which add it",
			}
		}
	}
	return nil
}

func (s *Store) existingAppTables(ctx context.Context) ([]string, error) {
	var found []string
	for _, table := range appTables {
		exists, err := s.tableExists(ctx, table)
		if err != nil {
			return nil, err
		}
		if exists {
			found = append(found, table)
		}
	}
	return found, nil
}

// tableExists looks where an unqualified name would be found.
func (s *Store) tableExists(ctx context.Context, table string) (bool, error) {
	sql := "SELECT CASE WHEN to_regclass(?) IS NULL THEN 0 ELSE 1 END"
	if s.dialect.name == SQLite {
		sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
	}
	var n int
	if err := s.db.WithContext(ctx).Raw(sql, table).Scan(&n).Error; err != nil {
		return false, fmt.Errorf("look for the table %s: %w", table, translate(err))
	}
	return n > 0, nil
}

// without returns the elements of all that are neither in found nor in except.
func without(all, found []string, except ...string) []string {
	skip := make(map[string]bool)
	for _, name := range append(append([]string{}, found...), except...) {
		skip[name] = true
	}
	var rest []string
	for _, name := range all {
		if !skip[name] {
			rest = append(rest, name)
		}
	}
	return rest
}
