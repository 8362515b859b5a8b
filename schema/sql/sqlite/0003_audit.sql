-- Where each tenant's audit trail stands, what was signed of it, and what of it was let go; and
-- refunds.

CREATE TABLE vito_audit_heads (
    tenant_id      TEXT PRIMARY KEY,
    seq            INTEGER NOT NULL CHECK (seq >= 0), -- of the last record
    chain          BLOB NOT NULL CHECK (length(chain) = 32),
    checkpoint_seq INTEGER NOT NULL DEFAULT 0 CHECK (checkpoint_seq >= 0), -- of the last checkpoint
    -- Records up to here have passed their retention; at least one is left behind it.
    pruned_seq     INTEGER NOT NULL DEFAULT 0 CHECK (pruned_seq >= 0),
    pruned_ms      INTEGER NOT NULL DEFAULT 0, -- when the youngest of them was written
    CHECK (pruned_seq = 0 OR pruned_seq < seq)
) STRICT, WITHOUT ROWID;
INSERT INTO vito_audit_heads (tenant_id, seq, chain)
    SELECT tenant_id, seq, chain FROM vito_audit_logs
    WHERE seq IN (SELECT max(seq) FROM vito_audit_logs GROUP BY tenant_id);

-- The record `seq` had that chain: signed (Ed25519) with a key that is not in the database.
CREATE TABLE vito_audit_checkpoints (
    tenant_id TEXT NOT NULL,
    seq       INTEGER NOT NULL CHECK (seq > 0),
    chain     BLOB NOT NULL CHECK (length(chain) = 32),
    at_ms     INTEGER NOT NULL,
    key       BLOB NOT NULL CHECK (length(key) = 32), -- the public one
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    PRIMARY KEY (tenant_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER vito_audit_checkpoints_update BEFORE UPDATE ON vito_audit_checkpoints
BEGIN
    SELECT raise(ABORT, 'vito_audit_checkpoints is append-only');
END;
CREATE TRIGGER vito_audit_checkpoints_delete BEFORE DELETE ON vito_audit_checkpoints
WHEN OLD.seq >= coalesce((SELECT pruned_seq FROM vito_audit_heads
    WHERE tenant_id = OLD.tenant_id), 0)
BEGIN
    SELECT raise(ABORT, 'vito_audit_checkpoints is append-only');
END;

-- Records are let go from the oldest on, up to a checkpoint.
CREATE TRIGGER vito_audit_heads_prune BEFORE UPDATE OF pruned_seq ON vito_audit_heads
WHEN NEW.pruned_seq <> OLD.pruned_seq AND (NEW.pruned_seq < OLD.pruned_seq
    OR NOT EXISTS (SELECT 1 FROM vito_audit_checkpoints
        WHERE tenant_id = NEW.tenant_id AND seq = NEW.pruned_seq))
BEGIN
    SELECT raise(ABORT, 'audit records are let go up to a checkpoint');
END;
DROP TRIGGER vito_audit_logs_delete;
CREATE TRIGGER vito_audit_logs_delete BEFORE DELETE ON vito_audit_logs
WHEN OLD.seq > coalesce((SELECT pruned_seq FROM vito_audit_heads
    WHERE tenant_id = OLD.tenant_id), 0)
BEGIN
    SELECT raise(ABORT, 'vito_audit_logs is append-only');
END;

-- Money given back: entries of their own, which lower the month's posted_nusd.
CREATE TABLE vito_refunds (
    tenant_id       TEXT NOT NULL,
    refund_id       TEXT NOT NULL CHECK (refund_id <> ''),
    period_start_ms INTEGER NOT NULL,
    leg_id          TEXT, -- what it is for, if it is for one leg
    amount_nusd     INTEGER NOT NULL CHECK (amount_nusd > 0),
    reason          TEXT NOT NULL CHECK (reason <> ''),
    at_ms           INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, refund_id),
    FOREIGN KEY (tenant_id, period_start_ms) REFERENCES vito_budgets
) STRICT, WITHOUT ROWID;
CREATE TRIGGER vito_refunds_update BEFORE UPDATE ON vito_refunds
BEGIN
    SELECT raise(ABORT, 'vito_refunds is append-only');
END;
CREATE TRIGGER vito_refunds_delete BEFORE DELETE ON vito_refunds
BEGIN
    SELECT raise(ABORT, 'vito_refunds is append-only');
END;
-- Part of what was posted, and given back since: posted_nusd is without it.
ALTER TABLE vito_budgets
    ADD COLUMN refunded_nusd INTEGER NOT NULL DEFAULT 0 CHECK (refunded_nusd >= 0);
