-- Who looked at a patient whom they have no appointment with, why, and whether an auditor has looked into that.

CREATE TABLE break_glasses (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    person     TEXT NOT NULL,                   -- who broke it
    patient    TEXT NOT NULL,
    reason     BLOB NOT NULL,                   -- sealed under the patient's key
    opened_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL CHECK (expires_at > opened_at),
    closed_at  INTEGER,
    closed_by  TEXT CHECK (closed_by <> person),
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, person) REFERENCES people (tenant, id),
    FOREIGN KEY (tenant, patient) REFERENCES people (tenant, id),
    FOREIGN KEY (tenant, closed_by) REFERENCES people (tenant, id),
    CHECK ((closed_at IS NULL) = (closed_by IS NULL))
) STRICT;

CREATE INDEX break_glasses_by_opening ON break_glasses (tenant, opened_at, id);
CREATE INDEX break_glasses_by_person ON break_glasses (tenant, person, patient, expires_at);
