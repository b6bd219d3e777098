-- Links that somebody is sent by mail or SMS. The code itself is never stored.

CREATE TABLE guest_links (
    tenant       TEXT NOT NULL,
    id           TEXT NOT NULL,
    code_hash    BLOB NOT NULL,                  -- SHA-256 of a code with 128 random bits
    appointment  TEXT NOT NULL,
    person       TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('patient', 'interpreter', 'guardian', 'observer')),
    display_name BLOB NOT NULL,                  -- sealed under the person's key
    created_at   INTEGER NOT NULL,
    redeemed_at  INTEGER,                        -- the last time
    ticket       TEXT,                           -- that it opened the door with then
    revoked_at   INTEGER,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, code_hash),
    FOREIGN KEY (tenant, appointment) REFERENCES appointments (tenant, id),
    FOREIGN KEY (tenant, person) REFERENCES people (tenant, id),
    FOREIGN KEY (tenant, ticket) REFERENCES tickets (tenant, id)
) STRICT;

CREATE INDEX guest_links_by_appointment ON guest_links (tenant, appointment);
