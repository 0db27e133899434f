-- The tables of Schemacast itself. They hold no foreign keys into the app's
-- tables, so that the app may delete its rows as it likes. Times ending in _ms
-- are the database's clock in epoch milliseconds.

-- +goose Up
CREATE TABLE schemacast_runs (
    id                varchar(26)  PRIMARY KEY,
    schema_id         bigint       NOT NULL,
    tenant_id         varchar(255) NOT NULL,
    state             varchar(16)  NOT NULL CHECK (state IN ('requested', 'running', 'completed', 'failed')),
    -- schema_id while the run is open, null afterwards: at most one open run a schema
    active_schema_id  bigint       UNIQUE,
    requested_by      varchar(255) NOT NULL DEFAULT '',
    force             boolean      NOT NULL DEFAULT false,
    -- counts claims; a worker whose fence is not this one owns nothing
    fence             bigint       NOT NULL DEFAULT 0,
    owner             varchar(255) NOT NULL DEFAULT '',
    heartbeat_ms      bigint       NOT NULL DEFAULT 0,
    attempts          integer      NOT NULL DEFAULT 0,
    restarts          integer      NOT NULL DEFAULT 0,
    cancelled_by      varchar(255) NOT NULL DEFAULT '',
    -- what humans had decided at the first claim, to notice changes at commit
    claimed_state     varchar(64)  NOT NULL DEFAULT '',
    checkpoint        bytea,
    engine            varchar(16)  NOT NULL DEFAULT '',
    model             varchar(255) NOT NULL DEFAULT '',
    calls             integer      NOT NULL DEFAULT 0,
    cached_calls      integer      NOT NULL DEFAULT 0,
    prompt_tokens     bigint       NOT NULL DEFAULT 0,
    completion_tokens bigint       NOT NULL DEFAULT 0,
    tokens_estimated  boolean      NOT NULL DEFAULT false,
    entity_id         bigint,
    outcome           varchar(32)  NOT NULL DEFAULT '',
    error_code        varchar(32)  NOT NULL DEFAULT '',
    error_text        text         NOT NULL DEFAULT '',
    requested_ms      bigint       NOT NULL,
    started_ms        bigint,
    ended_ms          bigint
);
CREATE INDEX schemacast_runs_schema ON schemacast_runs (schema_id, requested_ms);
CREATE INDEX schemacast_runs_open ON schemacast_runs (state, heartbeat_ms) WHERE active_schema_id IS NOT NULL;
CREATE INDEX schemacast_runs_ended ON schemacast_runs (ended_ms) WHERE ended_ms IS NOT NULL;

CREATE TABLE schemacast_attempts (
    run_id     varchar(26)  NOT NULL,
    fence      bigint       NOT NULL,
    owner      varchar(255) NOT NULL,
    started_ms bigint       NOT NULL,
    ended_ms   bigint,
    -- completed, kept_human, failed, retry, released, lost
    outcome    varchar(32)  NOT NULL DEFAULT '',
    error_code varchar(32)  NOT NULL DEFAULT '',
    error_text text         NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, fence)
);

-- One row a schema, never pruned: the event counter, the lease of the relay that
-- sends its events, and what our last run wrote into the app's tables.
CREATE TABLE schemacast_streams (
    schema_id      bigint       PRIMARY KEY,
    tenant_id      varchar(255) NOT NULL,
    last_seq       bigint       NOT NULL DEFAULT 0,
    sent_seq       bigint       NOT NULL DEFAULT 0,
    due_ms         bigint       NOT NULL DEFAULT 0,
    lease_owner    varchar(255) NOT NULL DEFAULT '',
    lease_until_ms bigint       NOT NULL DEFAULT 0,
    own_name       varchar(255) NOT NULL DEFAULT '',
    own_mappings   text         NOT NULL DEFAULT ''
);
CREATE INDEX schemacast_streams_unsent ON schemacast_streams (due_ms) WHERE sent_seq < last_seq;
CREATE INDEX schemacast_streams_tenant ON schemacast_streams (tenant_id);

CREATE TABLE schemacast_events (
    id           varchar(26)  PRIMARY KEY,
    schema_id    bigint       NOT NULL,
    seq          bigint       NOT NULL,
    tenant_id    varchar(255) NOT NULL,
    run_id       varchar(26)  NOT NULL,
    requested_by varchar(255) NOT NULL DEFAULT '',
    kind         varchar(16)  NOT NULL,
    payload      text         NOT NULL,
    occurred_ms  bigint       NOT NULL,
    sent_ms      bigint,
    dropped      varchar(255) NOT NULL DEFAULT '',
    UNIQUE (schema_id, seq)
);
CREATE INDEX schemacast_events_sent ON schemacast_events (sent_ms) WHERE sent_ms IS NOT NULL;

CREATE TABLE schemacast_answers (
    key        varchar(64)  PRIMARY KEY,
    tenant_id  varchar(255) NOT NULL,
    raw        bytea        NOT NULL,
    created_ms bigint       NOT NULL
);
CREATE INDEX schemacast_answers_created ON schemacast_answers (created_ms);
CREATE INDEX schemacast_answers_tenant ON schemacast_answers (tenant_id);

CREATE TABLE schemacast_tenants (
    tenant_id      varchar(255) PRIMARY KEY,
    -- counts the entities that our runs created
    entity_version bigint       NOT NULL DEFAULT 0
);

INSERT INTO schemacast_meta (key, value)
VALUES ('installed_ms', (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text)
ON CONFLICT (key) DO NOTHING;

-- +goose Down
DROP TABLE schemacast_tenants, schemacast_answers, schemacast_events, schemacast_streams, schemacast_attempts, schemacast_runs;
DELETE FROM schemacast_meta WHERE key = 'installed_ms';
