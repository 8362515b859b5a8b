-- Turns that may be asked for again under the same Idempotency-Key, and what was answered. The key
-- and what was asked are kept as keyed hashes. They go with their tenant.
CREATE TABLE vito.turn_keys (
    tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES vito.tenants ON DELETE CASCADE,
    key        BYTEA NOT NULL CHECK (length(key) = 32), -- of the caller and his key
    number     BIGINT NOT NULL, -- counts those of a tenant; with gaps where one was forgotten
    body       BYTEA NOT NULL CHECK (length(body) = 32), -- of what was asked
    session_id TEXT COLLATE "C" NOT NULL,
    node       TEXT COLLATE "C" NOT NULL, -- that carries it out, in its epoch; 0: it has given it up
    epoch      BIGINT NOT NULL,
    began_ms   BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    -- once there is an answer: its HTTP status and body
    status     BIGINT CHECK (status BETWEEN 100 AND 599),
    answer     BYTEA,
    CHECK ((status IS NULL) = (answer IS NULL)),
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX turn_keys_number ON vito.turn_keys (tenant_id, number);

ALTER TABLE vito.turn_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON vito.turn_keys TO twin_gateway USING (
    (SELECT current_setting('vito.tenants', true) = '{*}') OR tenant_id IN
    (SELECT unnest(current_setting('vito.tenants', true)::TEXT[])));
GRANT SELECT, INSERT, UPDATE, DELETE ON vito.turn_keys TO twin_gateway;
