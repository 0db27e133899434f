package store

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/schemacast/schemacast/internal/testenv"
)

// The cure is complete: whoever runs the statements may do all that a worker does, and
// no statement asks for more than was missing.
func TestPrivilegesAndTheirCure(t *testing.T) {
	t.Parallel()
	owner := newGround(t, Config{Dialect: Postgres, DSN: testenv.Postgres(t)})
	owner.must(owner.CheckPrivileges(t.Context()))

	name := fmt.Sprintf("Reader %d", time.Now().UnixNano()) // such a name needs quotes
	user := `"` + name + `"`
	owner.sql("CREATE ROLE " + user + " LOGIN")
	t.Cleanup(func() {
		ctx := context.Background() // the test's has ended
		conn, err := pgx.Connect(ctx, owner.cfg.DSN)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(ctx) }()
		if _, err := conn.Exec(ctx, "DROP OWNED BY "+user+"; DROP ROLE "+user); err != nil {
			t.Error(err)
		}
	})
	owner.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + user)
	owner.sql("GRANT INSERT, UPDATE ON schemas TO " + user)
	address, err := url.Parse(owner.cfg.DSN)
	owner.must(err)
	address.User = url.User(name)
	reader := owner.another(func(cfg *Config) { cfg.DSN = address.String() })

	err = reader.CheckPrivileges(t.Context())
	if !isTablesError(err) {
		t.Fatalf("CheckPrivileges = %v, want a *TablesError", err)
	}
	_, cure, _ := strings.Cut(err.Error(), "run as the owner of the tables: ")
	for _, want := range []string{
		"GRANT USAGE ON SEQUENCE schemas_id_seq TO " + user,
		"GRANT INSERT, UPDATE, DELETE ON schema_mappings TO " + user,
		"GRANT INSERT, UPDATE, DELETE ON schemacast_runs TO " + user,
	} {
		if !strings.Contains(cure, want) {
			t.Errorf("the cure has no %q: %s", want, cure)
		}
	}
	if strings.Contains(cure, " ON tenants TO") || strings.Contains(cure, " ON schemas TO") {
		t.Errorf("the cure grants what was there: %s", cure)
	}
	for _, statement := range strings.Split(cure, "; ") {
		owner.sql(statement)
	}
	reader.must(reader.CheckPrivileges(t.Context()))
	reader.must(reader.CheckTables(t.Context()))
	// The proof of the table of privileges: a whole run as this user.
	id := reader.insertCustomer()
	reader.commit(reader.claim(id, "a"), createCustomer())
	reader.wantValue("completed", "SELECT ai_analysis_status FROM schemas WHERE id = ?", id)
	reader.installed(time.Hour)
	wholeLife(t, reader)
}

func TestServer(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		version, err := g.Version(t.Context())
		g.must(err)
		if version == "" || !strings.Contains(version, ".") {
			t.Errorf("version %q", version)
		}
		g.must(g.CheckPrivileges(t.Context()))
		// Both are on one machine, so they share the clock; a millisecond is rounded away.
		ahead, err := g.ClockAhead(t.Context())
		g.must(err)
		if ahead.Abs() > time.Second {
			t.Errorf("the database's clock is %s ahead of itself", ahead)
		}
	})
}

func TestOldPostgresIsRefused(t *testing.T) {
	t.Parallel()
	if err := checkPostgres("13.0", 13_00_00); err != nil {
		t.Error(err)
	}
	if err := checkPostgres("12.22", 12_00_22); !isTablesError(err) || !strings.Contains(err.Error(), "12.22; use version 13") {
		t.Errorf("PostgreSQL 12.22: %v", err)
	}
}
