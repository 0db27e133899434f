-- A run that waits for its provider is claimed and snoozed again and again: equal
-- snoozes in a row are one row of its history.

-- +goose Up
ALTER TABLE schemacast_attempts
    -- how many attempts the row stands for, from the first one's start to the last one's end
    ADD COLUMN times integer NOT NULL DEFAULT 1;

-- +goose Down
ALTER TABLE schemacast_attempts DROP COLUMN times;
