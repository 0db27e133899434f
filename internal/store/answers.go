package store

import (
	"context"
	"fmt"
)

// Answer returns the raw answer that a model gave to the same request of the same
// tenant before.
func (s *Store) Answer(ctx context.Context, tenantID, key string) ([]byte, bool, error) {
	var row struct{ Raw []byte }
	var found int64
	err := s.single(ctx, question{
		dest: &row, n: &found, sql: "SELECT raw FROM schemacast_answers WHERE key = ? AND tenant_id = ?", args: []any{key, tenantID},
	})
	if err != nil {
		return nil, false, fmt.Errorf("look for a cached answer: %w", translate(err))
	}
	return row.Raw, found == 1, nil
}

// SaveAnswer keeps a raw answer. The first one for a key stays.
func (s *Store) SaveAnswer(ctx context.Context, tenantID, key string, raw []byte) error {
	sql := "INSERT INTO schemacast_answers (key, tenant_id, raw, created_ms) VALUES (?, ?, ?, " + s.dialect.now + ") ON CONFLICT (key) DO NOTHING"
	err := s.single(ctx, question{sql: sql, args: []any{key, tenantID, raw}})
	if err != nil {
		return fmt.Errorf("cache an answer: %w", translate(err))
	}
	return nil
}
