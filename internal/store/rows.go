package store

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/schemacast/schemacast/internal/schema"
)

// appTime is how the app's timestamps are read.
const appTime = "2006-01-02 15:04:05"

// schemaRow is a row of the app's table schemas, with its tenant's name.
type schemaRow struct {
	ID               int64
	TenantID         string
	TenantName       *string
	Hash             string
	Name             *string
	Type             string
	Status           string
	AIAnalysisStatus string `gorm:"column:ai_analysis_status"`
	DetectedFields   string
	SampleData       string
	CreatedAt        *string
	// UntouchedFor is the number of seconds since the row was last changed.
	UntouchedFor int64
}

// schemaByID asks for a row, and locks it until the end of the transaction if told to.
func (t *tx) schemaByID(row *schemaRow, found *int64, id int64, lock bool) question {
	d := t.store.dialect
	sql := "SELECT s.id, s.tenant_id, s.hash, s.name, s.type, s.status, s.ai_analysis_status, " +
		d.text("s.detected_fields") + " AS detected_fields, " + d.text("s.sample_data") + " AS sample_data, " +
		d.time("s.created_at") + " AS created_at, COALESCE(" + d.age("s.updated_at") + ", 0) AS untouched_for, (SELECT t.name FROM tenants t WHERE t.id = s.tenant_id) AS tenant_name " +
		"FROM schemas s WHERE s.id = ?"
	if lock {
		sql += d.forUpdate
	}
	return question{dest: row, n: found, sql: sql, args: []any{id}}
}

// selectSchema is schemaByID alone. errNoRow means that there is none.
func (t *tx) selectSchema(id int64, lock bool) (*schemaRow, error) {
	var row schemaRow
	var found int64
	if err := t.ask(t.schemaByID(&row, &found, id, lock)); err != nil {
		return nil, fmt.Errorf("read schema %d: %w", id, err)
	}
	if found == 0 {
		return nil, errNoRow
	}
	return &row, nil
}

// errNoRow stays inside the package: callers get a word of their own for it.
var errNoRow = errors.New("no such row")

// schema returns the row in the vocabulary. An error is a *schema.FieldsError; the
// schema is complete but for its Fields then.
func (r *schemaRow) schema() (schema.Schema, error) {
	s := r.unparsed()
	fields, err := schema.ParseFields(s.RawFields)
	s.Fields = fields
	return s, err
}

// unparsed is the schema without its Fields.
func (r *schemaRow) unparsed() schema.Schema {
	s := schema.Schema{
		ID:             r.ID,
		TenantID:       r.TenantID,
		TenantName:     "Unknown",
		Hash:           r.Hash,
		Kind:           schema.Kind(r.Type),
		Status:         schema.Status(r.Status),
		AnalysisStatus: schema.AnalysisStatus(r.AIAnalysisStatus),
		RawFields:      json.RawMessage(r.DetectedFields),
		RawSamples:     json.RawMessage(r.SampleData),
	}
	if r.TenantName != nil {
		s.TenantName = *r.TenantName
	}
	if r.Name != nil {
		s.Name = *r.Name
	}
	s.CreatedAt = parseAppTime(r.CreatedAt)
	return s
}

// entityRow is a canonical entity.
type entityRow struct {
	ID             int64
	TenantID       string
	Name           *string
	Hash           string
	Status         string
	DetectedFields string
}

func (t *tx) entityColumns() string { return entityColumns(t.store.dialect) }

func entityColumns(d dialect) string {
	return "id, tenant_id, name, hash, status, " + d.text("detected_fields") + " AS detected_fields"
}

// entity returns the row in the vocabulary, false for one that can not be matched
// against: no name, or no usable fields.
func (r *entityRow) entity() (schema.Entity, bool) {
	fields, err := schema.ParseFields(json.RawMessage(r.DetectedFields))
	if err != nil || r.Name == nil || *r.Name == "" {
		return schema.Entity{}, false
	}
	return schema.Entity{
		ID:        r.ID,
		TenantID:  r.TenantID,
		Name:      *r.Name,
		Hash:      r.Hash,
		Fields:    fields,
		RawFields: json.RawMessage(r.DetectedFields),
	}, true
}

func entities(rows []entityRow) []schema.Entity {
	list := make([]schema.Entity, 0, len(rows))
	for i := range rows {
		if e, ok := rows[i].entity(); ok {
			list = append(list, e)
		}
	}
	return list
}
