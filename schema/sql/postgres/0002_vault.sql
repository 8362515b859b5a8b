-- The vault. Blobs are sealed with XChaCha20-Poly1305 and bound to tenant, name and version: one
-- that is changed, moved or older than its tenant's key says is refused.

-- What the gateways keep for themselves, under the master key.
CREATE TABLE vito.vault_root (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL CHECK (version > 0),
    blob    BYTEA NOT NULL CHECK (length(blob) BETWEEN 1 AND 16384)
);

-- A tenant's key, under the master key, with the list of the tenant's secrets. It goes with the
-- tenant, and what it sealed cannot be read again.
CREATE TABLE vito.tenant_keys (
    tenant_id TEXT COLLATE "C" PRIMARY KEY REFERENCES vito.tenants ON DELETE CASCADE,
    version   BIGINT NOT NULL CHECK (version > 0),
    blob      BYTEA NOT NULL CHECK (length(blob) BETWEEN 1 AND 16384)
);

-- Secrets, under their tenant's key. `providers` are the adapters that may use one.
CREATE TABLE vito.secrets (
    tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES vito.tenant_keys ON DELETE CASCADE,
    name       TEXT COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    version    BIGINT NOT NULL CHECK (version > 0),
    providers  TEXT NOT NULL CHECK (providers <> ''),
    updated_ms BIGINT NOT NULL,
    blob       BYTEA NOT NULL CHECK (length(blob) BETWEEN 1 AND 16384),
    PRIMARY KEY (tenant_id, name)
);

DO $$
DECLARE
    protected TEXT;
BEGIN
    FOREACH protected IN ARRAY ARRAY['tenant_keys', 'secrets']
    LOOP
        EXECUTE format('ALTER TABLE vito.%I ENABLE ROW LEVEL SECURITY', protected);
        EXECUTE format('CREATE POLICY of_tenant ON vito.%I TO twin_gateway USING ('
            '(SELECT current_setting(''vito.tenants'', true) = ''{*}'') OR tenant_id IN'
            ' (SELECT unnest(current_setting(''vito.tenants'', true)::TEXT[])))', protected);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON vito.vault_root, vito.tenant_keys TO twin_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON vito.secrets TO twin_gateway;
