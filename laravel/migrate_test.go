package laravel

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/testenv"
)

// catalog is all that PostgreSQL knows of our tables: columns with types and defaults,
// constraints, indices, and what schemacast_meta says, apart from the time.
const catalog = `
	SELECT format('column %s.%s %s %s not null %s default %s', c.relname, a.attnum, a.attname,
			format_type(a.atttypid, a.atttypmod), a.attnotnull, COALESCE(pg_get_expr(d.adbin, d.adrelid), 'none'))
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE c.relkind = 'r' AND c.relname LIKE 'schemacast%'
	UNION ALL SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
		FROM pg_constraint WHERE conrelid::regclass::text LIKE 'schemacast%'
	UNION ALL SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'schemacast%'
	UNION ALL SELECT format('trigger %s', tgname) FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'schemacast%'
	UNION ALL SELECT format('meta %s %s', key, CASE key WHEN 'installed_ms' THEN 'a time' ELSE value END) FROM schemacast_meta`

func TestLaravelMigrationsMakeTheSameTables(t *testing.T) {
	t.Parallel()
	need(t, "php")
	byWorker, byLaravel, byBoth := testenv.Postgres(t), testenv.Postgres(t), testenv.Postgres(t)
	workerMigrate(t, byWorker)
	artisan(t, byLaravel, "migrate", "--force")
	want := query(t, byWorker, catalog)
	if len(want) < 60 {
		t.Fatalf("the catalog has %d lines only, so it compares nothing:\n%s", len(want), strings.Join(want, "\n"))
	}
	if diff := cmp.Diff(want, query(t, byLaravel, catalog)); diff != "" {
		t.Errorf("artisan migrate makes other tables (-worker +artisan):\n%s", diff)
	}

	// Both at once: one of them waits, and then has nothing to do.
	done := make(chan struct{})
	go func() {
		defer close(done)
		workerMigrate(t, byBoth)
	}()
	artisan(t, byBoth, "migrate", "--force")
	<-done
	if diff := cmp.Diff(want, query(t, byBoth, catalog)); diff != "" {
		t.Errorf("both at once make other tables (-worker +both):\n%s", diff)
	}
}

func TestLaravelWhoMigratesSecondChangesNothing(t *testing.T) {
	t.Parallel()
	need(t, "php")
	const everything = catalog + " UNION ALL SELECT value FROM schemacast_meta"
	orders := map[string][2]func(*testing.T, string){
		"worker, artisan": {workerMigrate, artisanMigrate},
		"artisan, worker": {artisanMigrate, workerMigrate},
	}
	for name, order := range orders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := testenv.Postgres(t)
			order[0](t, dsn)
			want := query(t, dsn, everything)
			order[1](t, dsn)
			if diff := cmp.Diff(want, query(t, dsn, everything)); diff != "" {
				t.Errorf("the second one changed something (-want +got):\n%s", diff)
			}
		})
	}
}

// workerMigrate does what `worker migrate` does.
func workerMigrate(t *testing.T, dsn string) {
	s, err := store.Open(t.Context(), store.Config{Dialect: store.Postgres, DSN: dsn})
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
}

func artisanMigrate(t *testing.T, dsn string) { artisan(t, dsn, "migrate", "--force") }

func artisan(t *testing.T, dsn string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "php", append([]string{"tests/artisan.php"}, args...)...)
	cmd.Env = append(os.Environ(), "APP_POSTGRES="+dsn)
	run(t, cmd)
}

// query returns the first column of all rows.
func query(t *testing.T, dsn, sql string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	rows, err := conn.Query(t.Context(), sql+" ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return lines
}
