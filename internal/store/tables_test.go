package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/testenv"
)

func emptyDatabase(t *testing.T, dialect string) *ground {
	cfg := Config{Dialect: dialect}
	if dialect == SQLite {
		cfg.DSN = filepath.Join(t.TempDir(), "app.db")
	} else {
		cfg.DSN = testenv.Postgres(t)
	}
	return &ground{Store: openStore(t, cfg), t: t}
}

func isTablesError(err error) bool {
	var e *TablesError
	return errors.As(err, &e)
}

func TestTablesStepByStep(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{SQLite, Postgres} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			g := emptyDatabase(t, dialect)
			wantProblem := func(words ...string) {
				t.Helper()
				err := g.CheckTables(t.Context())
				if !isTablesError(err) {
					t.Fatalf("check: %v, want a *TablesError", err)
				}
				for _, w := range words {
					if !strings.Contains(err.Error(), w) {
						t.Errorf("check: %q, want %q in it", err, w)
					}
				}
			}
			wantProblem("tenants, schemas, schema_mappings", "--with-app-tables")
			g.must(g.CreateAppTables(t.Context()))
			wantProblem("schemacast_", "worker migrate")
			if err := g.CreateAppTables(t.Context()); !isTablesError(err) || !strings.Contains(err.Error(), "tenants, users, schemas, schema_mappings") {
				t.Errorf("creating the app's tables twice: %v", err)
			}
			applied, err := g.Migrate(t.Context())
			latest, latestErr := latestVersion(g.dialect)
			g.must(latestErr)
			if err != nil || int64(len(applied)) != latest {
				t.Fatalf("migrate: %v %v", applied, err)
			}
			g.must(g.CheckTables(t.Context()))
			if applied, err := g.Migrate(t.Context()); err != nil || len(applied) != 0 {
				t.Errorf("migrate again: %v %v", applied, err)
			}
			g.sql("UPDATE schemacast_meta SET value = '0' WHERE key = 'schema_version'")
			wantProblem("worker migrate")
			g.sql("UPDATE schemacast_meta SET value = '99' WHERE key = 'schema_version'")
			g.must(g.CheckTables(t.Context()))
		})
	}
}

func TestManyMigrateAtOnce(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{SQLite, Postgres} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			g := emptyDatabase(t, dialect)
			const processes = 4
			errs := make(chan error, processes)
			for range processes {
				other := g.another(func(*Config) {})
				go func() {
					_, err := other.Migrate(t.Context())
					errs <- err
				}()
			}
			for range processes {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			latest, err := latestVersion(g.dialect)
			g.must(err)
			g.wantValue(fmt.Sprint(latest), "SELECT value FROM schemacast_meta WHERE key = 'schema_version'")
			g.wantValue("0", "SELECT count(*) FROM schemacast_runs")
		})
	}
}

// The golden file is the catalog of a database that the app's own migrations made.
func TestAppTablesOnPostgres(t *testing.T) {
	t.Parallel()
	g := emptyDatabase(t, Postgres)
	g.must(g.CreateAppTables(t.Context()))
	var lines []string
	g.must(g.db.Raw(`
		SELECT table_name || '.' || column_name || ' ' || udt_name || COALESCE('(' || character_maximum_length || ')', '') || COALESCE('(' || datetime_precision || ')', '')
			|| CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END || COALESCE(' default ' || column_default, '') AS line
		FROM information_schema.columns WHERE table_schema = 'public'
		UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
		UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
		ORDER BY 1`).Scan(&lines).Error)
	if diff := cmp.Diff(golden(t, "app_tables.golden"), strings.Join(lines, "\n")+"\n"); diff != "" {
		t.Errorf("catalog (-want +got):\n%s", diff)
	}
}

func TestAppThatDoesNotKnowProcessing(t *testing.T) {
	t.Parallel()
	g := emptyDatabase(t, Postgres)
	g.must(g.CreateAppTables(t.Context()))
	_, err := g.Migrate(t.Context())
	g.must(err)
	g.sql("ALTER TABLE schemas DROP CONSTRAINT schemas_ai_analysis_status_check")
	g.must(g.CheckTables(t.Context()))
	g.sql("ALTER TABLE schemas ADD CONSTRAINT schemas_ai_analysis_status_check CHECK (ai_analysis_status IN ('pending', 'completed', 'failed', 'disabled'))")
	if err := g.CheckTables(t.Context()); !isTablesError(err) || !strings.Contains(err.Error(), "processing") {
		t.Errorf("check: %v, want a *TablesError about processing", err)
	}
}
