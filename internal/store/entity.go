package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// confirmedStructs is what makes a row a canonical entity of a tenant.
const confirmedStructs = "tenant_id = ? AND type = 'struct' AND status = 'confirmed'"

// Entities implements analysis.Catalog. The fields come with the names and values of
// what was mapped to them before, see lesson.
func (s *Store) Entities(ctx context.Context, tenantID string) ([]schema.Entity, error) {
	var rows []entityRow
	query := "SELECT " + entityColumns(s.dialect) + " FROM schemas WHERE " + confirmedStructs + " ORDER BY id"
	if err := s.db.WithContext(ctx).Raw(query, tenantID).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read the entities of a tenant: %w", translate(err))
	}
	list := entities(rows)
	if len(list) == 0 {
		return nil, nil
	}
	lesson, err := s.lessons.of(ctx, tenantID, s.cfg.LearnEvery, s.learn)
	if err != nil {
		return nil, err
	}
	lesson.teach(list)
	return list, nil
}

// noEntities is the version of a tenant without any.
const noEntities = "0"

// EntityVersion implements analysis.Catalog. It reads no fields: reading and parsing those of ten
// thousand entities takes a second. It is empty where the database can not tell.
func (s *Store) EntityVersion(ctx context.Context, tenantID string) (string, error) {
	if s.dialect.rowVersion == "" {
		return "", nil
	}
	version := s.glances.fresh(tenantID)
	if version == "" {
		began := time.Now()
		query := "SELECT concat_ws(' ', count(*), sum(" + s.dialect.rowVersion + ")) FROM schemas WHERE " + confirmedStructs
		if err := s.single(ctx, question{dest: &version, sql: query, args: []any{tenantID}}); err != nil {
			return "", fmt.Errorf("read the version of a tenant's entities: %w", translate(err))
		}
		if s.cfg.LearnEvery >= 0 {
			s.glances.keep(tenantID, version, began)
		}
	}
	if version == noEntities {
		return version, nil
	}
	lesson, err := s.lessons.of(ctx, tenantID, s.cfg.LearnEvery, s.learn)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %d", version, lesson.number), nil
}

// rematch lets the decision to create an entity be made again when entities appeared
// since, and locks the tenant, so that two workers can not both create the same one.
// Matching against thousands of them takes a second, and others wait for the lock:
// what is there already is matched before it is taken, and under it only what was
// committed in between.
func (t *tx) rematch(r *runRow, d run.Decision) (analysis.Recommendation, error) {
	seen := make(map[int64]bool, len(d.Result.Seen))
	maps.Copy(seen, d.Result.Seen)
	recommendation := d.Result.Recommendation
	appeared, err := t.appeared(r.TenantID, seen)
	if err != nil {
		return recommendation, err
	}
	if len(appeared) > 0 {
		recommendation = d.Rematch(appeared)
	}
	if recommendation.Action != analysis.ActionCreateNew {
		return recommendation, nil
	}
	if err := t.lockTenant(r.TenantID); err != nil {
		return recommendation, err
	}
	if appeared, err = t.appeared(r.TenantID, seen); err != nil || len(appeared) == 0 {
		return recommendation, err
	}
	// Matched against these alone, so only a twin among them is news.
	if again := d.Rematch(appeared); again.Action != analysis.ActionCreateNew {
		return again, nil
	}
	return recommendation, nil
}

func (t *tx) lockTenant(tenantID string) error {
	if _, err := t.exec("INSERT INTO schemacast_tenants (tenant_id) VALUES (?) ON CONFLICT (tenant_id) DO NOTHING", tenantID); err != nil {
		return fmt.Errorf("lock the tenant: %w", err)
	}
	var version int64
	if _, err := t.query(&version, "SELECT entity_version FROM schemacast_tenants WHERE tenant_id = ?"+t.store.dialect.forUpdate, tenantID); err != nil {
		return fmt.Errorf("lock the tenant: %w", err)
	}
	return nil
}

// appeared are the tenant's entities that are not among seen, and puts them there. The
// ids are compared and not only our version, since the app and its users create
// entities too.
func (t *tx) appeared(tenantID string, seen map[int64]bool) ([]schema.Entity, error) {
	var ids, added []int64
	if _, err := t.query(&ids, "SELECT id FROM schemas WHERE "+confirmedStructs+" ORDER BY id", tenantID); err != nil {
		return nil, fmt.Errorf("look for new entities: %w", err)
	}
	for _, id := range ids {
		if !seen[id] {
			added = append(added, id)
			seen[id] = true
		}
	}
	var list []schema.Entity
	for batch := range slices.Chunk(added, maxParameters) {
		var rows []entityRow
		query := "SELECT " + t.entityColumns() + " FROM schemas WHERE id IN ? AND " + confirmedStructs + " ORDER BY id"
		if _, err := t.query(&rows, query, batch, tenantID); err != nil {
			return nil, fmt.Errorf("read new entities: %w", err)
		}
		list = append(list, entities(rows)...)
	}
	return list, nil
}

// entityByID asks for an entity of the schema's tenant, other than the schema itself.
func (t *tx) entityByID(row *entityRow, found *int64, id int64, s schema.Schema) question {
	sql := "SELECT " + t.entityColumns() + " FROM schemas WHERE id = ? AND " + confirmedStructs + " AND id <> ?"
	return question{dest: row, n: found, sql: sql, args: []any{id, s.TenantID, s.ID}}
}

// entityFor returns the entity of the recommendation, creating it if need be.
// errNoRow means that the entity, or one of the fields mapped to, does not exist any
// more.
func (x *commitment) entityFor() (*entityRow, error) {
	if x.recommendation.Action == analysis.ActionCreateNew {
		return x.createEntity(x.run, x.recommendation)
	}
	if x.entity == nil || !x.entity.hasTargets(x.recommendation.Mappings) {
		return nil, errNoRow
	}
	return x.entity, nil
}

func (r *entityRow) hasTargets(mappings []schema.Mapping) bool {
	entity, ok := r.entity()
	if !ok {
		return false
	}
	known := make(map[string]bool, len(entity.Fields))
	for _, f := range entity.Fields {
		known[f.Name] = true
	}
	for _, m := range mappings {
		if !known[m.Target] {
			return false
		}
	}
	return true
}

// createEntity inserts a canonical entity, or finds the one with the same fields.
// The app's hashes are unique over all tenants and kinds of rows, so where a
// foreign row, or the schema itself, holds the hash, the entity is stored under one
// that is salted with the tenant. The salted one is looked for first.
func (t *tx) createEntity(r *runRow, recommendation analysis.Recommendation) (*entityRow, error) {
	plain := schema.StructHash(recommendation.Fields)
	salted := schema.SaltedHash(r.TenantID, schema.KindStruct, plain)
	for _, hash := range []string{salted, plain} {
		var row entityRow
		n, err := t.query(&row, "SELECT "+t.entityColumns()+" FROM schemas WHERE hash = ? AND "+confirmedStructs, hash, r.TenantID)
		if err != nil {
			return nil, fmt.Errorf("look for an equal entity: %w", err)
		}
		if n == 1 && row.hasTargets(recommendation.Mappings) {
			return &row, nil
		}
	}
	name, err := t.freeEntityName(r.TenantID, recommendation.EntityName)
	if err != nil {
		return nil, err
	}
	for _, hash := range []string{plain, salted} {
		row, err := t.insertEntity(r.TenantID, hash, name, recommendation.Fields)
		if err != nil {
			return nil, err
		}
		if row != nil {
			_, err = t.exec("UPDATE schemacast_tenants SET entity_version = entity_version + 1 WHERE tenant_id = ?", r.TenantID)
			return row, err
		}
	}
	return nil, fmt.Errorf("entity %q can not be stored: the hashes %s and %s both belong to rows that are no confirmed entity of this tenant; confirm or delete that row",
		name, plain, salted)
}

// insertEntity returns nil when another row holds the hash.
func (t *tx) insertEntity(tenantID, hash, name string, fields []schema.Field) (*entityRow, error) {
	encoded, err := encodeEntityFields(fields)
	if err != nil {
		return nil, err
	}
	sample, err := encodeEntitySample(fields)
	if err != nil {
		return nil, err
	}
	now := t.store.dialect.appNow
	row := entityRow{TenantID: tenantID, Name: &name, Hash: hash, Status: string(schema.StatusConfirmed), DetectedFields: encoded}
	n, err := t.query(&row.ID, "INSERT INTO schemas (tenant_id, name, hash, type, status, detected_fields, sample_data, ai_analysis_status, ai_analyzed_at, created_at, updated_at) "+
		"VALUES (?, ?, ?, 'struct', 'confirmed', ?, ?, 'completed', "+now+", "+now+", "+now+") ON CONFLICT (hash) DO NOTHING RETURNING id",
		tenantID, name, hash, encoded, sample)
	if err != nil {
		return nil, fmt.Errorf("insert entity %q: %w", name, err)
	}
	if n == 0 {
		return nil, nil
	}
	return &row, nil
}

// freeEntityName makes the name unique among the tenant's entities: the app's
// screens build the ids of graph nodes from it.
func (t *tx) freeEntityName(tenantID, wanted string) (string, error) {
	wanted = clip(wanted, maxVarchar-10)
	var taken []string
	_, err := t.query(&taken, "SELECT lower(name) FROM schemas WHERE "+confirmedStructs+" AND lower(name) LIKE lower(?) ESCAPE '\\'",
		tenantID, likePrefix(wanted))
	if err != nil {
		return "", fmt.Errorf("look for entities with the same name: %w", err)
	}
	used := make(map[string]bool, len(taken))
	for _, name := range taken {
		used[strings.ToLower(name)] = true // SQLite knows the case of ASCII only
	}
	name := wanted
	for i := 2; used[strings.ToLower(name)]; i++ {
		name = fmt.Sprintf("%s%d", wanted, i)
	}
	return name, nil
}

func likePrefix(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

// mappedEntity is the entity that the schema's mappings lead to, nil when there is
// none of this tenant, and the number of mappings.
func (t *tx) mappedEntity(record *schemaRow) (*entityRow, int, error) {
	var count int
	if _, err := t.query(&count, "SELECT count(*) FROM schema_mappings WHERE schema_id = ?", record.ID); err != nil {
		return nil, 0, fmt.Errorf("count the mappings: %w", err)
	}
	var row entityRow
	n, err := t.query(&row, "SELECT "+t.entityColumns()+" FROM schemas WHERE tenant_id = ? AND type = 'struct' AND id = "+
		"(SELECT target_schema_id FROM schema_mappings WHERE schema_id = ? ORDER BY id LIMIT 1)", record.TenantID, record.ID)
	if err != nil {
		return nil, 0, fmt.Errorf("read the mapped entity: %w", err)
	}
	if n == 0 {
		return nil, count, nil
	}
	return &row, count, nil
}

func (r *entityRow) completed() *schema.CompletedEntity {
	if r == nil {
		return nil
	}
	e := &schema.CompletedEntity{ID: r.ID, Hash: r.Hash, Kind: schema.KindStruct, Fields: json.RawMessage(r.DetectedFields)}
	if r.Name != nil {
		e.Name = *r.Name
	}
	return e
}
