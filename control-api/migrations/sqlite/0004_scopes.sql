-- What an API client was made for: names separated by spaces (RFC 6749 §3.3).
ALTER TABLE api_clients ADD COLUMN scopes TEXT NOT NULL DEFAULT '';
