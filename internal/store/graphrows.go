package store

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/schemacast/schemacast/internal/schema"
)

// graphRow is a schemaRow with what our tables know of it.
type graphRow struct {
	Schema          schemaRow `gorm:"embedded"`
	LastSeq         *int64
	AnalyzedAt      *string
	AnalysisError   *string
	Recommendations *string

	RunID       *string
	RunState    string
	RunActive   bool
	RunAttempts int
	RunError    string
	RunCode     string
	RequestedMs *int64
	StartedMs   *int64
	EndedMs     *int64
}

// graphSelect selects graphRows, without sample_data, which can be large.
func graphSelect(d dialect) string {
	return "SELECT s.id, s.tenant_id, s.hash, s.name, s.type, s.status, s.ai_analysis_status, " + d.text("s.detected_fields") + " AS detected_fields, " +
		d.time("s.created_at") + " AS created_at, " + d.time("s.ai_analyzed_at") + " AS analyzed_at, w.last_seq, " +
		"CASE WHEN s.ai_analysis_status = 'failed' THEN s.ai_analysis_error END AS analysis_error, " +
		d.text("s.ai_recommendations") + " AS recommendations, r.id AS run_id, COALESCE(r.state, '') AS run_state, " +
		"r.active_schema_id IS NOT NULL AS run_active, COALESCE(r.attempts, 0) AS run_attempts, COALESCE(r.error_text, '') AS run_error, " +
		"COALESCE(r.error_code, '') AS run_code, r.requested_ms, r.started_ms, r.ended_ms " +
		"FROM schemas s LEFT JOIN schemacast_streams w ON w.schema_id = s.id LEFT JOIN schemacast_runs r ON r.id = " +
		"(SELECT id FROM schemacast_runs WHERE schema_id = s.id ORDER BY requested_ms DESC, id DESC LIMIT 1) "
}

func (t *tx) graphSchema(row *graphRow) schema.GraphSchema {
	// Fields that can not be used are no reason to hide the schema.
	parsed, _ := row.Schema.schema()
	parsed.RawFields, parsed.RawSamples = nil, nil
	withoutSamples(parsed.Fields)
	s := schema.GraphSchema{
		Schema: parsed, Seq: orZero(row.LastSeq), AnalyzedAt: parseAppTime(row.AnalyzedAt), Error: orZero(row.AnalysisError),
	}
	if row.RunID != nil {
		s.Run = &schema.GraphRun{
			ID: *row.RunID, State: row.RunState, Attempts: row.RunAttempts, MaxAttempts: t.store.cfg.MaxAttempts,
			Error: row.RunError, Code: row.RunCode,
			Requested: timeOf(row.RequestedMs), Started: timeOf(row.StartedMs), Ended: timeOf(row.EndedMs),
		}
		if row.RunActive || parsed.AnalysisStatus == schema.AnalysisFailed {
			s.Error = cmp.Or(row.RunError, s.Error)
		}
	}
	return s
}

// readSchemas reads one row more than the page takes, to know whether there are more.
func (g *graphReader) readSchemas() error {
	where := "WHERE s.tenant_id = ? AND s.type <> 'struct' AND s.id < ?"
	args := []any{g.wanted.TenantID, before(g.at.ID)}
	if g.delta != nil {
		changed, values := g.changedSchemas()
		where, args = where+" AND "+changed, append(args, values...)
	}
	width := 0
	stopped, err := each(g.tx, func(n int, row *graphRow) bool {
		s := g.graphSchema(row)
		width += len(s.Fields)
		if n == g.limit || (n > 0 && width > g.fields) {
			return false
		}
		g.confidences[s.ID] = judge(&s, row.Recommendations)
		g.page.Schemas = append(g.page.Schemas, s)
		return true
	}, graphSelect(g.store.dialect)+where+" ORDER BY s.id DESC LIMIT ?", append(args, g.limit+1)...)
	if err != nil {
		return fmt.Errorf("schemas: %w", err)
	}
	g.more = stopped
	return nil
}

// before is the bound of ids of a page that begins after id.
func before(id int64) int64 {
	if id == 0 {
		return math.MaxInt64
	}
	return id
}

// changedSchemas is the condition of a delta. The app writes whole seconds. What a run does
// without touching the app's row is in our tables: it ended, it is taken, or it was given
// back, which ends an attempt. It is one list, and no OR of lists, which PostgreSQL would
// search for every row.
func (g *graphReader) changedSchemas() (condition string, args []any) {
	from, ms, tenantID := g.delta.from.Format(appTime), g.delta.from.UnixMilli(), g.wanted.TenantID
	own := "updated_at >= ? OR created_at >= ?"
	args = []any{tenantID, from, from}
	if len(g.delta.buckets) > 0 {
		own += fmt.Sprintf(" OR id %% %d IN ?", mappingBuckets)
		args = append(args, g.delta.buckets)
	}
	condition = "s.id IN (SELECT id FROM schemas WHERE tenant_id = ? AND (" + own + ") UNION " +
		"SELECT schema_id FROM schemacast_runs WHERE ended_ms >= ? UNION " +
		"SELECT o.schema_id FROM schemacast_runs o WHERE o.tenant_id = ? AND o.state IN ('requested', 'running') AND " +
		"(o.state = 'running' OR o.requested_ms >= ? OR o.asked_ms >= ? OR o.fence > 0 AND NOT EXISTS " +
		"(SELECT 1 FROM schemacast_attempts a WHERE a.run_id = o.id AND a.fence >= o.fence AND a.ended_ms < ?))"
	args = append(args, ms, tenantID, ms, ms, ms)
	if g.delta.mappings {
		condition, args = condition+" UNION SELECT schema_id FROM schema_mappings WHERE updated_at >= ?", append(args, from)
	}
	return condition + ")", args
}

// linkedEntities are what one schema leads to, whatever the definitions say.
type linkedEntities struct {
	entities []int64
	links    []schema.GraphLink
}

// readLinks leaves out what leads to anything but an entity of the tenant: rows that
// older programs wrote may.
func (g *graphReader) readLinks() error {
	g.linked = make([]linkedEntities, len(g.page.Schemas))
	place := make(map[int64]int, len(g.page.Schemas))
	ids := make([]int64, len(g.page.Schemas))
	for i, s := range g.page.Schemas {
		ids[i], place[s.ID] = s.ID, i
	}
	if len(ids) == 0 {
		return nil
	}
	sums := map[[2]int64]*linkSum{}
	_, err := each(g.tx, func(_ int, row *graphMappingRow) bool {
		of := &g.linked[place[row.SchemaID]]
		key := [2]int64{row.SchemaID, row.Row.TargetSchemaID}
		if sums[key] == nil {
			sums[key] = &linkSum{}
			of.entities = append(of.entities, row.Row.TargetSchemaID)
		}
		if m, ok := row.mapping(); ok {
			sums[key].add(g.confidences[row.SchemaID].of(m))
		}
		return true
	}, graphMappings(g.store.dialect)+" ORDER BY m.schema_id DESC, m.id", ids, g.wanted.TenantID)
	if err != nil {
		return fmt.Errorf("mappings: %w", err)
	}
	for i, s := range g.page.Schemas {
		for _, entity := range g.linked[i].entities {
			if sum := sums[[2]int64{s.ID, entity}]; sum.fields > 0 {
				g.linked[i].links = append(g.linked[i].links, sum.link(s.ID, entity))
			}
		}
	}
	return nil
}

// entitiesAtOnce is how many entities one query asks for: where they are wide, most of the
// page would be thrown away.
const entitiesAtOnce = 50

// readLinkedEntities reads in the order of the schemas, those of the first one in any case.
func (g *graphReader) readLinkedEntities() error {
	g.known = map[int64]int{}
	query := "SELECT " + g.entityColumns() + " FROM schemas WHERE id IN ? AND " + confirmedStructs + " ORDER BY id DESC"
	var ids []int64
	seen := map[int64]bool{}
	width := 0
	for i, of := range g.linked {
		for _, id := range of.entities {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
		last := i == len(g.linked)-1
		if len(ids) == 0 || (i > 0 && !last && len(ids) < entitiesAtOnce) {
			continue
		}
		for chunk := range slices.Chunk(ids, maxParameters) {
			_, err := each(g.tx, func(_ int, row *entityRow) bool {
				e := row.drawn()
				width += len(e.Fields)
				g.known[e.ID] = len(e.Fields)
				g.page.Entities = append(g.page.Entities, e)
				return width <= g.fields
			}, query, chunk, g.wanted.TenantID)
			if err != nil {
				return fmt.Errorf("entities: %w", err)
			}
		}
		if ids = ids[:0]; width > g.fields {
			break
		}
	}
	return nil
}

// readOtherEntities fills the rest of the page with the entities that no schema leads to,
// or with those that changed.
func (g *graphReader) readOtherEntities() error {
	room, width := g.limit-len(g.page.Schemas), g.width()
	if room <= 0 {
		return g.next(graphCursor{Entities: true})
	}
	query := "SELECT " + g.entityColumns() + " FROM schemas WHERE " + confirmedStructs + " AND id < ? AND "
	where := "NOT EXISTS (SELECT 1 FROM schema_mappings m JOIN schemas f ON f.id = m.schema_id WHERE m.target_schema_id = schemas.id " +
		"AND f.tenant_id = schemas.tenant_id AND f.type <> 'struct')"
	args := []any{g.wanted.TenantID, before(g.at.ID)}
	if g.delta != nil {
		where = "(updated_at >= ? OR created_at >= ?)"
		args = append(args, g.delta.from.Format(appTime), g.delta.from.Format(appTime))
	}
	var last int64
	stopped, err := each(g.tx, func(n int, row *entityRow) bool {
		e := row.drawn()
		width += len(e.Fields)
		if n == room || (width > g.fields && len(g.page.Schemas)+n > 0) {
			return false
		}
		last = e.ID
		if _, told := g.known[e.ID]; !told {
			g.page.Entities = append(g.page.Entities, e)
		}
		return true
	}, query+where+" ORDER BY id DESC LIMIT ?", append(args, room+1)...)
	if err != nil {
		return fmt.Errorf("entities: %w", err)
	}
	if stopped {
		return g.next(graphCursor{Entities: true, ID: cmp.Or(last, g.at.ID)})
	}
	return nil
}

// graphMappingRow is a mappingRow that knows its schema.
type graphMappingRow struct {
	SchemaID int64
	Row      mappingRow `gorm:"embedded"`
}

// graphMappings selects the mappings of schemas that lead to entities of a tenant.
func graphMappings(d dialect) string {
	return "SELECT m.schema_id, m.id, m.target_schema_id, m.field_path, " + d.text("m.mapping_definition") + " AS mapping_definition, " +
		"m.mapping_type, m.formula_expression FROM schema_mappings m WHERE m.schema_id IN ? AND m.target_schema_id IN (SELECT id FROM schemas WHERE " +
		confirmedStructs + ")"
}

// mapping returns the row in the vocabulary, false when it names no target. People
// write definitions of other shapes by hand.
func (r *graphMappingRow) mapping() (schema.DetailMapping, bool) {
	var definition definitionJSON
	// What can not be read stays empty.
	_ = json.Unmarshal([]byte(orZero(r.Row.MappingDefinition)), &definition)
	field := definition.SchemaMapping.Fields[0]
	return schema.DetailMapping{
		EntityID: r.Row.TargetSchemaID, Source: cmp.Or(field.SourcePath, r.Row.FieldPath), Target: field.FieldName,
		Type: r.Row.MappingType, Formula: orZero(r.Row.FormulaExpression),
	}, field.FieldName != ""
}
