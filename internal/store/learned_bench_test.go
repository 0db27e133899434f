package store

import (
	"testing"

	"github.com/schemacast/schemacast/internal/testenv"
)

// BenchmarkLearn reads what a tenant with 10,000 entities and 300,000 mappings of
// 15,000 sources teaches, beside as much of another tenant.
func BenchmarkLearn(b *testing.B) {
	s, err := Open(b.Context(), Config{Dialect: Postgres, DSN: testenv.Postgres(b)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.CreateAppTables(b.Context()); err != nil {
		b.Fatal(err)
	}
	if _, err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, statement := range []string{
		"INSERT INTO tenants (id, name) VALUES ('large', 'Large'), ('other', 'Other')",
		`INSERT INTO schemas (id, tenant_id, name, hash, type, status, detected_fields, sample_data)
			SELECT n, CASE n % 2 WHEN 0 THEN 'large' ELSE 'other' END, 'Entity' || n, 'e' || n, 'struct', 'confirmed',
				(SELECT json_agg(json_build_object('name', 'field_' || f, 'type', 'string')) FROM generate_series(1, 20) f), '[]'
			FROM generate_series(1, 20000) n`,
		`INSERT INTO schemas (id, tenant_id, hash, type, status, detected_fields, sample_data)
			SELECT 100000 + n, CASE n % 2 WHEN 0 THEN 'large' ELSE 'other' END, 's' || n, 'input', 'confirmed', '[]',
				(SELECT json_object_agg('src_' || f || '_' || n, 'value ' || f) FROM generate_series(1, 20) f)
			FROM generate_series(1, 30000) n`,
		`INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, mapping_definition, created_at, updated_at)
			SELECT 100000 + n, 1 + (n - 1) % 20000, 'src_' || f || '_' || n,
				json_build_object('schema_mapping', json_build_object('fields', json_build_array(json_build_object(
					'sourcePath', 'src_' || f || '_' || n, 'fieldName', 'field_' || f, 'sourceType', 'string', 'fieldType', 'string')))), now(), now()
			FROM generate_series(1, 30000) n, generate_series(1, 20) f`,
		`INSERT INTO schemacast_streams (schema_id, tenant_id, own_mappings, last_mapping)
			SELECT id, tenant_id, '{"1":"x"}', 1000000 FROM schemas WHERE type = 'input'`,
		"ANALYZE",
	} {
		if err := s.db.Exec(statement).Error; err != nil {
			b.Fatal(err)
		}
	}
	if testing.Verbose() {
		var plan []string
		err := s.db.Raw("EXPLAIN (ANALYZE, BUFFERS) "+taughtQuery(s.dialect), "large", "large", "large", taughtMappings).Scan(&plan).Error
		if err != nil {
			b.Fatal(err)
		}
		for _, line := range plan {
			b.Log(line)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		learned, err := s.learn(b.Context(), "large")
		if err != nil || len(learned.aliases) == 0 {
			b.Fatalf("%d entities learned, %v", len(learned.aliases), err)
		}
	}
}
