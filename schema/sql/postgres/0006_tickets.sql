-- Tickets that were given to browsers, until they are used: a row is taken once. A ticket is kept
-- as a keyed hash. It goes with its tenant, and with the API key it was got with.
CREATE TABLE vito.tickets (
    digest     BYTEA PRIMARY KEY CHECK (length(digest) = 32),
    tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES vito.tenants ON DELETE CASCADE,
    holder     TEXT COLLATE "C" NOT NULL CHECK (holder <> ''), -- the name of what it was got with
    key_id     TEXT COLLATE "C", -- of the API key that was, if it was one
    ends_ms    BIGINT NOT NULL CHECK (ends_ms >= 0), -- when what it was got with ends; 0: it does not
    expires_at TIMESTAMPTZ NOT NULL,
    FOREIGN KEY (tenant_id, key_id) REFERENCES vito.api_keys ON DELETE CASCADE
);
CREATE INDEX tickets_holder ON vito.tickets (tenant_id, holder);
CREATE INDEX tickets_expires_at ON vito.tickets (tenant_id, expires_at);
CREATE INDEX tickets_key ON vito.tickets (tenant_id, key_id);

ALTER TABLE vito.tickets ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON vito.tickets TO twin_gateway USING (
    (SELECT current_setting('vito.tenants', true) = '{*}') OR tenant_id IN
    (SELECT unnest(current_setting('vito.tenants', true)::TEXT[])));
GRANT SELECT, INSERT, UPDATE, DELETE ON vito.tickets TO twin_gateway;
