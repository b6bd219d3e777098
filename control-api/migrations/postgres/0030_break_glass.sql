-- Who looked at a patient whom they have no appointment with, why, and whether an auditor has looked into that.

CREATE TABLE break_glasses (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    person     TEXT NOT NULL,                   -- who broke it
    patient    TEXT NOT NULL,
    reason     BYTEA NOT NULL,                  -- sealed under the patient's key
    opened_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL CHECK (expires_at > opened_at),
    closed_at  BIGINT,
    closed_by  TEXT CHECK (closed_by <> person),
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, person) REFERENCES people (tenant, id),
    FOREIGN KEY (tenant, patient) REFERENCES people (tenant, id),
    FOREIGN KEY (tenant, closed_by) REFERENCES people (tenant, id),
    CHECK ((closed_at IS NULL) = (closed_by IS NULL))
);

CREATE INDEX break_glasses_by_opening ON break_glasses (tenant, opened_at, id);
CREATE INDEX break_glasses_by_person ON break_glasses (tenant, person, patient, expires_at);

ALTER TABLE break_glasses ENABLE ROW LEVEL SECURITY;
ALTER TABLE break_glasses FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON break_glasses USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
GRANT SELECT, INSERT, UPDATE (closed_at, closed_by) ON break_glasses TO consilium_service;
