-- A kept answer is told again to whoever may still do what it answers: what that was, and about what.

ALTER TABLE kept_answers ADD COLUMN act TEXT;         -- NULL in answers of an older binary
ALTER TABLE kept_answers ADD COLUMN consult_id TEXT;
ALTER TABLE kept_answers ADD COLUMN patient TEXT;
ALTER TABLE kept_answers ADD COLUMN whose TEXT;       -- whose doing or account it is about

-- A patient's appointments, the latest first.
CREATE INDEX appointments_by_patient ON appointments (tenant, patient, starts_at);
