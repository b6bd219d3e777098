-- Answers to requests that had an Idempotency-Key, so that a repeated request gets the same and nothing is done twice.
CREATE TABLE kept_answers (
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    key_hash   BLOB NOT NULL,                   -- HMAC of API client, method, path and key
    body_hash  BLOB NOT NULL,                   -- HMAC of the body
    status     INTEGER,                         -- NULL only within the act's own transaction
    answer     BLOB,                            -- sealed; NULL where there is no body
    person     TEXT,                            -- whose data is in the answer: erasing them deletes it
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, key_hash)
) STRICT;

CREATE INDEX kept_answers_by_end ON kept_answers (tenant, expires_at);
CREATE INDEX kept_answers_by_person ON kept_answers (tenant, person) WHERE person IS NOT NULL;
