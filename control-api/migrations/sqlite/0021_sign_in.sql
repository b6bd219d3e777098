-- People who sign in: where a tenant's people do that, who they are there, and who is signed in.

CREATE TABLE sign_in (
    tenant       TEXT PRIMARY KEY REFERENCES tenants (id),
    issuer       TEXT NOT NULL,
    client_id    TEXT NOT NULL,
    secret       BLOB,                         -- sealed; NULL for a client without one
    mfa_required INTEGER NOT NULL CHECK (mfa_required IN (0, 1)),
    mfa_acr      TEXT NOT NULL,                 -- acr values that say that there was a second factor, with a space between them
    idle_s       INTEGER NOT NULL CHECK (idle_s > 0),
    return_to    TEXT,                          -- where people go after signing in who did not say
    changed_at   INTEGER NOT NULL
) STRICT;

-- Each sign-in comes back once.
CREATE TABLE sign_in_states (
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    state_hash BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, state_hash)
) STRICT;

CREATE TABLE identities (
    tenant       TEXT NOT NULL,
    id           TEXT NOT NULL,
    person       TEXT NOT NULL,
    subject_hash BLOB NOT NULL,                -- HMAC of issuer and subject
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, subject_hash),
    FOREIGN KEY (tenant, person) REFERENCES people (tenant, id)
) STRICT;

CREATE INDEX identities_by_person ON identities (tenant, person);

CREATE TABLE sessions (
    tenant       TEXT NOT NULL,
    cookie_hash  BLOB NOT NULL,
    person       TEXT NOT NULL,
    mfa          INTEGER NOT NULL CHECK (mfa IN (0, 1)),
    signed_in_at INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL,
    idle_ms      INTEGER NOT NULL CHECK (idle_ms > 0),
    expires_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant, cookie_hash),
    FOREIGN KEY (tenant, person) REFERENCES people (tenant, id)
) STRICT;

CREATE INDEX sessions_by_person ON sessions (tenant, person);
