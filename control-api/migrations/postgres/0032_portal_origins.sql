-- Where a tenant's own pages are, which may frame its visits and call for it. Not personal.

CREATE TABLE portal_origins (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    origin TEXT NOT NULL,                        -- as browsers write it
    PRIMARY KEY (tenant, origin)
);

-- Grows with each change, so that nodes read again only what has changed.
ALTER TABLE tenants ADD COLUMN portals_version BIGINT NOT NULL DEFAULT 0;

ALTER TABLE portal_origins ENABLE ROW LEVEL SECURITY;
ALTER TABLE portal_origins FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON portal_origins USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
GRANT SELECT, INSERT, DELETE ON portal_origins TO consilium_service;
