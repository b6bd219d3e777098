-- What was said in the chat of a consult. A line is added before anybody gets it, and stays as it is.

-- How many lines there are: it numbers the next one, and has those who write at once stand in line.
ALTER TABLE consults ADD COLUMN chat_lines INTEGER NOT NULL DEFAULT 0;

CREATE TABLE chat_lines (
    tenant     TEXT NOT NULL,
    consult_id TEXT NOT NULL,
    number     INTEGER NOT NULL,                 -- in the consult, from 1
    entry      TEXT NOT NULL,                   -- its id, and that of the audit entry that tells of it
    at         INTEGER NOT NULL,
    person     TEXT NOT NULL,                   -- who wrote it
    role       TEXT NOT NULL,
    about      TEXT NOT NULL,                   -- under whose key the text is sealed
    text       BLOB,                           -- NULL where they had been erased before it was added
    PRIMARY KEY (tenant, consult_id, number),
    UNIQUE (tenant, entry),
    FOREIGN KEY (tenant, consult_id) REFERENCES consults (tenant, id),
    FOREIGN KEY (tenant, about) REFERENCES people (tenant, id)
) STRICT;

CREATE TRIGGER chat_lines_are_append_only_update BEFORE UPDATE ON chat_lines
BEGIN SELECT RAISE(ABORT, 'lines of chat are never changed'); END;

CREATE TRIGGER chat_lines_are_append_only_delete BEFORE DELETE ON chat_lines
BEGIN SELECT RAISE(ABORT, 'lines of chat are never deleted'); END;
