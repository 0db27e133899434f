package store

import (
	"context"
	"database/sql"
	"errors"
	"testing"
)

// A transaction whose time is over just before its commit is told from one that the
// database refused: its caller may try again.
func TestTimeIsOverBeforeTheCommit(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := g.transact(ctx, func(x *tx) error {
			cancel()
			pool, ok := x.Statement.ConnPool.(*sql.Tx)
			if !ok {
				return nil // in a pipeline the commit finds out
			}
			// database/sql rolls back by itself, at some moment from now on.
			for {
				if _, err := pool.ExecContext(context.Background(), "SELECT 1"); errors.Is(err, sql.ErrTxDone) {
					return nil
				}
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("transact = %v, want context.Canceled", err)
		}
	})
}
