package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	gosqlite "github.com/glebarez/go-sqlite"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/schemacast/schemacast/internal/run"
)

// SQLite's primary result codes, and PostgreSQL's SQLSTATEs, that mean something
// to us.
const (
	sqliteBusy          = 5
	sqliteLocked        = 6
	sqlitePrimary       = 0xff
	pgSerialization     = "40001"
	pgDeadlock          = "40P01"
	pgLockNotAvailable  = "55P03"
	pgReadOnly          = "25006"
	pgIdleTransaction   = "25P03" // this process was stopped in the middle of a transaction
	pgPrivilege         = "42501"
	pgClassConnection   = "08"
	pgClassResources    = "53"
	pgClassIntervention = "57"
)

// retryable says whether the transaction lost against another one and may win when
// it is tried again.
func retryable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == pgSerialization || pg.Code == pgDeadlock || pg.Code == pgLockNotAvailable
	}
	var lite *gosqlite.Error
	if errors.As(err, &lite) {
		code := lite.Code() & sqlitePrimary
		return code == sqliteBusy || code == sqliteLocked
	}
	return false
}

// unreachable says whether the database could not be asked, as opposed to having
// answered no. A read-only one is a standby that a failover has not promoted yet.
func unreachable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		class := pg.Code[:min(2, len(pg.Code))]
		return class == pgClassConnection || class == pgClassResources || class == pgClassIntervention ||
			pg.Code == pgReadOnly || pg.Code == pgIdleTransaction
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err)
}

// translate gives errors of the drivers a meaning that callers know, and takes
// values out of their texts: PostgreSQL quotes rows of the tenant in its details.
func translate(err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case retryable(err), unreachable(err):
		return fmt.Errorf("%w: %w", run.ErrUnavailable, withoutSecrets(err))
	default:
		return withoutSecrets(err)
	}
}

// withoutSecrets keeps the parts of a driver's error that hold no data and no
// credentials.
func withoutSecrets(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		text := fmt.Sprintf("%s (SQLSTATE %s)", firstLine(pg.Message), pg.Code)
		if pg.Code == pgPrivilege {
			text += "; grant what `worker check` lists"
		}
		return &databaseError{text: text, cause: err}
	}
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		return &databaseError{text: "the address of the database can not be parsed", cause: err}
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		where := fmt.Sprintf("connect to %s port %d: ", connect.Config.Host, connect.Config.Port)
		return &databaseError{text: where + connectCause(connect), cause: err}
	}
	return err
}

// connectCause is the innermost reason, without the connection string that pgx
// puts in front.
func connectCause(err error) string {
	text := err.Error()
	if reason, _ := handshake(err); reason != "" {
		return reason
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return firstLine(text[strings.LastIndex(text, ": ")+1:])
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// databaseError is a driver's error with a text that is fit for logs.
type databaseError struct {
	text  string
	cause error
}

func (e *databaseError) Error() string { return e.text }
func (e *databaseError) Unwrap() error { return e.cause }
