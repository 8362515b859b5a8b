-- Turns that may be asked for again under the same Idempotency-Key, and what was answered. The key
-- and what was asked are kept as keyed hashes. They go with their tenant.
CREATE TABLE vito_turn_keys (
    tenant_id  TEXT NOT NULL REFERENCES vito_tenants ON DELETE CASCADE,
    key        BLOB NOT NULL CHECK (length(key) = 32), -- of the caller and his key
    number     INTEGER NOT NULL, -- counts those of a tenant; with gaps where one was forgotten
    body       BLOB NOT NULL CHECK (length(body) = 32), -- of what was asked
    session_id TEXT NOT NULL,
    node       TEXT NOT NULL, -- that carries it out, in its epoch; 0: it has given it up
    epoch      INTEGER NOT NULL,
    began_ms   INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    -- once there is an answer: its HTTP status and body
    status     INTEGER CHECK (status BETWEEN 100 AND 599),
    answer     BLOB,
    CHECK ((status IS NULL) = (answer IS NULL)),
    PRIMARY KEY (tenant_id, key)
) STRICT;
CREATE INDEX vito_turn_keys_number ON vito_turn_keys (tenant_id, number);
