package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"

	"github.com/schemacast/schemacast/internal/schema"
)

// graphLimits bound a graph, since nothing bounds what a tenant has. A list ends
// before the row that would go beyond.
type graphLimits struct {
	schemas  int
	entities int
	fields   int // of all schemas together, and again of all entities
	mappings int
}

var defaultGraphLimits = graphLimits{schemas: 500, entities: 500, fields: 20_000, mappings: 20_000}

// Graph reads what a dashboard draws of a tenant: the newest 500 schemas, as many
// entities, and the mappings between them, fewer when they are very wide. Its error
// is schema.ErrUnknownTenant when there is no such tenant.
func (s *Store) Graph(ctx context.Context, tenantID string) (schema.Graph, error) {
	graph, err := s.graph(ctx, tenantID, defaultGraphLimits)
	if err != nil {
		return schema.Graph{}, fmt.Errorf("read the graph of a tenant: %w", err)
	}
	return graph, nil
}

func (s *Store) graph(ctx context.Context, tenantID string, limits graphLimits) (schema.Graph, error) {
	if clip(tenantID, maxVarchar) != tenantID {
		return schema.Graph{}, schema.ErrUnknownTenant // PostgreSQL would not compare it
	}
	g := &graphReader{tenantID: tenantID, limits: limits, confidences: map[int64]confidences{}}
	err := s.snapshot(ctx, func(t *tx) error {
		g.tx = t
		for _, read := range []func() error{g.readTenant, g.readSchemas, g.readMappings, g.readEntities} {
			if err := read(); err != nil {
				return err
			}
		}
		return nil
	})
	return g.graph, err
}

// snapshot runs f in a transaction that sees the database as it is at the first
// query, and takes no locks.
func (s *Store) snapshot(ctx context.Context, f func(*tx) error) error {
	err := s.db.WithContext(ctx).Transaction(func(db *gorm.DB) error {
		return f(&tx{DB: db, store: s})
	}, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	return translate(err)
}

// graphReader reads one graph, table by table.
type graphReader struct {
	*tx
	tenantID    string
	limits      graphLimits
	confidences map[int64]confidences // by schema
	graph       schema.Graph
}

// readTenant also reads the number of events. It is the sum of counters that are
// never pruned, so it grows with each.
func (g *graphReader) readTenant() error {
	n, err := g.query(&g.graph.Seq, "SELECT CAST((SELECT COALESCE(SUM(last_seq), 0) FROM schemacast_streams WHERE tenant_id = ?) AS bigint) "+
		"FROM tenants WHERE id = ?", g.tenantID, g.tenantID)
	if err == nil && n == 0 {
		err = schema.ErrUnknownTenant
	}
	return err
}

// graphRow is a schemaRow with what our tables know of it.
type graphRow struct {
	Schema          schemaRow `gorm:"embedded"`
	LastSeq         *int64
	RunID           *string
	RunError        *string
	AnalysisError   *string
	Recommendations *string
}

func (g *graphReader) readSchemas() error {
	d := g.store.dialect
	query := "SELECT s.id, s.tenant_id, s.hash, s.name, s.type, s.status, s.ai_analysis_status, " + d.text("s.detected_fields") + " AS detected_fields, " +
		d.time("s.created_at") + " AS created_at, w.last_seq, r.id AS run_id, " +
		"CASE WHEN r.active_schema_id IS NOT NULL OR s.ai_analysis_status = 'failed' THEN r.error_text END AS run_error, " +
		"CASE WHEN s.ai_analysis_status = 'failed' THEN s.ai_analysis_error END AS analysis_error, " + d.text("s.ai_recommendations") + " AS recommendations " +
		"FROM schemas s LEFT JOIN schemacast_streams w ON w.schema_id = s.id LEFT JOIN schemacast_runs r ON r.id = " +
		"(SELECT id FROM schemacast_runs WHERE schema_id = s.id ORDER BY requested_ms DESC, id DESC LIMIT 1) " +
		"WHERE s.tenant_id = ? AND s.type <> 'struct' ORDER BY s.id DESC LIMIT ?"
	width := 0
	err := each(g, func(n int, row *graphRow) bool {
		// Fields that can not be used are no reason to hide the schema.
		parsed, _ := row.Schema.schema()
		parsed.RawFields, parsed.RawSamples = nil, nil
		width += len(parsed.Fields)
		if n == g.limits.schemas || width > g.limits.fields {
			return false
		}
		withoutSamples(parsed.Fields)
		g.graph.Schemas = append(g.graph.Schemas, schema.GraphSchema{
			Schema: parsed, Seq: orZero(row.LastSeq), RunID: orZero(row.RunID),
			Error: cmp.Or(orZero(row.RunError), orZero(row.AnalysisError)),
		})
		g.confidences[parsed.ID] = confidencesOf(row.Recommendations)
		return true
	}, query, g.tenantID, g.limits.schemas+1)
	if err != nil {
		return fmt.Errorf("schemas: %w", err)
	}
	return nil
}

// readMappings leaves out what leads to anything but an entity of the tenant: rows
// that older programs wrote may.
func (g *graphReader) readMappings() error {
	if len(g.graph.Schemas) == 0 {
		return nil
	}
	query := "SELECT m.schema_id, m.id, m.target_schema_id, m.field_path, " + g.store.dialect.text("m.mapping_definition") + " AS mapping_definition, " +
		"m.mapping_type, m.formula_expression FROM schema_mappings m WHERE m.schema_id IN ? AND m.target_schema_id IN (SELECT id FROM schemas WHERE " +
		confirmedStructs + ") ORDER BY m.schema_id DESC, m.id LIMIT ?"
	err := each(g, func(n int, row *graphMappingRow) bool {
		if n == g.limits.mappings {
			return false
		}
		if m, ok := row.mapping(); ok {
			m.Confidence = g.confidences[m.SchemaID].of(m)
			g.graph.Mappings = append(g.graph.Mappings, m)
		}
		return true
	}, query, g.schemaIDs(), g.tenantID, g.limits.mappings+1)
	if err != nil {
		return fmt.Errorf("mappings: %w", err)
	}
	return nil
}

// readEntities ends with the removal of mappings whose entity is beyond the limits.
func (g *graphReader) readEntities() error {
	ids := g.schemaIDs()
	query := "SELECT " + g.entityColumns() + " FROM schemas WHERE " + confirmedStructs +
		" ORDER BY CASE WHEN id IN (SELECT target_schema_id FROM schema_mappings WHERE schema_id IN ?) THEN 0 ELSE 1 END, id DESC LIMIT ?"
	width := 0
	listed := map[int64]bool{}
	err := each(g, func(n int, row *entityRow) bool {
		fields, _ := schema.ParseFields(json.RawMessage(row.DetectedFields))
		width += len(fields)
		if n == g.limits.entities || width > g.limits.fields {
			return false
		}
		withoutSamples(fields)
		listed[row.ID] = true
		g.graph.Entities = append(g.graph.Entities, schema.Entity{
			ID: row.ID, TenantID: row.TenantID, Name: orZero(row.Name), Hash: row.Hash, Fields: fields,
		})
		return true
	}, query, g.tenantID, ids, g.limits.entities+1)
	if err != nil {
		return fmt.Errorf("entities: %w", err)
	}
	kept := g.graph.Mappings[:0]
	for _, m := range g.graph.Mappings {
		if listed[m.EntityID] {
			kept = append(kept, m)
		}
	}
	g.graph.Mappings = kept
	return nil
}

// schemaIDs is never empty, as the IN of a query must not be.
func (g *graphReader) schemaIDs() []int64 {
	ids := []int64{0}
	for _, s := range g.graph.Schemas {
		ids = append(ids, s.ID)
	}
	return ids
}

// each hands the rows of a query to use one after the other, with their number, so
// that only what is kept takes memory. When use wants no more the graph is truncated.
func each[T any](g *graphReader, use func(n int, row *T) bool, query string, args ...any) error {
	rows, err := g.Raw(query, args...).Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for n := 0; rows.Next(); n++ {
		var row T
		if err := g.ScanRows(rows, &row); err != nil {
			return err
		}
		if !use(n, &row) {
			g.graph.Truncated = true
			return nil
		}
	}
	return rows.Err()
}

// graphMappingRow is a mappingRow that knows its schema.
type graphMappingRow struct {
	SchemaID int64
	Row      mappingRow `gorm:"embedded"`
}

// mapping returns the row in the vocabulary, false when it names no target. People
// write definitions of other shapes by hand.
func (r *graphMappingRow) mapping() (schema.GraphMapping, bool) {
	var definition definitionJSON
	// What can not be read stays empty.
	_ = json.Unmarshal([]byte(orZero(r.Row.MappingDefinition)), &definition)
	field := definition.SchemaMapping.Fields[0]
	return schema.GraphMapping{
		SchemaID: r.SchemaID, EntityID: r.Row.TargetSchemaID, Source: cmp.Or(field.SourcePath, r.Row.FieldPath), Target: field.FieldName,
		Type: r.Row.MappingType, Formula: orZero(r.Row.FormulaExpression),
	}, field.FieldName != ""
}

// confidences are those of a recommendation. The app's table of mappings has no
// column for them.
type confidences map[proposal]float64

type proposal struct{ source, target, formula string }

func confidencesOf(recommendations *string) confidences {
	if recommendations == nil {
		return nil
	}
	r := decodeRecommendation(*recommendations)
	if r == nil {
		return nil
	}
	found := make(confidences, len(r.Mappings))
	for _, m := range r.Mappings {
		row, err := newMappingRow(m, 0, sideTypes{})
		if err != nil {
			continue
		}
		found[proposal{sourcePath(m), m.Target, orZero(row.FormulaExpression)}] = m.Confidence
	}
	return found
}

// of returns nil for a mapping that was not proposed like this: a human's.
func (c confidences) of(m schema.GraphMapping) *float64 {
	confidence, ok := c[proposal{m.Source, m.Target, m.Formula}]
	if !ok {
		return nil
	}
	return &confidence
}

func withoutSamples(fields []schema.Field) {
	for i := range fields {
		fields[i].Sample = nil
	}
}
