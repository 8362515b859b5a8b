-- Tickets that were given to browsers, until they are used: a row is taken once. A ticket is kept
-- as a keyed hash. It goes with its tenant, and with the API key it was got with.
CREATE TABLE vito_tickets (
    digest     BLOB PRIMARY KEY CHECK (length(digest) = 32),
    tenant_id  TEXT NOT NULL REFERENCES vito_tenants ON DELETE CASCADE,
    holder     TEXT NOT NULL CHECK (holder <> ''), -- the name of what it was got with
    key_id     TEXT REFERENCES vito_api_keys ON DELETE CASCADE, -- the API key that was, if it was one
    ends_ms    INTEGER NOT NULL CHECK (ends_ms >= 0), -- when what it was got with ends; 0: it does not
    expires_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX vito_tickets_holder ON vito_tickets (tenant_id, holder);
CREATE INDEX vito_tickets_expires_ms ON vito_tickets (tenant_id, expires_ms);
CREATE INDEX vito_tickets_key ON vito_tickets (key_id);
