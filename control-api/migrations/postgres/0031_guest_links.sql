-- Links that somebody is sent by mail or SMS. The code itself is never stored.

CREATE TABLE guest_links (
    tenant       TEXT NOT NULL,
    id           TEXT NOT NULL,
    code_hash    BYTEA NOT NULL,                 -- SHA-256 of a code with 128 random bits
    appointment  TEXT NOT NULL,
    person       TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('patient', 'interpreter', 'guardian', 'observer')),
    display_name BYTEA NOT NULL,                 -- sealed under the person's key
    created_at   BIGINT NOT NULL,
    redeemed_at  BIGINT,                         -- the last time
    ticket       TEXT,                           -- that it opened the door with then
    revoked_at   BIGINT,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, code_hash),
    FOREIGN KEY (tenant, appointment) REFERENCES appointments (tenant, id),
    FOREIGN KEY (tenant, person) REFERENCES people (tenant, id),
    FOREIGN KEY (tenant, ticket) REFERENCES tickets (tenant, id)
);

CREATE INDEX guest_links_by_appointment ON guest_links (tenant, appointment);

ALTER TABLE guest_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE guest_links FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON guest_links USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
GRANT SELECT, INSERT, UPDATE (redeemed_at, ticket, revoked_at) ON guest_links TO consilium_service;
