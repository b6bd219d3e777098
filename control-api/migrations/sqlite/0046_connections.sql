-- How each connection to a consult was, put down when it was over. A row is added, and stays as it is.

CREATE TABLE connections (
    tenant        TEXT NOT NULL,
    consult_id    TEXT NOT NULL,
    id            TEXT NOT NULL,
    person        TEXT NOT NULL,                 -- whose it was
    packets       INTEGER NOT NULL CHECK (packets >= 0),  -- that the reports are about, both ways
    lost          INTEGER NOT NULL CHECK (lost >= 0),     -- of these
    round_trip_us INTEGER CHECK (round_trip_us >= 0),     -- smoothed; NULL where it could not be measured
    broke         INTEGER NOT NULL CHECK (broke IN (0, 1)),
    PRIMARY KEY (tenant, consult_id, id),
    FOREIGN KEY (tenant, consult_id) REFERENCES consults (tenant, id)
) STRICT;

CREATE TRIGGER connections_are_append_only_update BEFORE UPDATE ON connections
BEGIN SELECT RAISE(ABORT, 'how a connection was is never changed'); END;

CREATE TRIGGER connections_are_append_only_delete BEFORE DELETE ON connections
BEGIN SELECT RAISE(ABORT, 'how a connection was is never deleted'); END;
