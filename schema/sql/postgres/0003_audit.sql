-- What was signed of each tenant's audit trail, and what of it was let go; and refunds.

ALTER TABLE vito.audit_heads
    ADD COLUMN checkpoint_seq BIGINT NOT NULL DEFAULT 0 CHECK (checkpoint_seq >= 0),
    -- Records up to here have passed their retention; at least one is left behind it.
    ADD COLUMN pruned_seq BIGINT NOT NULL DEFAULT 0 CHECK (pruned_seq >= 0),
    ADD COLUMN pruned_ms BIGINT NOT NULL DEFAULT 0, -- when the youngest of them was written
    ADD CHECK (pruned_seq = 0 OR pruned_seq < seq);

-- The record `seq` had that chain: signed (Ed25519) with a key that is not in the database.
CREATE TABLE vito.audit_checkpoints (
    tenant_id TEXT NOT NULL,
    seq       BIGINT NOT NULL CHECK (seq > 0),
    chain     BYTEA NOT NULL CHECK (length(chain) = 32),
    at_ms     BIGINT NOT NULL,
    key       BYTEA NOT NULL CHECK (length(key) = 32), -- the public one
    signature BYTEA NOT NULL CHECK (length(signature) = 64),
    PRIMARY KEY (tenant_id, seq)
);

-- Records are let go from the oldest on, up to a checkpoint.
CREATE FUNCTION vito.check_pruning() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.pruned_seq < OLD.pruned_seq OR NOT EXISTS (SELECT FROM vito.audit_checkpoints AS c
            WHERE c.tenant_id = NEW.tenant_id AND c.seq = NEW.pruned_seq) THEN
        RAISE EXCEPTION 'audit records are let go up to a checkpoint'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER prune BEFORE UPDATE OF pruned_seq ON vito.audit_heads
    FOR EACH ROW WHEN (NEW.pruned_seq <> OLD.pruned_seq) EXECUTE FUNCTION vito.check_pruning();

CREATE FUNCTION vito.refuse_early_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.seq >= coalesce((SELECT h.pruned_seq FROM vito.audit_heads AS h
            WHERE h.tenant_id = OLD.tenant_id), 0) + TG_ARGV[0]::BIGINT THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END $$;
DROP TRIGGER append_only ON vito.audit_logs;
CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON vito.audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION vito.refuse_change();
CREATE TRIGGER kept BEFORE DELETE ON vito.audit_logs
    FOR EACH ROW EXECUTE FUNCTION vito.refuse_early_delete('1');
CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON vito.audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION vito.refuse_change();
CREATE TRIGGER kept BEFORE DELETE ON vito.audit_checkpoints
    FOR EACH ROW EXECUTE FUNCTION vito.refuse_early_delete('0');

-- Money given back: entries of their own, which lower the month's posted_nusd.
CREATE TABLE vito.refunds (
    tenant_id       TEXT NOT NULL,
    refund_id       TEXT NOT NULL CHECK (refund_id <> ''),
    period_start_ms BIGINT NOT NULL,
    leg_id          TEXT, -- what it is for, if it is for one leg
    amount_nusd     BIGINT NOT NULL CHECK (amount_nusd > 0),
    reason          TEXT NOT NULL CHECK (reason <> ''),
    at_ms           BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, refund_id),
    FOREIGN KEY (tenant_id, period_start_ms) REFERENCES vito.budgets
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON vito.refunds
    FOR EACH STATEMENT EXECUTE FUNCTION vito.refuse_change();
-- Part of what was posted, and given back since: posted_nusd is without it.
ALTER TABLE vito.budgets
    ADD COLUMN refunded_nusd BIGINT NOT NULL DEFAULT 0 CHECK (refunded_nusd >= 0);

DO $$
DECLARE
    protected TEXT;
BEGIN
    FOREACH protected IN ARRAY ARRAY['audit_checkpoints', 'refunds']
    LOOP
        EXECUTE format('ALTER TABLE vito.%I ENABLE ROW LEVEL SECURITY', protected);
        EXECUTE format('CREATE POLICY of_tenant ON vito.%I TO twin_gateway USING ('
            '(SELECT current_setting(''vito.tenants'', true) = ''{*}'') OR tenant_id IN'
            ' (SELECT unnest(current_setting(''vito.tenants'', true)::TEXT[])))', protected);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON vito.refunds TO twin_gateway;
GRANT SELECT, INSERT, DELETE ON vito.audit_checkpoints TO twin_gateway;
GRANT DELETE ON vito.audit_logs TO twin_gateway; -- only what vito.audit_heads.pruned_seq lets go
