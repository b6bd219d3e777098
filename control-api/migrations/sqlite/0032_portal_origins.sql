-- Where a tenant's own pages are, which may frame its visits and call for it. Not personal.

CREATE TABLE portal_origins (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    origin TEXT NOT NULL,                        -- as browsers write it
    PRIMARY KEY (tenant, origin)
) STRICT;

-- Grows with each change, so that nodes read again only what has changed.
ALTER TABLE tenants ADD COLUMN portals_version INTEGER NOT NULL DEFAULT 0;
