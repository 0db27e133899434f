package store

import (
	"context"
	"fmt"
	"time"

	"github.com/schemacast/schemacast/internal/run"
)

var _ run.Leases = (*Store)(nil)

// A lease is a row of schemacast_meta, so that it needs no table, and no GRANT, of its
// own: "lease:<job>" is "<until, 13 digits of epoch milliseconds> <owner>".
const (
	leaseKey   = "lease:"
	leaseOwner = "substr(schemacast_meta.value, 15)"
	leaseUntil = "CAST(substr(schemacast_meta.value, 1, 13) AS bigint)"
)

// Lead implements run.Leases. Whoever holds a lease that is over by the database's
// clock holds nothing: the next one to ask gets it.
func (s *Store) Lead(ctx context.Context, job, owner string, ttl time.Duration) (bool, error) {
	leads := false
	err := s.transact(ctx, func(t *tx) error {
		now := s.dialect.now
		n, err := t.exec("INSERT INTO schemacast_meta (key, value) VALUES (?, CAST("+now+" + ? AS varchar(32)) || ' ' || CAST(? AS varchar(255))) "+
			"ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE "+leaseOwner+" = CAST(? AS varchar(255)) OR "+leaseUntil+" < "+now,
			leaseKey+job, ttl.Milliseconds(), owner, owner)
		leads = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("lead the job %s: %w", job, err)
	}
	return leads, nil
}

// Resign implements run.Leases. It changes nothing when somebody else leads.
func (s *Store) Resign(ctx context.Context, job, owner string) error {
	err := s.transact(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM schemacast_meta WHERE key = ? AND "+leaseOwner+" = CAST(? AS varchar(255))", leaseKey+job, owner)
		return err
	})
	if err != nil {
		return fmt.Errorf("resign from the job %s: %w", job, err)
	}
	return nil
}
