-- How each connection to a consult was, put down when it was over. A row is added, and stays as it is.

CREATE TABLE connections (
    tenant        TEXT NOT NULL,
    consult_id    TEXT NOT NULL,
    id            TEXT NOT NULL,
    person        TEXT NOT NULL,                 -- whose it was
    packets       BIGINT NOT NULL CHECK (packets >= 0),  -- that the reports are about, both ways
    lost          BIGINT NOT NULL CHECK (lost >= 0),     -- of these
    round_trip_us BIGINT CHECK (round_trip_us >= 0),     -- smoothed; NULL where it could not be measured
    broke         BIGINT NOT NULL CHECK (broke IN (0, 1)),
    PRIMARY KEY (tenant, consult_id, id),
    FOREIGN KEY (tenant, consult_id) REFERENCES consults (tenant, id)
);

ALTER TABLE connections ENABLE ROW LEVEL SECURITY;
ALTER TABLE connections FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON connections USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
GRANT SELECT, INSERT ON connections TO consilium_service;
