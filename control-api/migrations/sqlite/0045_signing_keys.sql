-- Public keys of nodes: what one has signed, the others believe. Sealed, so that nobody adds one who writes rows and does not have the
-- master key. They belong to no tenant, which is what 'system' stands for.

CREATE TABLE signing_keys (
    tenant     TEXT NOT NULL REFERENCES tenants (id) CHECK (tenant = 'system'),
    name       TEXT NOT NULL,                        -- what it signs, a colon, its kid
    sealed     BLOB NOT NULL,                        -- the key, and when it signs
    good_until INTEGER NOT NULL,                      -- when nothing is good any more that it has signed
    PRIMARY KEY (tenant, name)
) STRICT;
