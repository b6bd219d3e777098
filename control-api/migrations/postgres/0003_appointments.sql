-- Appointments, who is booked for them, and patients' consents.

-- For the exclusion constraint; an owner of a database may create it.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE consents (
    tenant       TEXT NOT NULL,
    person       TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('telehealth')),
    given_at     BIGINT NOT NULL,
    withdrawn_at BIGINT,
    PRIMARY KEY (tenant, person, kind),
    FOREIGN KEY (tenant, person) REFERENCES people (tenant, id)
);

CREATE TABLE appointments (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    consult_id TEXT NOT NULL,                   -- another id: knowing one opens no door to the other
    patient    TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('scheduled', 'confirmed', 'in_progress', 'completed', 'cancelled', 'no_show')),
    starts_at  BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL CHECK (ends_at > starts_at),
    started_at BIGINT,
    ended_at   BIGINT,
    reason     BYTEA,                           -- sealed under the patient's key
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, consult_id),
    FOREIGN KEY (tenant, consult_id) REFERENCES consults (tenant, id),
    FOREIGN KEY (tenant, patient) REFERENCES people (tenant, id)
);

-- One row for each person that is booked.
CREATE TABLE appointment_people (
    tenant      TEXT NOT NULL,
    appointment TEXT NOT NULL,
    person      TEXT NOT NULL,
    role        TEXT NOT NULL,
    starts_at   BIGINT NOT NULL,
    ends_at     BIGINT NOT NULL,
    holds_time  BIGINT NOT NULL CHECK (holds_time IN (0, 1)),  -- whether nothing else may be booked for them meanwhile
    PRIMARY KEY (tenant, appointment, person),
    FOREIGN KEY (tenant, appointment) REFERENCES appointments (tenant, id),
    FOREIGN KEY (tenant, person) REFERENCES people (tenant, id),
    CONSTRAINT nobody_is_booked_twice EXCLUDE USING gist (tenant WITH =, person WITH =, int8range(starts_at, ends_at) WITH &&)
        WHERE (holds_time = 1)
);

DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['consents', 'appointments', 'appointment_people'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_the_tenant ON %I USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant())', name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE ON consents, appointments, appointment_people TO consilium_service;
