package store

import (
	"context"
	"fmt"
	"time"

	"github.com/schemacast/schemacast/internal/run"
)

// FailedFilter chooses among the schemas whose analysis failed. Empty fields choose
// all.
type FailedFilter struct {
	TenantID string
	// Codes of the last run. A schema that failed before this service has none.
	Codes []run.Code
	// Since is the earliest time of the failure.
	Since time.Time
}

// FailedSchema is a schema whose analysis failed.
type FailedSchema struct {
	SchemaID int64
	TenantID string
	Name     string // empty when it has none
	// Failure of the last run; without a code where the job that this service
	// replaced failed.
	Failure run.Failure
	Failed  time.Time
}

// Failed returns schemas whose analysis failed and that nobody asked for again, by
// id, beginning after an id, at most limit.
func (s *Store) Failed(ctx context.Context, f FailedFilter, after int64, limit int) ([]FailedSchema, error) {
	// The subquery picks the newest run by the index on schema_id.
	d := s.dialect
	query := "SELECT s.id, s.tenant_id, s.name, s.ai_analysis_error, " + d.time("s.ai_analyzed_at") + " AS analyzed_at, r.error_code, r.error_text, r.ended_ms " +
		"FROM schemas s LEFT JOIN schemacast_runs r ON r.id = " +
		"(SELECT id FROM schemacast_runs WHERE schema_id = s.id ORDER BY requested_ms DESC, id DESC LIMIT 1) " +
		"WHERE s.id > ? AND s.ai_analysis_status = 'failed' AND s.type <> 'struct' " +
		"AND (SELECT 1 FROM schemacast_runs WHERE active_schema_id = s.id) IS NULL"
	args := []any{after}
	if f.TenantID != "" {
		query += " AND s.tenant_id = ?"
		args = append(args, f.TenantID)
	}
	if len(f.Codes) > 0 {
		query += " AND r.error_code IN ?"
		args = append(args, f.Codes)
	}
	if !f.Since.IsZero() {
		query += " AND (r.ended_ms >= ? OR r.ended_ms IS NULL AND s.ai_analyzed_at >= ?)"
		args = append(args, f.Since.UnixMilli(), f.Since.UTC().Format(appTime))
	}
	var rows []failedRow
	err := s.db.WithContext(ctx).Raw(query+" ORDER BY s.id LIMIT ?", append(args, limit)...).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list the schemas whose analysis failed: %w", translate(err))
	}
	failed := make([]FailedSchema, len(rows))
	for i, r := range rows {
		failed[i] = r.failed()
	}
	return failed, nil
}

type failedRow struct {
	ID              int64
	TenantID        string
	Name            *string
	AIAnalysisError *string `gorm:"column:ai_analysis_error"`
	AnalyzedAt      *string
	ErrorCode       *string
	ErrorText       *string
	EndedMs         *int64
}

func (r failedRow) failed() FailedSchema {
	f := FailedSchema{
		SchemaID: r.ID, TenantID: r.TenantID, Name: orZero(r.Name), Failed: timeOf(r.EndedMs),
		Failure: run.Failure{Code: run.Code(orZero(r.ErrorCode)), Text: orZero(r.ErrorText)},
	}
	if r.EndedMs == nil {
		f.Failure.Text, f.Failed = clip(orZero(r.AIAnalysisError), maxErrorText), parseAppTime(r.AnalyzedAt)
	}
	return f
}
