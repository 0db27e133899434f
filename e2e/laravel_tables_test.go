package e2e

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/schemacast/schemacast/internal/testenv"
)

// catalog lists columns, constraints and indices of the app's tables, as PostgreSQL
// itself words them. Of a check it takes the allowed words, since a dump that is read
// back gives the same check in another wording.
const catalog = `
SELECT format('%s.%s %s', table_name, ordinal_position, concat_ws(' ', column_name, udt_name, character_maximum_length, datetime_precision,
	CASE is_nullable WHEN 'NO' THEN 'not null' END, 'default ' || replace(column_default, 'public.', '')))
FROM information_schema.columns WHERE table_schema = 'public' AND table_name = ANY ($1)
UNION ALL
SELECT format('%s constraint %s %s', c.relname, o.conname, CASE o.contype
	WHEN 'c' THEN (SELECT 'one of ' || string_agg(word[1], ', ') FROM regexp_matches(pg_get_constraintdef(o.oid), '''([a-z]+)''', 'g') AS word)
	ELSE replace(pg_get_constraintdef(o.oid), 'public.', '') END)
FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid WHERE c.relname = ANY ($1)
UNION ALL
SELECT replace(indexdef, 'public.', '') FROM pg_indexes WHERE tablename = ANY ($1)
ORDER BY 1`

// appTables are those that the service touches.
var appTables = []string{"schemas", "schema_mappings", "tenants", "users"}

func readCatalog(t *testing.T, dsn string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	rows, err := conn.Query(t.Context(), catalog, appTables)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// capturedCatalog is that of the existing app's database, whose dump is in testdata.
func capturedCatalog(t *testing.T) []string {
	t.Helper()
	dump, err := os.ReadFile("laravel/testdata/app-pgsql.sql")
	if err != nil {
		t.Fatal(err)
	}
	dsn := testenv.Postgres(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), string(dump)); err != nil {
		t.Fatal(err)
	}
	return readCatalog(t, dsn)
}

// The application of these tests, and the tables that the worker makes where no app is,
// are the existing app's.
func TestLaravelTablesAreTheApps(t *testing.T) {
	t.Parallel()
	php(t)
	want := capturedCatalog(t)
	if len(want) < 50 {
		t.Fatalf("the dump gives %d lines only", len(want))
	}
	app := &laravel{ground: &ground{t: t, build: programs, env: map[string]string{"DB_URL": testenv.Postgres(t)}, server: &testenv.RedisServer{}}}
	dsn := app.env["DB_URL"]
	app.install()
	app.wantArtisan(0, "create_the_apps_tables", "migrate", "--force", "--path=database/migrations")
	if diff := cmp.Diff(want, readCatalog(t, dsn)); diff != "" {
		t.Errorf("tables of e2e/laravel/app (-want +got):\n%s", diff)
	}
	without := &ground{t: t, build: programs, env: map[string]string{"DB_URL": testenv.Postgres(t)}}
	without.want(0, "migrated", "worker", "migrate", "--with-app-tables")
	if diff := cmp.Diff(want, readCatalog(t, without.env["DB_URL"])); diff != "" {
		t.Errorf("tables of worker migrate --with-app-tables (-want +got):\n%s", diff)
	}
}
