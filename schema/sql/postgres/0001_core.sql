-- The tables of the core services. Amounts are whole nano-dollars (_nusd), times are Unix
-- milliseconds (_ms). Every table leads with tenant_id, but for those that are about gateways.
--
-- Gateways work as the role twin_gateway: they see only the tenants that a transaction names in
-- vito.tenants ('{a,b}'; '{*}' is all of them), and can neither change nor remove what is in the
-- audit trail. A login role for a gateway: CREATE ROLE gw LOGIN IN ROLE twin_gateway.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'twin_gateway') THEN
        CREATE ROLE twin_gateway NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- another database of the cluster has just made it
END $$;

CREATE SCHEMA vito;
CREATE SCHEMA twin; -- identities, projects, scenes: no tenant and no money of its own

CREATE TABLE vito.schema_migrations (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

-- Who spends. Each start of a gateway is a new epoch. Every write of a gateway renews its lease
-- and fails when the epoch is not its own any more: so whoever settles what a node left open
-- (its next life, or another gateway once the lease has run out) fences it first. It also writes
-- its number: whose commit was not confirmed finds here whether it took place.
CREATE TABLE vito.nodes (
    node       TEXT COLLATE "C" PRIMARY KEY CHECK (node <> ''),
    epoch      BIGINT NOT NULL CHECK (epoch > 0),
    state      TEXT NOT NULL CHECK (state IN ('live', 'ended')),
    started_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    batch      BIGINT NOT NULL DEFAULT 0 -- the last transaction of this epoch
) WITH (fillfactor = 20); -- written with every commit: room for that on the same page

CREATE TABLE vito.tenants (
    tenant_id TEXT COLLATE "C" PRIMARY KEY CHECK (tenant_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    document  JSON NOT NULL CHECK (json_typeof(document) = 'object') -- word for word
);

-- Every policy_config a tenant ever had. It outlives the tenant, as its ledger does.
CREATE TABLE vito.policy_configs (
    tenant_id TEXT COLLATE "C" NOT NULL,
    version   INTEGER NOT NULL CHECK (version > 0),
    document  JSONB NOT NULL,
    at_ms     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, version)
);

-- Keys are kept as keyed hashes only.
CREATE TABLE vito.api_keys (
    tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES vito.tenants ON DELETE CASCADE,
    key_id     TEXT COLLATE "C" NOT NULL UNIQUE CHECK (key_id <> ''),
    digest     BYTEA NOT NULL UNIQUE CHECK (length(digest) = 32),
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key_id)
);

-- A tenant's month. posted_nusd is what legs have cost; reserved_nusd is what open grants have
-- not spent yet. Both together stay within the limit: a grant cannot be written that breaks it.
-- Three things go beyond and are no grants: a leg that cost more than was held, a limit that was
-- lowered, and a month that took over another one's spending. They say so in excess_nusd, which
-- is never more than they need.
CREATE TABLE vito.budgets (
    tenant_id       TEXT COLLATE "C" NOT NULL,
    period_start_ms BIGINT NOT NULL,
    period_end_ms   BIGINT NOT NULL,
    limit_nusd      BIGINT NOT NULL CHECK (limit_nusd >= 0),
    posted_nusd     BIGINT NOT NULL CHECK (posted_nusd >= carried_nusd),
    reserved_nusd   BIGINT NOT NULL DEFAULT 0 CHECK (reserved_nusd >= 0),
    excess_nusd     BIGINT NOT NULL DEFAULT 0 CHECK (excess_nusd >= 0),
    -- part of posted: spent in the month this one took the place of, when the time zone changed
    carried_nusd    BIGINT NOT NULL CHECK (carried_nusd >= 0),
    tokens          BIGINT NOT NULL CHECK (tokens >= 0),
    interactions    BIGINT NOT NULL CHECK (interactions >= 0),
    text_ms         BIGINT NOT NULL CHECK (text_ms >= 0),
    voice_ms        BIGINT NOT NULL CHECK (voice_ms >= 0),
    video_ms        BIGINT NOT NULL CHECK (video_ms >= 0),
    CHECK (period_start_ms < period_end_ms),
    CONSTRAINT within_limit CHECK (posted_nusd::NUMERIC + reserved_nusd
        <= limit_nusd::NUMERIC + excess_nusd),
    CONSTRAINT no_spare_excess CHECK (excess_nusd = 0 OR posted_nusd::NUMERIC + reserved_nusd
        >= limit_nusd::NUMERIC + excess_nusd),
    PRIMARY KEY (tenant_id, period_start_ms)
) WITH (fillfactor = 50);

-- Money moved from a budget to a gateway, which spends it without asking.
CREATE TABLE vito.grants (
    tenant_id       TEXT COLLATE "C" NOT NULL,
    period_start_ms BIGINT NOT NULL,
    node            TEXT COLLATE "C" NOT NULL,
    epoch           BIGINT NOT NULL,
    left_nusd       BIGINT NOT NULL CHECK (left_nusd >= 0), -- neither spent nor returned
    granted_nusd    BIGINT NOT NULL CHECK (granted_nusd >= left_nusd), -- and not returned
    state           TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    CHECK (state = 'open' OR left_nusd = 0),
    PRIMARY KEY (tenant_id, period_start_ms, node, epoch),
    FOREIGN KEY (tenant_id, period_start_ms) REFERENCES vito.budgets
) WITH (fillfactor = 50);
CREATE INDEX grants_open ON vito.grants (node, epoch) WHERE state = 'open';

-- One row per vendor leg, written before the vendor is called.
CREATE TABLE vito.usage (
    tenant_id       TEXT COLLATE "C" NOT NULL,
    leg_id          TEXT COLLATE "C" NOT NULL CHECK (starts_with(leg_id, 'leg_')),
    period_start_ms BIGINT NOT NULL,
    node            TEXT COLLATE "C" NOT NULL,
    epoch           BIGINT NOT NULL,
    session_id      TEXT COLLATE "C",
    provider_id     TEXT NOT NULL,
    decision_id     TEXT,
    policy_version  TEXT,
    mode            TEXT NOT NULL CHECK (mode IN ('text', 'voice', 'video')),
    state           TEXT NOT NULL CHECK (state IN ('open', 'settled')),
    held_nusd       BIGINT NOT NULL CHECK (held_nusd >= 0),
    opened_ms       BIGINT NOT NULL,
    -- when it is settled
    settled_ms      BIGINT,
    outcome         TEXT,
    cost_nusd       BIGINT CHECK (cost_nusd >= 0),
    overrun_nusd    BIGINT CHECK (overrun_nusd BETWEEN 0 AND cost_nusd), -- beyond the grant
    tokens          BIGINT CHECK (tokens >= 0),
    media_ms        BIGINT CHECK (media_ms >= 0),
    interactions    BIGINT CHECK (interactions >= 0),
    CHECK ((state = 'open') = (settled_ms IS NULL)),
    CHECK ((state = 'open') = (cost_nusd IS NULL)),
    PRIMARY KEY (tenant_id, leg_id),
    FOREIGN KEY (tenant_id, period_start_ms) REFERENCES vito.budgets
) WITH (fillfactor = 60);
CREATE INDEX usage_open ON vito.usage (node, epoch, tenant_id, period_start_ms)
    WHERE state = 'open';

-- Where each tenant's audit trail stands. Whoever appends to it holds this row until the commit,
-- so that no two gateways continue the same record.
CREATE TABLE vito.audit_heads (
    tenant_id TEXT COLLATE "C" PRIMARY KEY,
    seq       BIGINT NOT NULL CHECK (seq >= 0),
    chain     BYTEA NOT NULL CHECK (length(chain) = 32)
) WITH (fillfactor = 50);

-- What happened, in order and for good: exactly one BILLING_EVENT per vendor leg, whose id is the
-- leg's, and other events. `seq` counts a tenant's records without gaps. `chain` is a hash over
-- the row and the chain of the record before it.
CREATE TABLE vito.audit_logs (
    tenant_id      TEXT COLLATE "C" NOT NULL,
    seq            BIGINT NOT NULL CHECK (seq > 0),
    id             TEXT COLLATE "C" NOT NULL CHECK (id <> ''),
    at_ms          BIGINT NOT NULL,
    event          TEXT NOT NULL CHECK (event <> ''),
    session_id     TEXT COLLATE "C",
    provider_id    TEXT,
    cost_amount    NUMERIC(20, 9) CHECK (cost_amount >= 0), -- US dollars
    tokens         BIGINT,
    media_ms       BIGINT,
    interactions   BIGINT,
    decision_id    TEXT,
    policy_version TEXT,
    mode           TEXT,
    outcome        TEXT,
    details        JSON CHECK (json_typeof(details) = 'object'), -- word for word: it is hashed
    chain          BYTEA NOT NULL CHECK (length(chain) = 32),
    CHECK ((event = 'BILLING_EVENT') = starts_with(id, 'leg_')),
    CHECK ((event = 'BILLING_EVENT') = (cost_amount IS NOT NULL)),
    PRIMARY KEY (tenant_id, seq),
    UNIQUE (tenant_id, id)
);
CREATE INDEX audit_logs_session ON vito.audit_logs (tenant_id, session_id)
    WHERE session_id IS NOT NULL;

CREATE FUNCTION vito.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON vito.audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION vito.refuse_change();

-- What a tenant's policy remembers, an opaque document.
CREATE TABLE vito.policy_memory (
    tenant_id TEXT COLLATE "C" PRIMARY KEY REFERENCES vito.tenants ON DELETE CASCADE,
    document  BYTEA NOT NULL
);

-- Who may do what. Owners and superusers pass by; gateways take the role below.
DO $$
DECLARE
    protected TEXT;
BEGIN
    FOREACH protected IN ARRAY ARRAY['tenants', 'policy_configs', 'api_keys', 'budgets', 'grants',
        'usage', 'audit_heads', 'audit_logs', 'policy_memory']
    LOOP
        EXECUTE format('ALTER TABLE vito.%I ENABLE ROW LEVEL SECURITY', protected);
        EXECUTE format('CREATE POLICY of_tenant ON vito.%I TO twin_gateway USING ('
            '(SELECT current_setting(''vito.tenants'', true) = ''{*}'') OR tenant_id IN'
            ' (SELECT unnest(current_setting(''vito.tenants'', true)::TEXT[])))', protected);
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA vito, twin TO twin_gateway;
GRANT SELECT ON vito.schema_migrations TO twin_gateway;
GRANT SELECT, INSERT, UPDATE ON vito.nodes, vito.budgets, vito.grants, vito.usage,
    vito.audit_heads TO twin_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON vito.tenants, vito.policy_memory TO twin_gateway;
GRANT SELECT, INSERT, DELETE ON vito.api_keys TO twin_gateway;
GRANT SELECT, INSERT ON vito.policy_configs, vito.audit_logs TO twin_gateway;
