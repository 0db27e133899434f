-- What the sweeper, the limit of a tenant and the queues need. Only additions, so
-- that workers of the version before go on while this one is rolled out.

-- +goose Up
ALTER TABLE schemacast_runs
    -- the queue that the task belongs into, empty for the interactive one
    ADD COLUMN queue          varchar(32) NOT NULL DEFAULT '' CHECK (queue IN ('', 'schemas-backfill')),
    -- when somebody asked last, while the run was open; 0 when nobody asked again
    ADD COLUMN asked_ms       bigint      NOT NULL DEFAULT 0,
    -- identifies the last checkpoint and its usage, so that none is counted twice
    ADD COLUMN checkpoint_sum varchar(64) NOT NULL DEFAULT '',
    -- identifies the call that claimed the run last, for one whose answer was lost
    ADD COLUMN claim_id       varchar(26) NOT NULL DEFAULT '';

-- In place of schemacast_runs_open, whose heartbeat_ms made every heartbeat write
-- into all indices of the table.
CREATE INDEX schemacast_runs_requested ON schemacast_runs (queue, requested_ms, id) WHERE state = 'requested';
CREATE INDEX schemacast_runs_running ON schemacast_runs (tenant_id) WHERE state = 'running';
DROP INDEX schemacast_runs_open;

-- +goose Down
CREATE INDEX schemacast_runs_open ON schemacast_runs (state, heartbeat_ms) WHERE active_schema_id IS NOT NULL;
DROP INDEX schemacast_runs_running, schemacast_runs_requested;
ALTER TABLE schemacast_runs DROP COLUMN claim_id, DROP COLUMN checkpoint_sum, DROP COLUMN asked_ms, DROP COLUMN queue;
