-- What the mappings of a schema teach about names. Only additions, so that workers of
-- the version before go on while this one is rolled out.

-- +goose Up
-- the highest id of the mappings that our last run wrote: later ones are a human's
ALTER TABLE schemacast_streams ADD COLUMN last_mapping bigint NOT NULL DEFAULT 0;
-- the ids of those that teach nothing, since they are doubtful: ,17,18,
ALTER TABLE schemacast_streams ADD COLUMN doubtful text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE schemacast_streams DROP COLUMN doubtful;
ALTER TABLE schemacast_streams DROP COLUMN last_mapping;
