-- Only the unique index begins with the tenant: a statement that was planned while the log was empty (a foreign key's check is, once for
-- each connection to PostgreSQL) cannot take another one and then read all of the tenant's entries.

DROP INDEX audit_by_consult;
DROP INDEX audit_by_patient;
DROP INDEX audit_by_person;
CREATE INDEX audit_by_consult ON audit (consult_id, tenant, nr) WHERE consult_id IS NOT NULL;
CREATE INDEX audit_by_patient ON audit (patient, tenant) WHERE patient IS NOT NULL;
CREATE INDEX audit_by_person ON audit (person_id, tenant) WHERE person_id IS NOT NULL;
