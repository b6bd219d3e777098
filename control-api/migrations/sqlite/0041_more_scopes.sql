-- Scopes that came after 0004: an older binary, which runs beside a newer one, refuses a client with a name that it does not know. NULL:
-- the client was made before there were any, when `consults:write` opened consults as well.
ALTER TABLE api_clients ADD COLUMN more_scopes TEXT;
