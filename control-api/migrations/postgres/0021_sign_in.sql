-- People who sign in: where a tenant's people do that, who they are there, and who is signed in.

CREATE TABLE sign_in (
    tenant       TEXT PRIMARY KEY REFERENCES tenants (id),
    issuer       TEXT NOT NULL,
    client_id    TEXT NOT NULL,
    secret       BYTEA,                         -- sealed; NULL for a client without one
    mfa_required BIGINT NOT NULL CHECK (mfa_required IN (0, 1)),
    mfa_acr      TEXT NOT NULL,                 -- acr values that say that there was a second factor, with a space between them
    idle_s       BIGINT NOT NULL CHECK (idle_s > 0),
    return_to    TEXT,                          -- where people go after signing in who did not say
    changed_at   BIGINT NOT NULL
);

-- Each sign-in comes back once.
CREATE TABLE sign_in_states (
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    state_hash BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, state_hash)
);

CREATE TABLE identities (
    tenant       TEXT NOT NULL,
    id           TEXT NOT NULL,
    person       TEXT NOT NULL,
    subject_hash BYTEA NOT NULL,                -- HMAC of issuer and subject
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, subject_hash),
    FOREIGN KEY (tenant, person) REFERENCES people (tenant, id)
);

CREATE INDEX identities_by_person ON identities (tenant, person);

CREATE TABLE sessions (
    tenant       TEXT NOT NULL,
    cookie_hash  BYTEA NOT NULL,
    person       TEXT NOT NULL,
    mfa          BIGINT NOT NULL CHECK (mfa IN (0, 1)),
    signed_in_at BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,
    idle_ms      BIGINT NOT NULL CHECK (idle_ms > 0),
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant, cookie_hash),
    FOREIGN KEY (tenant, person) REFERENCES people (tenant, id)
);

CREATE INDEX sessions_by_person ON sessions (tenant, person);

DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['sign_in', 'sign_in_states', 'identities', 'sessions'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_the_tenant ON %I USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant())', name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON sign_in, sign_in_states, identities, sessions TO consilium_service;
