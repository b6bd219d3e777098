-- Public keys of nodes: what one has signed, the others believe. Sealed, so that nobody adds one who writes rows and does not have the
-- master key. They belong to no tenant, which is what 'system' stands for.

CREATE TABLE signing_keys (
    tenant     TEXT NOT NULL REFERENCES tenants (id) CHECK (tenant = 'system'),
    name       TEXT NOT NULL,                        -- what it signs, a colon, its kid
    sealed     BYTEA NOT NULL,                        -- the key, and when it signs
    good_until BIGINT NOT NULL,                      -- when nothing is good any more that it has signed
    PRIMARY KEY (tenant, name)
);

ALTER TABLE signing_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE signing_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_system ON signing_keys USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON signing_keys TO consilium_service;
