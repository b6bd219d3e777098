-- Appointments, who is booked for them, and patients' consents.

CREATE TABLE consents (
    tenant       TEXT NOT NULL,
    person       TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('telehealth')),
    given_at     INTEGER NOT NULL,
    withdrawn_at INTEGER,
    PRIMARY KEY (tenant, person, kind),
    FOREIGN KEY (tenant, person) REFERENCES people (tenant, id)
) STRICT;

CREATE TABLE appointments (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    consult_id TEXT NOT NULL,                   -- another id: knowing one opens no door to the other
    patient    TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('scheduled', 'confirmed', 'in_progress', 'completed', 'cancelled', 'no_show')),
    starts_at  INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL CHECK (ends_at > starts_at),
    started_at INTEGER,
    ended_at   INTEGER,
    reason     BLOB,                           -- sealed under the patient's key
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, consult_id),
    FOREIGN KEY (tenant, consult_id) REFERENCES consults (tenant, id),
    FOREIGN KEY (tenant, patient) REFERENCES people (tenant, id)
) STRICT;

-- One row for each person that is booked.
CREATE TABLE appointment_people (
    tenant      TEXT NOT NULL,
    appointment TEXT NOT NULL,
    person      TEXT NOT NULL,
    role        TEXT NOT NULL,
    starts_at   INTEGER NOT NULL,
    ends_at     INTEGER NOT NULL,
    holds_time  INTEGER NOT NULL CHECK (holds_time IN (0, 1)),  -- whether nothing else may be booked for them meanwhile
    PRIMARY KEY (tenant, appointment, person),
    FOREIGN KEY (tenant, appointment) REFERENCES appointments (tenant, id),
    FOREIGN KEY (tenant, person) REFERENCES people (tenant, id)
) STRICT;

CREATE INDEX appointment_people_by_time ON appointment_people (tenant, person, starts_at) WHERE holds_time = 1;

-- Writers stand in line (BEGIN IMMEDIATE), so that what a trigger sees is all there is.
CREATE TRIGGER nobody_is_booked_twice_insert BEFORE INSERT ON appointment_people WHEN NEW.holds_time = 1
BEGIN
    SELECT RAISE(ABORT, 'nobody_is_booked_twice') FROM appointment_people other
     WHERE other.tenant = NEW.tenant AND other.person = NEW.person AND other.holds_time = 1
       AND other.appointment <> NEW.appointment AND other.starts_at < NEW.ends_at AND NEW.starts_at < other.ends_at;
END;

CREATE TRIGGER nobody_is_booked_twice_update BEFORE UPDATE ON appointment_people WHEN NEW.holds_time = 1
BEGIN
    SELECT RAISE(ABORT, 'nobody_is_booked_twice') FROM appointment_people other
     WHERE other.tenant = NEW.tenant AND other.person = NEW.person AND other.holds_time = 1
       AND other.appointment <> NEW.appointment AND other.starts_at < NEW.ends_at AND NEW.starts_at < other.ends_at;
END;
