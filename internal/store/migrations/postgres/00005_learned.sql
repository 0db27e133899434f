-- What the mappings of a schema teach about names. Only additions, so that workers of
-- the version before go on while this one is rolled out.

-- +goose Up
ALTER TABLE schemacast_streams
    -- the highest id of the mappings that our last run wrote: later ones are a human's
    ADD COLUMN last_mapping bigint NOT NULL DEFAULT 0,
    -- the ids of those that teach nothing, since they are doubtful: ,17,18,
    ADD COLUMN doubtful text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE schemacast_streams DROP COLUMN doubtful, DROP COLUMN last_mapping;
