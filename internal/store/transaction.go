package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"gorm.io/gorm"
)

// maxTries bounds how often a transaction is tried that lost against another one.
const maxTries = 8

// tx is a transaction in progress and the events that it wrote. With a pipeline the DB
// only writes statements.
type tx struct {
	*gorm.DB
	store  *Store
	nudged []int64
	pipe   *pipeline // nil where statements go one by one
	failed error     // of a statement that nobody waited for
}

// transact runs f in a transaction and commits. It is tried again, with jitter,
// after a deadlock, a serialization failure or a busy database; f must therefore
// have no effects outside the transaction. Relays are nudged after the commit.
func (s *Store) transact(ctx context.Context, f func(*tx) error) error {
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval = 5 * time.Millisecond
	policy.MaxInterval = 500 * time.Millisecond
	nudged, err := backoff.Retry(ctx, func() ([]int64, error) {
		t := &tx{store: s}
		err := s.attempt(ctx, t, f)
		if err != nil && !retryable(err) {
			return nil, backoff.Permanent(err)
		}
		return t.nudged, err
	}, backoff.WithBackOff(policy), backoff.WithMaxTries(maxTries))
	for _, id := range nudged {
		s.cfg.Nudge(id)
	}
	return translate(err)
}

// attempt runs f in a transaction once.
func (s *Store) attempt(ctx context.Context, t *tx, f func(*tx) error) error {
	if s.dialect.begin != "" {
		return s.pipelined(ctx, t, f)
	}
	err := s.db.WithContext(ctx).Transaction(func(db *gorm.DB) error {
		t.DB = db
		return errors.Join(f(t), t.failed)
	})
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		// database/sql rolled it back before the commit, and says so in words that look
		// like a refusal.
		err = ctx.Err()
	}
	return err
}

// query runs a statement that returns rows, and scans them into dest.
func (t *tx) query(dest any, sql string, args ...any) (n int64, err error) {
	err = t.ask(question{dest: dest, n: &n, sql: sql, args: args})
	return n, err
}

// exec runs a statement and returns the number of rows that it changed.
func (t *tx) exec(sql string, args ...any) (n int64, err error) {
	err = t.ask(question{n: &n, sql: sql, args: args})
	return n, err
}

// execOne is exec for a statement that must change exactly one row.
func (t *tx) execOne(what, sql string, args ...any) error {
	n, err := t.exec(sql, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if n != 1 {
		return fmt.Errorf("%s: %d rows changed instead of one", what, n)
	}
	return nil
}

// now reads the database's clock inside the transaction.
func (t *tx) now() (time.Time, error) {
	var ms int64
	_, err := t.query(&ms, "SELECT "+t.store.dialect.now)
	return time.UnixMilli(ms).UTC(), err
}
