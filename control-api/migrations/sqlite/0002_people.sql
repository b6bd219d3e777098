-- Keys at rest, and people: found by a keyed hash of the EHR's id, everything about them sealed under a key of their own.

CREATE TABLE tenant_keys (
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    purpose    TEXT NOT NULL CHECK (purpose IN ('sealing', 'index')),
    version    INTEGER NOT NULL,
    master     TEXT NOT NULL,                   -- which master key unwraps it; no secret
    wrapped    BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, purpose, version)
) STRICT;

CREATE TABLE people (
    tenant        TEXT NOT NULL REFERENCES tenants (id),
    id            TEXT NOT NULL,
    external_hash BLOB,                         -- HMAC of the EHR's id; NULL once erased
    external_id   BLOB NOT NULL,                -- sealed
    display_name  BLOB,                         -- sealed
    created_at    INTEGER NOT NULL,
    erased_at     INTEGER,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, external_hash)
) STRICT;

CREATE TABLE person_keys (
    tenant  TEXT NOT NULL,
    person  TEXT NOT NULL,
    version INTEGER NOT NULL,
    wrapped BLOB,                               -- NULL once erased
    PRIMARY KEY (tenant, person, version),
    FOREIGN KEY (tenant, person) REFERENCES people (tenant, id)
) STRICT;
