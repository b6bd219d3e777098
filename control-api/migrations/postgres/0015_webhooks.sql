-- Where a tenant has messages sent, and those that were not taken yet.

CREATE TABLE webhooks (
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    id         TEXT NOT NULL,
    url        BYTEA NOT NULL,                  -- sealed: it may hold a secret of the receiver's
    secret     BYTEA NOT NULL,                  -- sealed
    created_at BIGINT NOT NULL,
    gone_at    BIGINT,                          -- when the receiver said 410, that it wants no more
    PRIMARY KEY (tenant, id)
);

CREATE TABLE webhook_events (
    tenant  TEXT NOT NULL,
    webhook TEXT NOT NULL,
    kind    TEXT NOT NULL,
    PRIMARY KEY (tenant, webhook, kind),
    FOREIGN KEY (tenant, webhook) REFERENCES webhooks (tenant, id) ON DELETE CASCADE
);

-- A row goes when its message was taken.
CREATE TABLE webhook_outbox (
    tenant     TEXT NOT NULL,
    webhook    TEXT NOT NULL,
    id         TEXT NOT NULL,
    kind       TEXT NOT NULL,
    body       TEXT NOT NULL,                   -- ids of ours only
    created_at BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    status     BIGINT,                          -- of the newest answer; NULL where there was none
    due_at     BIGINT NOT NULL,
    dead_at    BIGINT,                          -- when it was given up
    PRIMARY KEY (tenant, webhook, id),
    FOREIGN KEY (tenant, webhook) REFERENCES webhooks (tenant, id) ON DELETE CASCADE
);

CREATE INDEX webhook_outbox_by_due ON webhook_outbox (tenant, due_at) WHERE dead_at IS NULL;

DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['webhooks', 'webhook_events', 'webhook_outbox'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_the_tenant ON %I USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant())', name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON webhooks, webhook_events, webhook_outbox TO consilium_service;
