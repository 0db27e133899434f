package store

import (
	"context"
	"fmt"
)

// Answer returns the raw answer that a model gave to the same request of the same
// tenant before.
func (s *Store) Answer(ctx context.Context, tenantID, key string) ([]byte, bool, error) {
	var row struct{ Raw []byte }
	result := s.db.WithContext(ctx).Raw("SELECT raw FROM schemacast_answers WHERE key = ? AND tenant_id = ?", key, tenantID).Scan(&row)
	if result.Error != nil {
		return nil, false, fmt.Errorf("look for a cached answer: %w", translate(result.Error))
	}
	return row.Raw, result.RowsAffected == 1, nil
}

// SaveAnswer keeps a raw answer. The first one for a key stays.
func (s *Store) SaveAnswer(ctx context.Context, tenantID, key string, raw []byte) error {
	err := s.db.WithContext(ctx).Exec("INSERT INTO schemacast_answers (key, tenant_id, raw, created_ms) VALUES (?, ?, ?, "+s.dialect.now+") ON CONFLICT (key) DO NOTHING",
		key, tenantID, raw).Error
	if err != nil {
		return fmt.Errorf("cache an answer: %w", translate(err))
	}
	return nil
}
