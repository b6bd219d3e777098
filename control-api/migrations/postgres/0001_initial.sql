-- Tenants, who may call, which consults exist, which tickets were given out, what happened.
-- Times are milliseconds since 1970-01-01T00:00:00Z. `../sqlite` has the same tables under the same names.
--
-- Run by a role that owns the tables (`consilium migrate`). A node logs in with a role that is a member of
-- `consilium_service` and owns nothing; what it may see is settled row by row, by the tenant that its transaction names.

DO $$
DECLARE
    wanted TEXT;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['consilium_service', 'consilium_auditor', 'consilium_retention'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;   -- of another database of the same server
        END;
    END LOOP;
END
$$;

CREATE FUNCTION current_tenant() RETURNS TEXT LANGUAGE SQL STABLE
    RETURN NULLIF(current_setting('app.tenant', TRUE), '');

CREATE TABLE tenants (
    id              TEXT PRIMARY KEY,           -- chosen by the operator; not personal
    direct_consults BIGINT NOT NULL CHECK (direct_consults IN (0, 1)),  -- whether there are consults without an appointment
    created_at      BIGINT NOT NULL
);

-- What belongs to no tenant: acts of the shell, and who was turned away without saying whose they are.
INSERT INTO tenants (id, direct_consults, created_at) VALUES ('system', 0, 0);

CREATE TABLE api_clients (
    tenant      TEXT NOT NULL REFERENCES tenants (id),
    id          TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,                 -- SHA-256 of a 256-bit random secret
    created_at  BIGINT NOT NULL,
    revoked_at  BIGINT,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, secret_hash)
);

CREATE TABLE consults (
    tenant       TEXT NOT NULL REFERENCES tenants (id),
    id           TEXT NOT NULL,
    waiting_room BIGINT NOT NULL CHECK (waiting_room IN (0, 1)),
    created_at   BIGINT NOT NULL,
    ended_at     BIGINT,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX consults_by_end ON consults (tenant, ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE tickets (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,                   -- the ticket's `jti`
    consult_id TEXT NOT NULL,
    person_id  TEXT NOT NULL,                   -- the EHR's opaque identifier
    role       TEXT NOT NULL,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, consult_id) REFERENCES consults (tenant, id)
);

CREATE INDEX tickets_by_consult ON tickets (tenant, consult_id);
CREATE INDEX tickets_by_revocation ON tickets (tenant, revoked_at) WHERE revoked_at IS NOT NULL;

-- Entries: committed with the act that they tell of. `docs/audit-chain.md`.
CREATE TABLE audit (
    nr          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- the order of insertion
    tenant      TEXT NOT NULL REFERENCES tenants (id),
    entry       TEXT NOT NULL,
    version     BIGINT NOT NULL,               -- of the bytes that are hashed
    at          BIGINT NOT NULL,
    action      TEXT NOT NULL,
    outcome     TEXT NOT NULL CHECK (outcome IN ('granted', 'refused')),
    actor       TEXT NOT NULL,
    asserted_by TEXT,                           -- the API client that vouches for the actor
    surface     TEXT NOT NULL,
    patient     TEXT,
    consult_id  TEXT,
    participant BIGINT,                        -- number in the consult
    person_id   TEXT,
    role        TEXT,
    detail      TEXT,                           -- a code, never free text
    address     BYTEA,                          -- sealed
    request     TEXT,
    duration_us BIGINT,
    UNIQUE (tenant, entry)
);

CREATE INDEX audit_by_consult ON audit (tenant, consult_id, nr);

-- The chain that entries are sealed into, each once and none twice, whoever seals.
CREATE TABLE audit_links (
    tenant    TEXT NOT NULL,
    seq       BIGINT NOT NULL,
    entry     TEXT NOT NULL,
    previous  BYTEA NOT NULL,
    hash      BYTEA NOT NULL,
    sealed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, seq),
    UNIQUE (tenant, entry),
    FOREIGN KEY (tenant, entry) REFERENCES audit (tenant, entry)
);

-- Entries that wait to be sealed.
CREATE TABLE audit_pending (
    tenant TEXT NOT NULL,
    entry  TEXT NOT NULL,
    PRIMARY KEY (tenant, entry),
    FOREIGN KEY (tenant, entry) REFERENCES audit (tenant, entry)
);

CREATE FUNCTION refuse_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are never changed and never deleted';
END
$$;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER audit_links_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_links
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Row-level security, forced: it binds the owner of the tables as well.
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['api_clients', 'consults', 'tickets', 'audit', 'audit_links', 'audit_pending'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_the_tenant ON %I USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant())', name);
    END LOOP;
END
$$;

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
-- Jobs list the tenants, then work for one a transaction.
CREATE POLICY listing ON tenants FOR SELECT USING (TRUE);
CREATE POLICY its_own_insert ON tenants FOR INSERT WITH CHECK (id = current_tenant());
CREATE POLICY its_own_update ON tenants FOR UPDATE USING (id = current_tenant()) WITH CHECK (id = current_tenant());

GRANT SELECT, INSERT, UPDATE ON tenants, api_clients, consults, tickets TO consilium_service;
GRANT SELECT, INSERT ON audit, audit_links TO consilium_service;
GRANT SELECT, INSERT, DELETE ON audit_pending TO consilium_service;
GRANT SELECT ON tenants, audit, audit_links TO consilium_auditor;
GRANT SELECT ON _sqlx_migrations TO consilium_service;
