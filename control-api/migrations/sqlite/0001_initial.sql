-- Tenants, who may call, which consults exist, which tickets were given out, what happened.
-- Times are milliseconds since 1970-01-01T00:00:00Z. `../postgres` has the same tables under the same names.

CREATE TABLE tenants (
    id              TEXT PRIMARY KEY,           -- chosen by the operator; not personal
    direct_consults INTEGER NOT NULL CHECK (direct_consults IN (0, 1)),  -- whether there are consults without an appointment
    created_at      INTEGER NOT NULL
) STRICT;

-- What belongs to no tenant: acts of the shell, and who was turned away without saying whose they are.
INSERT INTO tenants (id, direct_consults, created_at) VALUES ('system', 0, 0);

CREATE TABLE api_clients (
    tenant      TEXT NOT NULL REFERENCES tenants (id),
    id          TEXT NOT NULL,
    secret_hash BLOB NOT NULL,                  -- SHA-256 of a 256-bit random secret
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, secret_hash)
) STRICT;

CREATE TABLE consults (
    tenant       TEXT NOT NULL REFERENCES tenants (id),
    id           TEXT NOT NULL,
    waiting_room INTEGER NOT NULL CHECK (waiting_room IN (0, 1)),
    created_at   INTEGER NOT NULL,
    ended_at     INTEGER,
    PRIMARY KEY (tenant, id)
) STRICT;

CREATE INDEX consults_by_end ON consults (tenant, ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE tickets (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,                   -- the ticket's `jti`
    consult_id TEXT NOT NULL,
    person_id  TEXT NOT NULL,                   -- the EHR's opaque identifier
    role       TEXT NOT NULL,
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, consult_id) REFERENCES consults (tenant, id)
) STRICT;

CREATE INDEX tickets_by_consult ON tickets (tenant, consult_id);
CREATE INDEX tickets_by_revocation ON tickets (tenant, revoked_at) WHERE revoked_at IS NOT NULL;

-- Entries: committed with the act that they tell of. `docs/audit-chain.md`.
CREATE TABLE audit (
    nr          INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order of insertion
    tenant      TEXT NOT NULL REFERENCES tenants (id),
    entry       TEXT NOT NULL,
    version     INTEGER NOT NULL,               -- of the bytes that are hashed
    at          INTEGER NOT NULL,
    action      TEXT NOT NULL,
    outcome     TEXT NOT NULL CHECK (outcome IN ('granted', 'refused')),
    actor       TEXT NOT NULL,
    asserted_by TEXT,                           -- the API client that vouches for the actor
    surface     TEXT NOT NULL,
    patient     TEXT,
    consult_id  TEXT,
    participant INTEGER,                        -- number in the consult
    person_id   TEXT,
    role        TEXT,
    detail      TEXT,                           -- a code, never free text
    address     BLOB,                          -- sealed
    request     TEXT,
    duration_us INTEGER,
    UNIQUE (tenant, entry)
) STRICT;

CREATE INDEX audit_by_consult ON audit (tenant, consult_id, nr);

-- The chain that entries are sealed into, each once and none twice, whoever seals.
CREATE TABLE audit_links (
    tenant    TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    entry     TEXT NOT NULL,
    previous  BLOB NOT NULL,
    hash      BLOB NOT NULL,
    sealed_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, seq),
    UNIQUE (tenant, entry),
    FOREIGN KEY (tenant, entry) REFERENCES audit (tenant, entry)
) STRICT;

-- Entries that wait to be sealed.
CREATE TABLE audit_pending (
    tenant TEXT NOT NULL,
    entry  TEXT NOT NULL,
    PRIMARY KEY (tenant, entry),
    FOREIGN KEY (tenant, entry) REFERENCES audit (tenant, entry)
) STRICT;

CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END;

CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit entries are never deleted'); END;

CREATE TRIGGER audit_links_are_append_only_update BEFORE UPDATE ON audit_links
BEGIN SELECT RAISE(ABORT, 'audit links are never changed'); END;

CREATE TRIGGER audit_links_are_append_only_delete BEFORE DELETE ON audit_links
BEGIN SELECT RAISE(ABORT, 'audit links are never deleted'); END;
