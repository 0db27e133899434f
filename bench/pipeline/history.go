package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// earlier is how many schemas of another tenant were analysed before. A database without
// history is no one's for long, and PostgreSQL chooses other ways through empty tables.
const earlier = 5000

// makeHistory fills the template with it.
func (g *ground) makeHistory(ctx context.Context) error {
	db, err := pgx.Connect(ctx, g.dsn(g.template))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }() // or it could not be copied
	fields := encode(fieldsOf("Customer", usual.fields-1))
	for _, statement := range []string{
		"INSERT INTO tenants (id, name, created_at) VALUES ('earlier', 'earlier', now())",
		fmt.Sprintf(`INSERT INTO schemas (id, created_at, updated_at, hash, name, tenant_id, sample_data, detected_fields,
				status, type, ai_analysis_status, ai_recommendations)
			SELECT 100000000 + n, '2025-01-01', '2025-01-01', 'earlier-' || n, 'n', 'earlier', '{}', '%s', 'confirmed',
				CASE WHEN n <= 20 THEN 'struct' ELSE 'input' END, 'completed', '%s'
			FROM generate_series(1, %d) n`, fields, fields, earlier),
		fmt.Sprintf(`INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, mapping_definition, mapping_type, created_at, updated_at)
			SELECT 100000000 + n, 100000001 + n %% 20, 'field_' || f,
				'{"schema_mapping":{"fields":[{"sourcePath":"a","fieldName":"b","sourceType":"string","fieldType":"string"}]}}',
				'direct', '2025-01-01', '2025-01-01'
			FROM generate_series(21, %d) n, generate_series(1, 10) f`, earlier),
		fmt.Sprintf(`INSERT INTO schemacast_runs (id, schema_id, tenant_id, state, fence, attempts, outcome, requested_ms, started_ms, ended_ms)
			SELECT 'earlier' || n, 100000000 + n, 'earlier', 'completed', 1, 1, 'completed', n, n, n
			FROM generate_series(21, %d) n`, earlier),
		`INSERT INTO schemacast_attempts (run_id, fence, owner, started_ms, ended_ms, outcome)
			SELECT id, 1, 'earlier', started_ms, ended_ms, 'completed' FROM schemacast_runs`,
		"INSERT INTO schemacast_streams (schema_id, tenant_id, last_seq, sent_seq) SELECT schema_id, tenant_id, 2, 2 FROM schemacast_runs",
		`INSERT INTO schemacast_events (id, schema_id, seq, tenant_id, run_id, kind, payload, occurred_ms, sent_ms)
			SELECT left(id || '-' || seq, 26), schema_id, seq, tenant_id, id, 'completed', '{}', ended_ms,
				(extract(epoch FROM now()) * 1000)::bigint
			FROM schemacast_runs, generate_series(1, 2) seq`,
		`INSERT INTO schemacast_answers (key, tenant_id, raw, created_ms)
			SELECT md5(id) || md5(id), tenant_id, '{}', (extract(epoch FROM now()) * 1000)::bigint FROM schemacast_runs`,
		"VACUUM ANALYZE",
	} {
		if _, err := db.Exec(ctx, statement); err != nil {
			return fmt.Errorf("make a history: %w", err)
		}
	}
	return nil
}
