-- What was put down about a visit, each sealed under the patient's key.

ALTER TABLE appointments ADD COLUMN notes BLOB;
ALTER TABLE appointments ADD COLUMN prescriptions BLOB;
ALTER TABLE appointments ADD COLUMN follow_up BLOB;

-- By whom somebody was seen: who may see them is looked up at each request.
CREATE INDEX appointment_people_by_person ON appointment_people (tenant, person);
