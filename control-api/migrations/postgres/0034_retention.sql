-- How long each tenant's audit log is kept, who said that nothing of it goes, and the one way in which its beginning goes.
-- docs/audit-chain.md

ALTER TABLE tenants ADD COLUMN retention_months BIGINT NOT NULL DEFAULT 72
    CHECK (retention_months BETWEEN 12 AND 1200);

CREATE TABLE audit_holds (
    tenant  TEXT PRIMARY KEY REFERENCES tenants (id),
    reason  BYTEA NOT NULL,                      -- sealed under the tenant's key
    held_by TEXT NOT NULL,                       -- as the audit log calls them
    since   BIGINT NOT NULL
);

-- Has a row only within a transaction of `drop_audit`: what it may delete.
CREATE TABLE audit_dropping (
    tenant TEXT PRIMARY KEY REFERENCES tenants (id),
    up_to  BIGINT NOT NULL
);

DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_holds', 'audit_dropping'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_the_tenant ON %I USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant())', name);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION refuse_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT 1 FROM audit_dropping WHERE tenant = current_tenant()) THEN
            RETURN NULL;
        END IF;
    END IF;
    RAISE EXCEPTION 'audit entries are never changed and never deleted';
END
$$;

-- Deletes the first links of the transaction's tenant up to a number, so many at most, with their entries; how many that were.
-- Whoever may call it can drop nothing that is held or younger than the tenant keeps, and never the last link.
CREATE FUNCTION drop_audit(wanted BIGINT, links_max BIGINT) RETURNS BIGINT LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    whose   TEXT := current_tenant();
    kept_ms BIGINT;
    last    BIGINT;
    dropped TEXT[];
BEGIN
    -- Who holds waits for the end of this transaction, and this one for theirs.
    LOCK TABLE audit_holds IN SHARE MODE;
    IF EXISTS (SELECT 1 FROM audit_holds WHERE tenant = whose) THEN
        RAISE EXCEPTION 'the audit log is held';
    END IF;
    SELECT (extract(epoch FROM (date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => retention_months::INTEGER))
                               AT TIME ZONE 'UTC') * 1000)::BIGINT
      INTO STRICT kept_ms FROM tenants WHERE id = whose;
    SELECT max(seq) INTO last
      FROM (SELECT seq FROM audit_links WHERE tenant = whose AND seq <= wanted ORDER BY seq LIMIT links_max) AS firsts;
    IF last IS NULL THEN
        RETURN 0;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM audit_links WHERE tenant = whose AND seq > last) THEN
        RAISE EXCEPTION 'the last link of the audit log stays';
    END IF;
    IF EXISTS (SELECT 1 FROM audit_links l JOIN audit a ON a.tenant = l.tenant AND a.entry = l.entry
                WHERE l.tenant = whose AND l.seq <= last AND a.at >= kept_ms) THEN
        RAISE EXCEPTION 'the audit log is kept for longer';
    END IF;
    dropped := ARRAY(SELECT entry FROM audit_links WHERE tenant = whose AND seq <= last);
    INSERT INTO audit_dropping (tenant, up_to) VALUES (whose, last);
    DELETE FROM audit_links WHERE tenant = whose AND seq <= last;
    DELETE FROM audit WHERE tenant = whose AND entry = ANY (dropped);
    DELETE FROM audit_dropping WHERE tenant = whose;
    RETURN cardinality(dropped);
END
$$;

-- It runs with its owner's rights: nobody puts other tables in the place of these.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION drop_audit(BIGINT, BIGINT) SET search_path = %I, pg_temp', current_schema());
END
$$;

REVOKE ALL ON FUNCTION drop_audit(BIGINT, BIGINT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_audit(BIGINT, BIGINT) TO consilium_retention;
GRANT SELECT ON tenants, audit, audit_links TO consilium_retention;
GRANT INSERT ON audit, audit_pending TO consilium_retention;
GRANT SELECT (tenant) ON audit_holds TO consilium_retention;
GRANT SELECT, INSERT, UPDATE, DELETE ON audit_holds TO consilium_service;
