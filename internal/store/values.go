package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/schemacast/schemacast/internal/schema"
)

// jsonValue is one value as JSON.
type jsonValue = json.RawMessage

const (
	// maxValues of a field are kept, of as many schemas.
	maxValues = 3
	// maxValue bounds one, in bytes.
	maxValue = 256
	// sampledSchemas is how many schemas of a tenant are looked into for values, the
	// newest first, and maxSampleData how much each may hold, in bytes.
	sampledSchemas = 500
	maxSampleData  = 64 << 10
	sampledBatch   = 100
)

// wanted is a field of a schema whose value is wanted for a field of an entity.
type wanted struct {
	target nameIn
	place  sourcePlace
}

// sources are the fields whose values are wanted, by schema.
func (w *weighing) sources() map[int64][]wanted {
	bySchema := make(map[int64][]wanted)
	for target, places := range w.paths {
		for _, place := range places {
			bySchema[place.schemaID] = append(bySchema[place.schemaID], wanted{target, place})
		}
	}
	return bySchema
}

// values reads sample values from the schemas that were mapped before. They stay in
// this process, to be compared with values of other sources.
func (s *Store) values(ctx context.Context, tenantID string, bySchema map[int64][]wanted) (map[int64]map[string][]jsonValue, error) {
	ids := make([]int64, 0, len(bySchema))
	for id := range bySchema {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b int64) int { return cmp.Compare(b, a) })
	values := make(map[int64]map[string][]jsonValue)
	for batch := range slices.Chunk(ids[:min(len(ids), sampledSchemas)], sampledBatch) {
		var rows []struct {
			ID         int64
			SampleData string
		}
		text := s.dialect.text("sample_data")
		err := s.db.WithContext(ctx).Raw("SELECT id, "+text+" AS sample_data FROM schemas WHERE tenant_id = ? AND id IN ? AND length("+text+") <= ? ORDER BY id DESC",
			tenantID, batch, maxSampleData).Scan(&rows).Error
		if err != nil {
			return nil, fmt.Errorf("read values of what was mapped before: %w", translate(err))
		}
		for _, row := range rows {
			pickValues(json.RawMessage(row.SampleData), bySchema[row.ID], values)
		}
	}
	return values, nil
}

func pickValues(samples json.RawMessage, fields []wanted, values map[int64]map[string][]jsonValue) {
	for _, raw := range schema.SampleRows(samples, 1) {
		var row map[string]json.RawMessage
		if json.Unmarshal(raw, &row) != nil {
			continue
		}
		for _, f := range fields {
			value := valueAt(row, f.place.path)
			if value == nil {
				continue
			}
			entity := values[f.target.entityID]
			if entity == nil {
				entity = make(map[string][]jsonValue)
				values[f.target.entityID] = entity
			}
			have := entity[f.target.name]
			known := slices.ContainsFunc(have, func(v jsonValue) bool { return bytes.Equal(v, value) })
			if len(have) < maxValues && !known {
				entity[f.target.name] = append(have, value)
			}
		}
	}
}

// valueAt is a scalar of a row, nil when there is none, or only a long one. A dotted
// path may be a key with dots.
func valueAt(row map[string]json.RawMessage, path string) jsonValue {
	value, ok := row[path]
	if !ok {
		for at := range len(path) {
			if path[at] != '.' {
				continue
			}
			var inner map[string]json.RawMessage
			if object, ok := row[path[:at]]; ok && json.Unmarshal(object, &inner) == nil && inner != nil {
				return valueAt(inner, path[at+1:])
			}
		}
		return nil
	}
	if len(value) == 0 || len(value) > maxValue || value[0] == '{' || value[0] == '[' || string(value) == "null" {
		return nil
	}
	return bytes.Clone(value)
}
