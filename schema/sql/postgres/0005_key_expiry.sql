-- Since when an API key that was replaced opens nothing any more; 0: it was not.
ALTER TABLE vito.api_keys
    ADD COLUMN expires_ms BIGINT NOT NULL DEFAULT 0 CHECK (expires_ms >= 0);
GRANT UPDATE (expires_ms) ON vito.api_keys TO twin_gateway;
