-- What the clinic knows somebody as, and what they are for the whole tenant: admin or auditor, never both.
ALTER TABLE people ADD COLUMN standing TEXT
    CHECK (standing IN ('patient', 'provider', 'nurse', 'interpreter', 'guardian', 'observer'));
ALTER TABLE people ADD COLUMN tenant_role TEXT CHECK (tenant_role IN ('admin', 'auditor'));
