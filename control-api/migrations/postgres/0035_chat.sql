-- What was said in the chat of a consult. A line is added before anybody gets it, and stays as it is.

-- How many lines there are: it numbers the next one, and has those who write at once stand in line.
ALTER TABLE consults ADD COLUMN chat_lines BIGINT NOT NULL DEFAULT 0;

CREATE TABLE chat_lines (
    tenant     TEXT NOT NULL,
    consult_id TEXT NOT NULL,
    number     BIGINT NOT NULL,                  -- in the consult, from 1
    entry      TEXT NOT NULL,                   -- its id, and that of the audit entry that tells of it
    at         BIGINT NOT NULL,
    person     TEXT NOT NULL,                   -- who wrote it
    role       TEXT NOT NULL,
    about      TEXT NOT NULL,                   -- under whose key the text is sealed
    text       BYTEA,                          -- NULL where they had been erased before it was added
    PRIMARY KEY (tenant, consult_id, number),
    UNIQUE (tenant, entry),
    FOREIGN KEY (tenant, consult_id) REFERENCES consults (tenant, id),
    FOREIGN KEY (tenant, about) REFERENCES people (tenant, id)
);

ALTER TABLE chat_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE chat_lines FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON chat_lines USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
GRANT SELECT, INSERT ON chat_lines TO consilium_service;
