-- The vault. Blobs are sealed with XChaCha20-Poly1305 and bound to tenant, name and version: one
-- that is changed, moved or older than its tenant's key says is refused.

-- What the gateway keeps for itself, under the master key.
CREATE TABLE vito_vault_root (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL CHECK (version > 0),
    blob    BLOB NOT NULL CHECK (length(blob) BETWEEN 1 AND 16384)
) STRICT;

-- A tenant's key, under the master key, with the list of the tenant's secrets. It goes with the
-- tenant, and what it sealed cannot be read again.
CREATE TABLE vito_tenant_keys (
    tenant_id TEXT PRIMARY KEY REFERENCES vito_tenants ON DELETE CASCADE,
    version   INTEGER NOT NULL CHECK (version > 0),
    blob      BLOB NOT NULL CHECK (length(blob) BETWEEN 1 AND 16384)
) STRICT;

-- Secrets, under their tenant's key. `providers` are the adapters that may use one.
CREATE TABLE vito_secrets (
    tenant_id  TEXT NOT NULL REFERENCES vito_tenant_keys ON DELETE CASCADE,
    name       TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    version    INTEGER NOT NULL CHECK (version > 0),
    providers  TEXT NOT NULL CHECK (providers <> ''),
    updated_ms INTEGER NOT NULL,
    blob       BLOB NOT NULL CHECK (length(blob) BETWEEN 1 AND 16384),
    PRIMARY KEY (tenant_id, name)
) STRICT;
