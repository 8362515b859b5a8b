-- The tables of the core services. Amounts are whole nano-dollars (_nusd), times are Unix
-- milliseconds (_ms). Only the gateway writes here; reading while it runs is safe.

CREATE TABLE vito_schema_migrations (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_ms INTEGER NOT NULL
) STRICT;

-- Who spends. Each start of a gateway is a new epoch; what a former one left open is settled.
CREATE TABLE vito_nodes (
    node       TEXT PRIMARY KEY,
    epoch      INTEGER NOT NULL CHECK (epoch > 0),
    started_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE vito_tenants (
    tenant_id TEXT PRIMARY KEY CHECK (length(tenant_id) BETWEEN 1 AND 63
        AND tenant_id GLOB '[a-z0-9]*' AND tenant_id NOT GLOB '*[^a-z0-9-]*'),
    document  TEXT NOT NULL CHECK (iif(json_valid(document), json_type(document) = 'object', 0))
) STRICT;

-- Every policy_config a tenant ever had. It outlives the tenant, as its ledger does.
CREATE TABLE vito_policy_configs (
    tenant_id TEXT NOT NULL,
    version   INTEGER NOT NULL CHECK (version > 0),
    document  TEXT NOT NULL,
    at_ms     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, version)
) STRICT;

-- Keys are kept as keyed hashes only.
CREATE TABLE vito_api_keys (
    key_id     TEXT PRIMARY KEY CHECK (key_id <> ''),
    tenant_id  TEXT NOT NULL REFERENCES vito_tenants ON DELETE CASCADE,
    digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX vito_api_keys_tenant ON vito_api_keys (tenant_id);

-- A tenant's month. posted_nusd is what legs have cost; reserved_nusd is what open grants have
-- not spent yet; posted + reserved stays within the limit, but for costs beyond what was held
-- (vito_usage.overrun_nusd) and limits that were lowered.
CREATE TABLE vito_budgets (
    tenant_id       TEXT NOT NULL,
    period_start_ms INTEGER NOT NULL,
    period_end_ms   INTEGER NOT NULL,
    limit_nusd      INTEGER NOT NULL CHECK (limit_nusd >= 0),
    posted_nusd     INTEGER NOT NULL CHECK (posted_nusd >= carried_nusd),
    reserved_nusd   INTEGER NOT NULL DEFAULT 0 CHECK (reserved_nusd >= 0),
    -- part of posted: spent in the month this one took the place of, when the time zone changed
    carried_nusd    INTEGER NOT NULL CHECK (carried_nusd >= 0),
    tokens          INTEGER NOT NULL CHECK (tokens >= 0),
    interactions    INTEGER NOT NULL CHECK (interactions >= 0),
    text_ms         INTEGER NOT NULL CHECK (text_ms >= 0),
    voice_ms        INTEGER NOT NULL CHECK (voice_ms >= 0),
    video_ms        INTEGER NOT NULL CHECK (video_ms >= 0),
    CHECK (period_start_ms < period_end_ms),
    PRIMARY KEY (tenant_id, period_start_ms)
) STRICT, WITHOUT ROWID;

-- Money moved from a budget to a gateway, which spends it without asking.
CREATE TABLE vito_grants (
    tenant_id       TEXT NOT NULL,
    period_start_ms INTEGER NOT NULL,
    node            TEXT NOT NULL,
    epoch           INTEGER NOT NULL,
    left_nusd       INTEGER NOT NULL CHECK (left_nusd >= 0), -- neither spent nor returned
    granted_nusd    INTEGER NOT NULL CHECK (granted_nusd >= left_nusd), -- and not returned
    state           TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    CHECK (state = 'open' OR left_nusd = 0),
    PRIMARY KEY (tenant_id, period_start_ms, node, epoch),
    FOREIGN KEY (tenant_id, period_start_ms) REFERENCES vito_budgets
) STRICT, WITHOUT ROWID;

-- One row per vendor leg, written before the vendor is called.
CREATE TABLE vito_usage (
    leg_id          TEXT PRIMARY KEY CHECK (leg_id GLOB 'leg_*'),
    tenant_id       TEXT NOT NULL,
    period_start_ms INTEGER NOT NULL,
    node            TEXT NOT NULL,
    epoch           INTEGER NOT NULL,
    session_id      TEXT,
    provider_id     TEXT NOT NULL,
    decision_id     TEXT,
    policy_version  TEXT,
    -- not IN: SQLite makes a temporary table for three or more, at each insert
    mode            TEXT NOT NULL CHECK (mode = 'text' OR mode = 'voice' OR mode = 'video'),
    state           TEXT NOT NULL CHECK (state IN ('open', 'settled')),
    held_nusd       INTEGER NOT NULL CHECK (held_nusd >= 0),
    opened_ms       INTEGER NOT NULL,
    -- when it is settled
    settled_ms      INTEGER,
    outcome         TEXT,
    cost_nusd       INTEGER CHECK (cost_nusd >= 0),
    overrun_nusd    INTEGER CHECK (overrun_nusd BETWEEN 0 AND cost_nusd), -- beyond the grant
    tokens          INTEGER CHECK (tokens >= 0),
    media_ms        INTEGER CHECK (media_ms >= 0),
    interactions    INTEGER CHECK (interactions >= 0),
    CHECK ((state = 'open') = (settled_ms IS NULL)),
    CHECK ((state = 'open') = (cost_nusd IS NULL)),
    FOREIGN KEY (tenant_id, period_start_ms) REFERENCES vito_budgets
) STRICT, WITHOUT ROWID;
CREATE INDEX vito_usage_open ON vito_usage (tenant_id) WHERE state = 'open';

-- What happened, in order and for good: exactly one BILLING_EVENT per vendor leg, whose id is the
-- leg's, and other events. `chain` is a hash over the row and the chain of the tenant's row
-- before it.
CREATE TABLE vito_audit_logs (
    seq              INTEGER PRIMARY KEY,
    id               TEXT NOT NULL UNIQUE CHECK (id <> ''),
    tenant_id        TEXT NOT NULL,
    at_ms            INTEGER NOT NULL,
    event            TEXT NOT NULL CHECK (event <> ''),
    session_id       TEXT,
    provider_id      TEXT,
    cost_amount_nusd INTEGER CHECK (cost_amount_nusd >= 0),
    tokens           INTEGER,
    media_ms         INTEGER,
    interactions     INTEGER,
    decision_id      TEXT,
    policy_version   TEXT,
    mode             TEXT,
    outcome          TEXT,
    details          TEXT CHECK (details IS NULL
        OR iif(json_valid(details), json_type(details) = 'object', 0)),
    chain            BLOB NOT NULL CHECK (length(chain) = 32),
    CHECK ((event = 'BILLING_EVENT') = (id GLOB 'leg_*')),
    CHECK ((event = 'BILLING_EVENT') = (cost_amount_nusd IS NOT NULL))
) STRICT;
CREATE INDEX vito_audit_logs_tenant ON vito_audit_logs (tenant_id);
CREATE INDEX vito_audit_logs_session ON vito_audit_logs (session_id)
    WHERE session_id IS NOT NULL;

CREATE TRIGGER vito_audit_logs_update BEFORE UPDATE ON vito_audit_logs
BEGIN
    SELECT raise(ABORT, 'vito_audit_logs is append-only');
END;
CREATE TRIGGER vito_audit_logs_delete BEFORE DELETE ON vito_audit_logs
BEGIN
    SELECT raise(ABORT, 'vito_audit_logs is append-only');
END;

-- What a tenant's policy remembers, an opaque document.
CREATE TABLE vito_policy_memory (
    tenant_id TEXT PRIMARY KEY REFERENCES vito_tenants ON DELETE CASCADE,
    document  BLOB NOT NULL
) STRICT;
