-- What was put down about a visit, each sealed under the patient's key.

ALTER TABLE appointments ADD COLUMN notes BYTEA;
ALTER TABLE appointments ADD COLUMN prescriptions BYTEA;
ALTER TABLE appointments ADD COLUMN follow_up BYTEA;

-- By whom somebody was seen: who may see them is looked up at each request.
CREATE INDEX appointment_people_by_person ON appointment_people (tenant, person);
