-- Keys at rest, and people: found by a keyed hash of the EHR's id, everything about them sealed under a key of their own.

CREATE TABLE tenant_keys (
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    purpose    TEXT NOT NULL CHECK (purpose IN ('sealing', 'index')),
    version    BIGINT NOT NULL,
    master     TEXT NOT NULL,                   -- which master key unwraps it; no secret
    wrapped    BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, purpose, version)
);

CREATE TABLE people (
    tenant        TEXT NOT NULL REFERENCES tenants (id),
    id            TEXT NOT NULL,
    external_hash BYTEA,                        -- HMAC of the EHR's id; NULL once erased
    external_id   BYTEA NOT NULL,               -- sealed
    display_name  BYTEA,                        -- sealed
    created_at    BIGINT NOT NULL,
    erased_at     BIGINT,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, external_hash)
);

CREATE TABLE person_keys (
    tenant  TEXT NOT NULL,
    person  TEXT NOT NULL,
    version BIGINT NOT NULL,
    wrapped BYTEA,                              -- NULL once erased
    PRIMARY KEY (tenant, person, version),
    FOREIGN KEY (tenant, person) REFERENCES people (tenant, id)
);

DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['tenant_keys', 'people', 'person_keys'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_the_tenant ON %I USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant())', name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE ON tenant_keys, people, person_keys TO consilium_service;
