package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/testenv"
)

// What is not the fault of a statement must be told from a refusal: a refused commit
// uses an attempt, one that reached nobody is offered again.
func TestErrorsThatMeanUnavailable(t *testing.T) {
	t.Parallel()
	answer := func(code string) error { return &pgconn.PgError{Code: code, Message: "m"} }
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"connection cut in an answer", fmt.Errorf("read: %w", io.ErrUnexpectedEOF), true},
		{"connection reset", &net.OpError{Op: "read", Err: errors.New("reset")}, true},
		{"backend terminated", answer("57P01"), true},
		{"server starts", answer("57P03"), true},
		{"too many connections", answer("53300"), true},
		{"standby that is not promoted yet", answer("25006"), true},
		{"stopped in the middle of a transaction", answer("25P03"), true},
		{"deadlock", answer(pgDeadlock), true},
		{"constraint", answer("23514"), false},
		{"no such column", answer("42703"), false},
		{"of our own", errors.New("no"), false},
	} {
		if got := errors.Is(translate(c.err), run.ErrUnavailable); got != c.want {
			t.Errorf("%s: unavailable %v, want %v", c.name, got, c.want)
		}
	}
}

func TestClosedConnectionMeansUnavailable(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), testenv.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(t.Context(), "SELECT 1")
	if err == nil || !errors.Is(translate(err), run.ErrUnavailable) {
		t.Errorf("a statement on a closed connection: %v, want ErrUnavailable", err)
	}
}

func TestDatabaseFileThatCanNotBeOpened(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing", "app.db")
	_, err := Open(t.Context(), Config{Dialect: SQLite, DSN: path})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "DB_DATABASE") {
		t.Errorf("open: %v, want the path and the variable in it", err)
	}
}
