-- A patient took their consent back: the ticket opens nothing any more, and whoever came in with it before stays.
ALTER TABLE tickets ADD COLUMN barred_at BIGINT;

CREATE INDEX tickets_by_bar ON tickets (tenant, barred_at) WHERE barred_at IS NOT NULL;
