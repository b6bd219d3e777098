-- "Who looked at this patient?" is what an audit log is asked.

CREATE INDEX audit_by_patient ON audit (tenant, patient) WHERE patient IS NOT NULL;
CREATE INDEX audit_by_person ON audit (tenant, person_id) WHERE person_id IS NOT NULL;
