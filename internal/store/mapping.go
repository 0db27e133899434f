package store

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
)

// mappingRow is a row of the app's table schema_mappings.
type mappingRow struct {
	ID                int64
	TargetSchemaID    int64
	FieldPath         string
	MappingDefinition *string
	MappingType       string
	FormulaExpression *string
	FormulaLanguage   *string
}

// fingerprint notices when somebody edits a row that we wrote.
func (r mappingRow) fingerprint() string {
	text := func(s *string) string {
		if s == nil {
			return "\x01"
		}
		return *s
	}
	return digest(strings.Join([]string{
		strconv.FormatInt(r.TargetSchemaID, 10), r.FieldPath, text(r.MappingDefinition), r.MappingType,
		text(r.FormulaExpression), text(r.FormulaLanguage),
	}, "\x00"))[:12]
}

// ownWork is what our last run wrote into the app's tables: mappings and a name
// that are still as it left them may be replaced, everything else is a human's.
type ownWork struct {
	name     string
	mappings map[int64]string // fingerprint by id
	doubtful []int64          // ids of those that teach nothing, see analysis.Teaches
	current  []mappingRow     // the schema's mappings as they are now, ordered by id
}

// ownWorkQuestions ask for the work of our last run.
type ownWorkQuestions struct {
	questions [2]question
	schemaID  int64
	kept      struct{ OwnName, OwnMappings string }
	current   []mappingRow
}

// ownWork locks the mappings: an edit that is not committed yet is waited for and
// seen, since they may be deleted next.
func (t *tx) ownWork(schemaID int64) *ownWorkQuestions {
	q := &ownWorkQuestions{schemaID: schemaID}
	id := []any{schemaID}
	q.questions = [2]question{
		{dest: &q.kept, sql: "SELECT own_name, own_mappings FROM schemacast_streams WHERE schema_id = ?", args: id},
		{dest: &q.current, sql: "SELECT id, target_schema_id, field_path, " + t.store.dialect.text("mapping_definition") +
			" AS mapping_definition, mapping_type, formula_expression, formula_language FROM schema_mappings WHERE schema_id = ?" + t.store.dialect.forUpdate, args: id},
	}
	return q
}

// read returns the work once the questions were answered. The mappings are sorted here: in
// a table that PostgreSQL knows nothing of yet, it would follow the index of their ids
// through all of them rather than sort a few.
func (q *ownWorkQuestions) read() (*ownWork, error) {
	slices.SortFunc(q.current, func(a, b mappingRow) int { return cmp.Compare(a.ID, b.ID) })
	mine := &ownWork{name: q.kept.OwnName, current: q.current}
	if q.kept.OwnMappings == "" {
		return mine, nil
	}
	if err := json.Unmarshal([]byte(q.kept.OwnMappings), &mine.mappings); err != nil {
		return nil, fmt.Errorf("schemacast_streams.own_mappings of schema %d is damaged: %w", q.schemaID, err)
	}
	return mine, nil
}

// byHumans are the mappings that our last run did not write, or that somebody
// changed since.
func (w *ownWork) byHumans() []mappingRow {
	var rows []mappingRow
	for _, row := range w.current {
		if w.mappings[row.ID] != row.fingerprint() {
			rows = append(rows, row)
		}
	}
	return rows
}

// noted are the values of the columns of a stream that hold the work.
func (w *ownWork) noted() ([]any, error) {
	encoded, err := json.Marshal(w.mappings)
	if err != nil {
		return nil, err
	}
	var last int64
	for id := range w.mappings {
		last = max(last, id)
	}
	return []any{w.name, string(encoded), last, idList(w.doubtful)}, nil
}

// idList writes ids so that one can be found by a pattern: ,17,18,
func idList(ids []int64) string {
	if len(ids) == 0 {
		return ""
	}
	var list strings.Builder
	for _, id := range ids {
		list.WriteString("," + strconv.FormatInt(id, 10))
	}
	return list.String() + ","
}

// stateDigest identifies all that a human decides about a schema. A difference
// between the first claim and the commit means that somebody decided meanwhile.
func stateDigest(record *schemaRow, mine *ownWork) string {
	var text strings.Builder
	text.WriteString(record.Status + "\x00" + record.Type)
	for _, row := range mine.byHumans() {
		fmt.Fprintf(&text, "\x00%d %s", row.ID, row.fingerprint())
	}
	return digest(text.String())
}

// humanDecided says whether a human decided about the schema: meanwhile, or earlier
// by mapping it by hand or by rejecting it while the run waited for its first claim.
func (x *commitment) humanDecided() bool {
	return schema.Kind(x.record.Type) != schema.KindInput || schema.Status(x.record.Status) == schema.StatusRejected ||
		len(x.mine.byHumans()) > 0 || stateDigest(x.record, x.mine) != x.run.ClaimedState
}

// replaceMappings deletes the mappings that are there, which are ours unless the
// request has force, inserts the new ones, and notes what it wrote.
func (x *commitment) replaceMappings(entity *entityRow) error {
	var old []int64
	for _, row := range x.mine.current {
		old = append(old, row.ID)
	}
	for ids := range slices.Chunk(old, maxParameters) {
		x.later("delete the old mappings", "DELETE FROM schema_mappings WHERE id IN ?", ids)
	}
	types, err := fieldTypes(x.record, entity)
	if err != nil {
		return err
	}
	mappings := x.recommendation.Mappings
	x.mine.mappings = make(map[int64]string, len(mappings))
	for chunk := range slices.Chunk(mappings, maxParameters/mappingParameters) {
		if err := x.insertMappings(entity.ID, types, chunk); err != nil {
			return err
		}
	}
	return nil
}

const (
	// maxParameters of one statement. SQLite takes 32,766 and PostgreSQL 65,535, but
	// the cost of binding them grows with the square of their number in SQLite.
	maxParameters     = 3500
	mappingParameters = 7
)

func (x *commitment) insertMappings(entityID int64, types sideTypes, mappings []schema.Mapping) error {
	now := x.store.dialect.appNow
	values := make([]string, len(mappings))
	rows := make([]mappingRow, len(mappings))
	args := make([]any, 0, len(mappings)*mappingParameters)
	for i, m := range mappings {
		row, err := newMappingRow(m, entityID, types)
		if err != nil {
			return err
		}
		rows[i] = row
		values[i] = "(?, ?, ?, ?, ?, ?, ?, " + now + ", " + now + ")"
		args = append(args, x.record.ID, row.TargetSchemaID, row.FieldPath, row.MappingDefinition,
			row.MappingType, row.FormulaExpression, row.FormulaLanguage)
	}
	var ids []int64
	_, err := x.query(&ids, "INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, mapping_definition, "+
		"mapping_type, formula_expression, formula_language, created_at, updated_at) VALUES "+strings.Join(values, ", ")+" RETURNING id", args...)
	if err != nil {
		return fmt.Errorf("insert %d mappings: %w", len(mappings), err)
	}
	// Ids are given in the order of the values; the order of RETURNING is not promised.
	slices.Sort(ids)
	for i, id := range ids {
		x.mine.mappings[id] = rows[i].fingerprint()
		if !analysis.Teaches(mappings[i]) {
			x.mine.doubtful = append(x.mine.doubtful, id)
		}
	}
	return nil
}
