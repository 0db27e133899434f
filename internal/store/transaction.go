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

// tx is a transaction in progress and the events that it wrote.
type tx struct {
	*gorm.DB
	store  *Store
	nudged []int64
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
		err := s.db.WithContext(ctx).Transaction(func(db *gorm.DB) error {
			t.DB = db
			return f(t)
		}, &sql.TxOptions{Isolation: s.dialect.isolation})
		if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
			// database/sql rolled it back before the commit, and says so in words that look
			// like a refusal.
			err = ctx.Err()
		}
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

// query runs a statement that returns rows, and scans them into dest.
func (t *tx) query(dest any, sql string, args ...any) (int64, error) {
	result := t.Raw(sql, args...).Scan(dest)
	return result.RowsAffected, result.Error
}

// exec runs a statement and returns the number of rows that it changed.
func (t *tx) exec(sql string, args ...any) (int64, error) {
	result := t.Exec(sql, args...)
	return result.RowsAffected, result.Error
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
