-- Answers to requests that had an Idempotency-Key, so that a repeated request gets the same and nothing is done twice.
CREATE TABLE kept_answers (
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    key_hash   BYTEA NOT NULL,                  -- HMAC of API client, method, path and key
    body_hash  BYTEA NOT NULL,                  -- HMAC of the body
    status     BIGINT,                          -- NULL only within the act's own transaction
    answer     BYTEA,                           -- sealed; NULL where there is no body
    person     TEXT,                            -- whose data is in the answer: erasing them deletes it
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, key_hash)
);

CREATE INDEX kept_answers_by_end ON kept_answers (tenant, expires_at);
CREATE INDEX kept_answers_by_person ON kept_answers (tenant, person) WHERE person IS NOT NULL;

ALTER TABLE kept_answers ENABLE ROW LEVEL SECURITY;
ALTER TABLE kept_answers FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON kept_answers USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON kept_answers TO consilium_service;
