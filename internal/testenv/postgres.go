package testenv

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const postgresTimeout = 30 * time.Second

// Postgres returns the URL of a fresh, empty database. It is dropped when the test
// ends, with whatever connections are left.
func Postgres(t testing.TB) string {
	t.Helper()
	base := os.Getenv(envPostgres)
	if base == "" {
		Need(t, envPostgres+" is not set")
	}
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		// Neither the value nor url's error, which repeats it: there may be a password in it.
		t.Fatalf("%s is not a URL like postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable", envPostgres)
	}
	name := "schemacast_" + strings.ToLower(rand.Text()[:16])
	if err := execute(base, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("make a test database on the server of %s: %v", envPostgres, err)
	}
	t.Cleanup(func() {
		if err := execute(base, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test database %s: %v", name, err)
		}
	})
	fresh := *u
	fresh.Path = "/" + name
	return fresh.String()
}

// execute runs one statement outside of the test's context, which has ended when
// the test cleans up.
func execute(dsn, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), postgresTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
