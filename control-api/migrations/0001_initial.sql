-- The first tables: who may call, which consults exist, which tickets were given out, what happened.
-- Times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE api_keys (
    id          TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL UNIQUE,           -- SHA-256 of a 256-bit random secret
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
) STRICT;

CREATE TABLE consults (
    id           TEXT PRIMARY KEY,
    waiting_room INTEGER NOT NULL CHECK (waiting_room IN (0, 1)),
    created_at   INTEGER NOT NULL,
    ended_at     INTEGER
) STRICT;

CREATE TABLE tickets (
    id         TEXT PRIMARY KEY,                -- the ticket's `jti`
    consult_id TEXT NOT NULL REFERENCES consults (id),
    person_id  TEXT NOT NULL,                   -- the EHR's opaque identifier
    role       TEXT NOT NULL,
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

CREATE INDEX tickets_by_consult ON tickets (consult_id);

CREATE TABLE audit (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    action      TEXT NOT NULL,
    outcome     TEXT NOT NULL CHECK (outcome IN ('granted', 'refused')),
    actor       TEXT NOT NULL,                  -- 'api_key:ID', 'participant' or 'server'
    consult_id  TEXT,
    participant INTEGER,                        -- number in the consult
    person_id   TEXT,
    role        TEXT,
    detail      TEXT                            -- a code, never free text
) STRICT;

CREATE INDEX audit_by_consult ON audit (consult_id, seq);

CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END;

CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit entries are never deleted'); END;
