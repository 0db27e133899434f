-- The Laravel app's own tables that Schemacast reads and writes, as its migrations
-- leave them on PostgreSQL: for an empty database only, where no app is installed.

CREATE TABLE tenants (
    id         varchar(255) PRIMARY KEY,
    name       varchar(255) NOT NULL,
    created_at timestamp(0),
    updated_at timestamp(0),
    data       json
);

CREATE TABLE users (
    id                bigserial    PRIMARY KEY,
    name              varchar(255) NOT NULL,
    email             varchar(255) NOT NULL CONSTRAINT users_email_unique UNIQUE,
    tenant_id         varchar(255),
    email_verified_at timestamp(0),
    password          varchar(255) NOT NULL,
    remember_token    varchar(100),
    created_at        timestamp(0),
    updated_at        timestamp(0)
);

CREATE TABLE schemas (
    id                 bigserial    PRIMARY KEY,
    created_at         timestamp(0),
    updated_at         timestamp(0),
    hash               varchar(255) NOT NULL CONSTRAINT schemas_hash_unique UNIQUE,
    name               varchar(255),
    tenant_id          varchar(255) NOT NULL CONSTRAINT schemas_tenant_id_foreign REFERENCES tenants (id),
    sample_data        json         NOT NULL,
    detected_fields    json         NOT NULL,
    status             varchar(255) NOT NULL DEFAULT 'pending'
        CONSTRAINT schemas_status_check CHECK (status IN ('pending', 'confirmed', 'rejected')),
    confirmed_at       timestamp(0),
    confirmed_by       bigint CONSTRAINT schemas_confirmed_by_foreign REFERENCES users (id),
    kafka_topic        varchar(255),
    pending_records    bigint       NOT NULL DEFAULT '0',
    entity_mappings    json,
    type               varchar(255) NOT NULL DEFAULT 'input'
        CONSTRAINT schemas_type_check CHECK (type IN ('input', 'struct', 'entity')),
    external_id_field  varchar(255),
    dedupe_field       varchar(255),
    ai_recommendations json,
    ai_analysis_status varchar(255) NOT NULL DEFAULT 'pending'
        CONSTRAINT schemas_ai_analysis_status_check
        CHECK (ai_analysis_status IN ('pending', 'processing', 'completed', 'failed', 'disabled')),
    ai_analyzed_at     timestamp(0),
    ai_analysis_error  text
);
CREATE INDEX schemas_type_index ON schemas (type);

CREATE TABLE schema_mappings (
    id                 bigserial    PRIMARY KEY,
    schema_id          bigint       NOT NULL
        CONSTRAINT schema_mappings_schema_id_foreign REFERENCES schemas (id) ON DELETE CASCADE,
    target_schema_id   bigint       NOT NULL
        CONSTRAINT schema_mappings_target_schema_id_foreign REFERENCES schemas (id) ON DELETE CASCADE,
    field_path         varchar(255) NOT NULL,
    is_array           boolean      NOT NULL DEFAULT false,
    mapping_definition json,
    created_at         timestamp(0),
    updated_at         timestamp(0),
    mapping_type       varchar(255) NOT NULL DEFAULT 'direct'
        CONSTRAINT schema_mappings_mapping_type_check CHECK (mapping_type IN ('direct', 'formula')),
    formula_expression text,
    formula_language   varchar(50)
);
CREATE INDEX schema_mappings_schema_id_field_path_index ON schema_mappings (schema_id, field_path);
CREATE INDEX schema_mappings_target_schema_id_index ON schema_mappings (target_schema_id);
