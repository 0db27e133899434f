package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// pipeline carries the statements of a transaction to PostgreSQL. Most of the time of a
// small statement is its way there and back, so those whose answers nobody needs, BEGIN the
// first of them, are held back and travel with the next one that somebody waits for. gorm
// writes the statements and reads the rows as everywhere; pgx sends them, since
// database/sql can not send two at a time.
type pipeline struct {
	conn *pgx.Conn
	held []statement
}

// statement is one that can be sent.
type statement struct {
	what string // for the error of one that was held back
	sql  string
	args []any
}

// question is a statement whose rows are scanned into dest, which gorm can scan into. n is
// set to their number; nil where nobody wants to know. A nil dest counts the changed rows.
type question struct {
	dest any
	n    *int64
	sql  string
	args []any
}

// rollbackTime bounds a rollback, which also ends a transaction whose context is over.
const rollbackTime = 5 * time.Second

// connected runs f with a connection of PostgreSQL, and once more with another one where the
// first was dead before anything was sent: after a restart many of the pool are.
func (s *Store) connected(ctx context.Context, f func(*pgx.Conn) error) error {
	db, err := s.db.DB()
	if err != nil {
		return err
	}
	if err = withConn(ctx, db, f); pgconn.SafeToRetry(err) && ctx.Err() == nil {
		err = withConn(ctx, db, f)
	}
	return err
}

func withConn(ctx context.Context, db *sql.DB, f func(*pgx.Conn) error) error {
	pooled, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = pooled.Close() }()
	return pooled.Raw(func(raw any) error {
		return f(raw.(*stdlib.Conn).Conn()) //nolint:forcetypeassert // dialectorOf opens it
	})
}

// single puts a question outside of any transaction.
func (s *Store) single(ctx context.Context, q question) error {
	t := &tx{store: s, DB: s.db.WithContext(ctx)}
	if s.dialect.begin == "" {
		return t.ask(q)
	}
	return s.connected(ctx, func(conn *pgx.Conn) error {
		t.pipe = &pipeline{conn: conn}
		return t.ask(q)
	})
}

// pipelined runs f in a transaction.
func (s *Store) pipelined(ctx context.Context, t *tx, f func(*tx) error) error {
	return s.connected(ctx, func(conn *pgx.Conn) error {
		t.DB, t.pipe = s.db.WithContext(ctx), &pipeline{conn: conn}
		t.later("begin", s.dialect.begin)
		err := f(t)
		if err == nil {
			err = t.commitPipeline()
		}
		if conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
			return err
		}
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTime)
		defer cancel()
		if _, rollback := conn.Exec(ending, "rollback"); rollback != nil {
			_ = conn.Close(ending) // the pool notices
		}
		return err
	})
}

// later is exec for a statement that changes what it has to in any case, since the
// transaction holds its rows. An error comes with the next statement, or with the commit.
func (t *tx) later(what, sql string, args ...any) {
	switch {
	case t.pipe != nil:
		t.pipe.held = append(t.pipe.held, t.statement(what, sql, args))
	case t.failed == nil:
		if _, err := t.exec(sql, args...); err != nil {
			t.failed = fmt.Errorf("%s: %w", what, err)
		}
	}
}

// ask puts several questions at once, and what was held back before them. They are answered
// in their order.
func (t *tx) ask(questions ...question) error {
	if t.failed != nil {
		return t.failed
	}
	if t.pipe != nil {
		return t.send(questions)
	}
	for _, q := range questions {
		var result *gorm.DB
		if q.dest == nil {
			result = t.Exec(q.sql, q.args...)
		} else {
			result = t.Raw(q.sql, q.args...).Scan(q.dest)
		}
		if result.Error != nil {
			return result.Error
		}
		q.counted(result.RowsAffected)
	}
	return nil
}

func (q question) counted(n int64) {
	if q.n != nil {
		*q.n = n
	}
}

// send is the one way of statements to PostgreSQL.
func (t *tx) send(questions []question) error {
	held := t.pipe.held
	t.pipe.held = nil
	var batch pgx.Batch
	for _, s := range held {
		batch.Queue(s.sql, s.args...)
	}
	for _, q := range questions {
		s := t.statement("", q.sql, q.args)
		batch.Queue(s.sql, s.args...)
	}
	answers := t.pipe.conn.SendBatch(t.Statement.Context, &batch)
	err := t.receive(answers, held, questions)
	return cmp.Or(err, answers.Close())
}

func (t *tx) receive(answers pgx.BatchResults, held []statement, questions []question) error {
	for _, s := range held {
		tag, err := answers.Exec()
		if err == nil && s.what == commit {
			err = committed(tag)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	for _, q := range questions {
		if q.dest == nil {
			tag, err := answers.Exec()
			if err != nil {
				return err
			}
			q.counted(tag.RowsAffected())
			continue
		}
		rows, err := answers.Query()
		if err != nil {
			return err
		}
		n, err := t.scan(rows, q.dest)
		if err != nil {
			return err
		}
		q.counted(n)
	}
	return nil
}

// commit is the word for the last statement, in errors and on the wire.
const commit = "commit"

func (t *tx) commitPipeline() error {
	if len(t.pipe.held) > 0 {
		t.later(commit, commit)
		return t.send(nil)
	}
	tag, err := t.pipe.conn.Exec(t.Statement.Context, commit)
	if err != nil {
		return err
	}
	return committed(tag)
}

// committed tells a COMMIT from one that the database turned into a ROLLBACK.
func committed(tag pgconn.CommandTag) error {
	if tag.String() != "COMMIT" {
		return errors.New("the database rolled it back: a statement before had failed")
	}
	return nil
}

// statement lets gorm write SQL: it numbers the parameters and spreads lists. What has no
// list is always written the same.
func (t *tx) statement(what, sql string, args []any) statement {
	same := !slices.ContainsFunc(args, isList)
	if same {
		if written, ok := t.store.written.Load(sql); ok {
			return statement{what: what, sql: written.(string), args: args} //nolint:forcetypeassert // it holds nothing but texts
		}
	}
	written := &gorm.Statement{DB: t.DB}
	clause.Expr{SQL: sql, Vars: args}.Build(written)
	text := written.SQL.String()
	if same && len(sql) <= rememberedBytes {
		t.store.written.Store(sql, text)
	}
	return statement{what: what, sql: text, args: written.Vars}
}

// rememberedBytes keeps statements with a row for each of many things from being remembered.
const rememberedBytes = 4 << 10

// isList says whether gorm spreads an argument into several.
func isList(arg any) bool {
	if _, ok := arg.([]byte); ok || arg == nil {
		return false
	}
	kind := reflect.TypeOf(arg).Kind()
	return kind == reflect.Slice || kind == reflect.Array
}

// scan lets gorm read rows, as its own Scan does.
func (t *tx) scan(rows pgx.Rows, dest any) (int64, error) {
	defer rows.Close()
	if !rows.Next() {
		return 0, rows.Err()
	}
	into := t.Session(&gorm.Session{NewDB: true})
	into = into.WithContext(t.Statement.Context)
	if err := into.Statement.Parse(dest); err != nil && !errors.Is(err, schema.ErrUnsupportedDataType) {
		return 0, err
	}
	into.Statement.Dest, into.Statement.ReflectValue = dest, reflect.Indirect(reflect.ValueOf(dest))
	gorm.Scan(gormRows{rows}, into, gorm.ScanInitialized)
	return into.RowsAffected, errors.Join(into.Error, rows.Err())
}

// gormRows are rows of pgx in the form that gorm reads.
type gormRows struct{ pgx.Rows }

var _ gorm.Rows = gormRows{}

// Columns implements gorm.Rows.
func (r gormRows) Columns() ([]string, error) {
	fields := r.FieldDescriptions()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names, nil
}

// ColumnTypes implements gorm.Rows. Only scans into maps ask for them.
func (r gormRows) ColumnTypes() ([]*sql.ColumnType, error) {
	return nil, errors.New("the types of columns are not known in a pipeline")
}

// Close implements gorm.Rows.
func (r gormRows) Close() error {
	r.Rows.Close()
	return r.Err()
}
