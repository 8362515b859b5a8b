-- Since when an API key that was replaced opens nothing any more; 0: it was not.
ALTER TABLE vito_api_keys ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0 CHECK (expires_ms >= 0);
