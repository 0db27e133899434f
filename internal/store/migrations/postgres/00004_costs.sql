-- What the answers of a model cost, and what is spent in a day. Only additions, so that
-- workers of the version before go on while this one is rolled out.

-- +goose Up
ALTER TABLE schemacast_runs
    -- of prompt_tokens, those that the server still knew
    ADD COLUMN cached_tokens    bigint  NOT NULL DEFAULT 0,
    -- of completion_tokens, those that the model thought with
    ADD COLUMN reasoning_tokens bigint  NOT NULL DEFAULT 0,
    -- millionths of a US dollar for priced_calls of the calls; where these are fewer, the
    -- cost of the run is not known
    ADD COLUMN cost_micros      bigint  NOT NULL DEFAULT 0,
    ADD COLUMN priced_calls     integer NOT NULL DEFAULT 0;

-- What was spent on a day (UTC, counted from 1970-01-01) by a tenant, or by all of them
-- together under the empty id. Only what a budget bounds is counted.
CREATE TABLE schemacast_spending (
    day         integer      NOT NULL,
    tenant_id   varchar(255) NOT NULL,
    tokens      bigint       NOT NULL DEFAULT 0,
    cost_micros bigint       NOT NULL DEFAULT 0,
    PRIMARY KEY (day, tenant_id)
);

-- +goose Down
DROP TABLE schemacast_spending;
ALTER TABLE schemacast_runs DROP COLUMN priced_calls, DROP COLUMN cost_micros, DROP COLUMN reasoning_tokens, DROP COLUMN cached_tokens;
