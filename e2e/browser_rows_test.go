package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/pusher/pusher-http-go/v5"
)

// This file holds what scripts of web/browser have done in the database and at Soketi.

// browserShape is a schema as the app's ingestion writes it.
type browserShape struct {
	Name   *string         `json:"name"`
	Fields json.RawMessage `json:"fields"`
}

// addSchemas inserts rows, asks for their analysis and returns their ids.
func (c *control) addSchemas(o order) any {
	c.t.Helper()
	var ids []string
	for i, shape := range o.Shapes {
		ids = append(ids, c.value(`INSERT INTO schemas (created_at, updated_at, hash, tenant_id, name, sample_data, detected_fields)
			VALUES (now(), now(), $1, $2, $3, '{}', $4::text::jsonb) RETURNING id`,
			fmt.Sprintf("%x%x", time.Now().UnixNano(), i), o.Tenant, shape.Name, string(shape.Fields)))
	}
	c.enqueue(ids)
	return numbers(c, ids)
}

func numbers(c *control, ids []string) []int64 {
	c.t.Helper()
	list := make([]int64, len(ids))
	for i, id := range ids {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			c.t.Fatal(err)
		}
		list[i] = n
	}
	return list
}

// browserSeed is how much is there before anybody looks.
type browserSeed struct {
	Schemas  int `json:"schemas"`
	Entities int `json:"entities"`
	Links    int `json:"links"`
}

const seedFields = `(SELECT json_agg(json_build_object('name', 'field_' || f, 'type', 'string')) FROM generate_series(1, 9) f)`

// seed writes completed schemas that humans have mapped, an hour ago, and returns the ids
// of the schemas.
func (c *control) seed(o order) any {
	c.t.Helper()
	c.exec(`INSERT INTO schemas (created_at, updated_at, hash, tenant_id, name, type, status, ai_analysis_status, ai_analyzed_at, sample_data, detected_fields)
		SELECT now() - interval '1 hour', now() - interval '1 hour', $1 || '-entity-' || n, $1, 'Entity' || n, 'struct', 'confirmed', 'completed',
			now() - interval '1 hour', '[]', `+seedFields+` FROM generate_series(1, $2::int) n`, o.Tenant, o.Seed.Entities)
	c.exec(`INSERT INTO schemas (created_at, updated_at, hash, tenant_id, name, type, status, ai_analysis_status, ai_analyzed_at, sample_data, detected_fields)
		SELECT now() - interval '1 hour', now() - interval '1 hour', $1 || '-source-' || n, $1, 'source_' || n, 'input', 'confirmed', 'completed',
			now() - interval '1 hour', '[]', `+seedFields+` FROM generate_series(1, $2::int) n`, o.Tenant, o.Seed.Schemas)
	// Link k is the k/schemas-th of its schema, and each of a schema leads elsewhere; neighbours
	// lead to the same, as sources of one system do.
	c.exec(`WITH source AS (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM schemas WHERE tenant_id = $1 AND type = 'input'),
			entity AS (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM schemas WHERE tenant_id = $1 AND type = 'struct')
		INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, mapping_definition, created_at, updated_at)
		SELECT source.id, entity.id, field, json_build_object('schema_mapping', json_build_object('fields', json_build_array(
			json_build_object('sourcePath', field, 'fieldName', field)))), now() - interval '1 hour', now() - interval '1 hour'
		FROM generate_series(0, $4::int - 1) k CROSS JOIN generate_series(0, 1) twice
		CROSS JOIN LATERAL (SELECT 'field_' || (1 + k / $2 * 2 + twice) AS field) f CROSS JOIN source CROSS JOIN entity
		WHERE source.n = k % $2::int AND entity.n = (source.n * greatest($3::int - 2 * $5::int, 1) / $2 + k / $2 * $5) % $3`,
		o.Tenant, o.Seed.Schemas, o.Seed.Entities, o.Seed.Links, max(o.Seed.Entities/15, 1))
	return decode[[]int64](c.t, []byte(c.value("SELECT json_agg(id ORDER BY id)::text FROM schemas WHERE tenant_id = $1 AND type = 'input'", o.Tenant)))
}

// graph is what a screen has to show: what the tables say.
func (c *control) graph(o order) any {
	c.t.Helper()
	return json.RawMessage(c.value(`SELECT json_build_object(
		'schemas', coalesce((SELECT json_agg(json_build_object('id', id, 'name', name, 'hash', hash, 'status', ai_analysis_status, 'error', ai_analysis_error,
			'open', EXISTS (SELECT 1 FROM schemacast_runs r WHERE r.active_schema_id = s.id)) ORDER BY id)
			FROM schemas s WHERE tenant_id = $1 AND type <> 'struct'), '[]'),
		'entities', coalesce((SELECT json_agg(json_build_object('id', id, 'name', name) ORDER BY id)
			FROM schemas WHERE tenant_id = $1 AND type = 'struct'), '[]'),
		'links', coalesce((SELECT json_agg(json_build_object('schema_id', schema_id, 'entity_id', target_schema_id, 'fields', fields))
			FROM (SELECT m.schema_id, m.target_schema_id, count(*) AS fields FROM schema_mappings m JOIN schemas s ON s.id = m.schema_id
				WHERE s.tenant_id = $1 GROUP BY 1, 2) l), '[]'))::text`, o.Tenant))
}

// browserEvent is an event as a worker sends it, or as none would.
type browserEvent struct {
	Channel string          `json:"channel"`
	Name    string          `json:"name"`
	Data    json.RawMessage `json:"data"`
}

// publish sends events to Soketi, without a worker.
func (c *control) publish(o order) any {
	c.t.Helper()
	app := c.ground.soketi
	client := pusher.Client{AppID: app.AppID, Key: app.Key, Secret: app.Secret, Host: app.Addr()}
	const most = 10 // that Soketi takes in one request
	for chunk := range slices.Chunk(o.Events, most) {
		var batch []pusher.Event
		for _, e := range chunk {
			batch = append(batch, pusher.Event{Channel: e.Channel, Name: e.Name, Data: string(e.Data)})
		}
		if _, err := client.TriggerBatch(batch); err != nil {
			c.t.Fatal(err)
		}
	}
	return nil
}
