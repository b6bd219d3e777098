-- Where a tenant has messages sent, and those that were not taken yet.

CREATE TABLE webhooks (
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    id         TEXT NOT NULL,
    url        BLOB NOT NULL,                  -- sealed: it may hold a secret of the receiver's
    secret     BLOB NOT NULL,                  -- sealed
    created_at INTEGER NOT NULL,
    gone_at    INTEGER,                          -- when the receiver said 410, that it wants no more
    PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE webhook_events (
    tenant  TEXT NOT NULL,
    webhook TEXT NOT NULL,
    kind    TEXT NOT NULL,
    PRIMARY KEY (tenant, webhook, kind),
    FOREIGN KEY (tenant, webhook) REFERENCES webhooks (tenant, id) ON DELETE CASCADE
) STRICT;

-- A row goes when its message was taken.
CREATE TABLE webhook_outbox (
    tenant     TEXT NOT NULL,
    webhook    TEXT NOT NULL,
    id         TEXT NOT NULL,
    kind       TEXT NOT NULL,
    body       TEXT NOT NULL,                   -- ids of ours only
    created_at INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    status     INTEGER,                          -- of the newest answer; NULL where there was none
    due_at     INTEGER NOT NULL,
    dead_at    INTEGER,                          -- when it was given up
    PRIMARY KEY (tenant, webhook, id),
    FOREIGN KEY (tenant, webhook) REFERENCES webhooks (tenant, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX webhook_outbox_by_due ON webhook_outbox (tenant, due_at) WHERE dead_at IS NULL;
