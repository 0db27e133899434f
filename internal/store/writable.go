package store

import (
	"context"
	"errors"
	"fmt"
)

// ErrReadOnly is a database that answers and takes no change: a standby, or one whose
// default was set to read only.
var ErrReadOnly = errors.New("the database is read-only; is DB_HOST a standby? Name the primary, or wait until this one is promoted")

// checkWritable asks on a connection of the pool, so that what /readyz says is what the
// next claim would meet.
func (s *Store) checkWritable(ctx context.Context) error {
	if s.dialect.name == SQLite {
		return nil // a file that can not be written is found when it is opened
	}
	var readOnly bool
	if err := s.db.WithContext(ctx).Raw("SELECT current_setting('transaction_read_only')::boolean").Scan(&readOnly).Error; err != nil {
		return fmt.Errorf("ask the database whether it may be written: %w", translate(err))
	}
	if readOnly {
		return ErrReadOnly
	}
	return nil
}
