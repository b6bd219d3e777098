-- How long each tenant's audit log is kept, who said that nothing of it goes, and the one way in which its beginning goes.
-- docs/audit-chain.md

ALTER TABLE tenants ADD COLUMN retention_months INTEGER NOT NULL DEFAULT 72
    CHECK (retention_months BETWEEN 12 AND 1200);

CREATE TABLE audit_holds (
    tenant  TEXT PRIMARY KEY REFERENCES tenants (id),
    reason  BLOB NOT NULL,                       -- sealed under the tenant's key
    held_by TEXT NOT NULL,                       -- as the audit log calls them
    since   INTEGER NOT NULL
) STRICT;

-- Has a row only within a transaction that drops: what it may delete.
CREATE TABLE audit_dropping (
    tenant TEXT PRIMARY KEY REFERENCES tenants (id),
    up_to  INTEGER NOT NULL
) STRICT;

CREATE TRIGGER audit_dropping_is_not_of_what_is_held BEFORE INSERT ON audit_dropping
WHEN EXISTS (SELECT 1 FROM audit_holds WHERE tenant = NEW.tenant)
BEGIN SELECT RAISE(ABORT, 'the audit log is held'); END;

CREATE TRIGGER audit_dropping_leaves_the_last_link BEFORE INSERT ON audit_dropping
WHEN NOT EXISTS (SELECT 1 FROM audit_links WHERE tenant = NEW.tenant AND seq > NEW.up_to)
BEGIN SELECT RAISE(ABORT, 'the last link of the audit log stays'); END;

DROP TRIGGER audit_is_append_only_delete;
CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM audit_dropping d JOIN audit_links l ON l.tenant = d.tenant AND l.seq <= d.up_to
                 WHERE d.tenant = OLD.tenant AND l.entry = OLD.entry)
  OR OLD.at >= (SELECT 1000 * CAST(strftime('%s', 'now', 'start of month', '-' || retention_months || ' months') AS INTEGER)
                FROM tenants WHERE id = OLD.tenant)
BEGIN SELECT RAISE(ABORT, 'audit entries are never deleted before their time'); END;

DROP TRIGGER audit_links_are_append_only_delete;
CREATE TRIGGER audit_links_are_append_only_delete BEFORE DELETE ON audit_links
WHEN NOT EXISTS (SELECT 1 FROM audit_dropping WHERE tenant = OLD.tenant AND OLD.seq <= up_to)
BEGIN SELECT RAISE(ABORT, 'audit links are never deleted before their time'); END;
