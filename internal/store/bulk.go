package store

import (
	"encoding/json"

	"github.com/jackc/pgx/v5/pgtype"
)

// anyOf is a condition that takes any number of ids in one parameter: a statement with
// thousands of parameters is parsed anew each time.
func (d dialect) anyOf(ids []int64) (condition string, arg any) {
	if d.name == Postgres {
		return "= ANY (?)", pgArray(ids)
	}
	return "IN (SELECT value FROM json_each(?))", jsonText(ids)
}

// newRuns is a table n of ids for runs, and of their schemas and tenants.
func (d dialect) newRuns(rows []chosenRow) (table string, args []any) {
	if d.name == Postgres {
		runs, schemas, tenants := make([]string, len(rows)), make([]int64, len(rows)), make([]string, len(rows))
		for i, row := range rows {
			runs[i], schemas[i], tenants[i] = newID(), row.ID, row.TenantID
		}
		return "unnest(?::text[], ?::bigint[], ?::text[]) AS n (id, schema_id, tenant_id)", []any{pgArray(runs), pgArray(schemas), pgArray(tenants)}
	}
	values := make([][3]any, len(rows))
	for i, row := range rows {
		values[i] = [3]any{newID(), row.ID, row.TenantID}
	}
	return "(SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS schema_id, json_extract(value, '$[2]') AS tenant_id " +
		"FROM json_each(?)) AS n", []any{jsonText(values)}
}

// pgArray is a struct, so that gorm does not make a list of parameters of it.
func pgArray[T any](elements []T) pgtype.Array[T] {
	whole := []pgtype.ArrayDimension{{Length: int32(len(elements)), LowerBound: 1}} // a page is short
	return pgtype.Array[T]{Elements: elements, Dims: whole, Valid: true}
}

func jsonText(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "[]" // ids and strings are always JSON
	}
	return string(text)
}
