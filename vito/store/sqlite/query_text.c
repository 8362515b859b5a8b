/*
 * The statements of the store.
 */
#include "runtime/assert.h"
#include "vito/store/sqlite/query.h"

/* What struct vito_budget is read from. */
#define FIGURES                                                                                    \
    " limit_nusd, posted_nusd, reserved_nusd, tokens, interactions, text_ms, voice_ms, video_ms "

/* What struct vito_audit_record is read from, and a cursor. */
#define AUDIT_COLUMNS                                                                              \
    " id, tenant_id, event, session_id, at_ms, provider_id, decision_id, policy_version, mode,"    \
    " outcome, cost_amount_nusd, tokens, media_ms, interactions, details"

/* Records of tenant ?1 up to here are as good as gone. */
#define PRUNED "coalesce((SELECT pruned_seq FROM vito_audit_heads WHERE tenant_id = ?1), 0)"

/* A budget of the same month as the one from ?2 to ?3, counted in another time zone. */
#define SAME_MONTH                                                                                 \
    " tenant_id = ?1 AND period_start_ms <> ?2 AND period_start_ms <= (?2 + ?3) / 2"               \
    " AND period_end_ms > (?2 + ?3) / 2 "

/* Rows of the vault in the order of struct vito_sealed, tenant by tenant; `which` narrows
 * tenant_id. Each part comes in order from its key, so nothing is sorted. */
#define SEALED_ROWS(which)                                                                         \
    "SELECT tenant_id, 1 AS kind, '' AS name, '' AS providers, 0 AS version, 0 AS at_ms,"          \
    " NULL AS blob FROM vito_tenants WHERE tenant_id " which                                       \
    " UNION ALL SELECT tenant_id, 2, '', '', version, 0, blob FROM vito_tenant_keys"               \
    " WHERE tenant_id " which                                                                      \
    " UNION ALL SELECT tenant_id, 3, name, providers, version, updated_ms, blob FROM vito_secrets" \
    " WHERE tenant_id " which " ORDER BY tenant_id, kind, name"

/* What adopted legs hold, by the grant of a former epoch (before ?2) it comes out of. */
#define ADOPTED_BY_GRANT                                                                           \
    " (SELECT leg.tenant_id, leg.period_start_ms, leg.epoch, min(g.left_nusd, sum(leg.held_nusd))" \
    " AS taken FROM vito_usage AS leg JOIN vito_grants AS g"                                       \
    " USING (tenant_id, period_start_ms, node, epoch) WHERE leg.state = 'open'"                    \
    " AND leg.mode = 'video' AND leg.node = ?1 AND leg.epoch < ?2 AND g.state = 'open'"            \
    " GROUP BY 1, 2, 3) AS adopted "

static const char *const texts[QUERY_COUNT] = {
    [QUERY_BEGIN] = "BEGIN IMMEDIATE",
    [QUERY_COMMIT] = "COMMIT",

    [QUERY_NODE_START] = "INSERT INTO vito_nodes (node, epoch, started_ms) VALUES (?1, 1, ?2)"
                         " ON CONFLICT (node) DO UPDATE"
                         " SET epoch = epoch + 1, started_ms = excluded.started_ms"
                         " RETURNING epoch",

    [QUERY_TENANT_UPDATE] = "UPDATE vito_tenants SET document = ?2 WHERE tenant_id = ?1",
    [QUERY_TENANT_INSERT] = "INSERT INTO vito_tenants (tenant_id, document) VALUES (?1, ?2)",
    [QUERY_TENANT_GET] = "SELECT document FROM vito_tenants WHERE tenant_id = ?1",
    [QUERY_TENANT_LIST] =
        "SELECT json_group_array(json_object('id', tenant_id,"
        " 'display_name', document ->> '$.display_name', 'policy', document ->> '$.policy'))"
        " FROM (SELECT tenant_id, document FROM vito_tenants ORDER BY tenant_id)",
    [QUERY_TENANT_REMOVE] = "DELETE FROM vito_tenants WHERE tenant_id = ?1",

    /* A new version, unless the tenant's document ?2 has the same config as the last one. */
    [QUERY_POLICY_CONFIG_ADD] =
        "INSERT INTO vito_policy_configs (tenant_id, version, document, at_ms)"
        " SELECT ?1, coalesce((SELECT max(version) FROM vito_policy_configs WHERE tenant_id = ?1),"
        " 0) + 1, config, ?3"
        " FROM (SELECT coalesce(?2 -> '$.policy_config', '{}') AS config)"
        " WHERE config IS NOT (SELECT document FROM vito_policy_configs"
        " WHERE tenant_id = ?1 ORDER BY version DESC LIMIT 1)",

    [QUERY_KEY_ADD] = "INSERT INTO vito_api_keys (key_id, tenant_id, digest, created_ms)"
                      " VALUES (?1, ?2, ?3, ?4)",
    [QUERY_KEY_COUNT] = "SELECT count(*) FROM vito_api_keys WHERE tenant_id BETWEEN ?1 AND ?2",
    [QUERY_KEY_LIST] = "SELECT key_id, tenant_id, digest, created_ms, expires_ms FROM vito_api_keys"
                       " WHERE tenant_id BETWEEN ?1 AND ?2 ORDER BY tenant_id, created_ms, key_id",
    [QUERY_KEY_ADD_FOR] = "INSERT INTO vito_api_keys (key_id, tenant_id, digest, created_ms)"
                          " SELECT ?1, ?2, ?3, ?4 FROM vito_api_keys WHERE key_id = ?5"
                          " AND tenant_id = ?2 AND (expires_ms = 0 OR expires_ms > ?4)",
    [QUERY_KEY_END] = "UPDATE vito_api_keys SET expires_ms = ?2 WHERE key_id = ?1"
                      " AND (expires_ms = 0 OR expires_ms > ?2)",
    [QUERY_KEY_REMOVE] = "DELETE FROM vito_api_keys WHERE key_id = ?1 AND tenant_id = ?2",

    [QUERY_MEMORY_PUT] = "INSERT INTO vito_policy_memory (tenant_id, document) VALUES (?1, ?2)"
                         " ON CONFLICT (tenant_id) DO UPDATE SET document = excluded.document",
    [QUERY_MEMORY_GET] = "SELECT document FROM vito_policy_memory WHERE tenant_id = ?1",

    /* A month that takes the place of another one begins with all that may be spent of that. */
    [QUERY_BUDGET_OPEN] =
        "INSERT INTO vito_budgets (tenant_id, period_start_ms, period_end_ms, limit_nusd,"
        " posted_nusd, carried_nusd, tokens, interactions, text_ms, voice_ms, video_ms)"
        " SELECT ?1, ?2, ?3, ?4, coalesce(max(posted_nusd + reserved_nusd), 0),"
        " coalesce(max(posted_nusd + reserved_nusd), 0), coalesce(max(tokens), 0),"
        " coalesce(max(interactions), 0), coalesce(max(text_ms), 0), coalesce(max(voice_ms), 0),"
        " coalesce(max(video_ms), 0)"
        " FROM vito_budgets WHERE" SAME_MONTH "ON CONFLICT (tenant_id, period_start_ms) DO UPDATE"
        " SET limit_nusd = excluded.limit_nusd,"
        " posted_nusd = max(posted_nusd, excluded.posted_nusd - refunded_nusd),"
        " carried_nusd = carried_nusd + max(excluded.posted_nusd - posted_nusd - refunded_nusd, 0)"
        " RETURNING" FIGURES ", refunded_nusd",
    [QUERY_BUDGET_FREEZE_OTHERS] = "UPDATE vito_budgets"
                                   " SET limit_nusd = min(limit_nusd, posted_nusd + reserved_nusd)"
                                   " WHERE" SAME_MONTH,
    [QUERY_BUDGET_READ] =
        "SELECT" FIGURES "FROM vito_budgets WHERE tenant_id = ?1 AND period_start_ms = ?2",
    [QUERY_BUDGET_RESERVE] = "UPDATE vito_budgets SET reserved_nusd = reserved_nusd + ?3"
                             " WHERE tenant_id = ?1 AND period_start_ms = ?2 RETURNING" FIGURES,
    [QUERY_BUDGET_POST] =
        "UPDATE vito_budgets SET posted_nusd = ?3, reserved_nusd = ?4, tokens = ?5,"
        " interactions = ?6, text_ms = ?7, voice_ms = ?8, video_ms = ?9"
        " WHERE tenant_id = ?1 AND period_start_ms = ?2",
    [QUERY_BUDGET_UNRESERVE_STALE] =
        "UPDATE vito_budgets SET reserved_nusd = reserved_nusd - stale.left_nusd"
        " FROM (SELECT tenant_id, period_start_ms, sum(left_nusd) AS left_nusd FROM vito_grants"
        " WHERE state = 'open' AND node = ?1 AND epoch < ?2 GROUP BY 1, 2) AS stale"
        " WHERE vito_budgets.tenant_id = stale.tenant_id"
        " AND vito_budgets.period_start_ms = stale.period_start_ms",

    [QUERY_GRANT_ADD] = "INSERT INTO vito_grants"
                        " (tenant_id, period_start_ms, node, epoch, left_nusd, granted_nusd, state)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?5, 'open')"
                        " ON CONFLICT (tenant_id, period_start_ms, node, epoch) DO UPDATE"
                        " SET left_nusd = left_nusd + excluded.left_nusd,"
                        " granted_nusd = granted_nusd + excluded.granted_nusd",
    [QUERY_GRANT_READ] = "SELECT left_nusd FROM vito_grants"
                         " WHERE tenant_id = ?1 AND period_start_ms = ?2 AND node = ?3"
                         " AND epoch = ?4 AND state = 'open'",
    [QUERY_GRANT_READ_FREE] =
        "SELECT left_nusd - (SELECT coalesce(sum(held_nusd), 0) FROM vito_usage AS leg"
        " WHERE leg.state = 'open' AND leg.tenant_id = ?1 AND leg.period_start_ms = ?2"
        " AND leg.node = ?3 AND leg.epoch = ?4)"
        " FROM vito_grants"
        " WHERE tenant_id = ?1 AND period_start_ms = ?2 AND node = ?3 AND epoch = ?4"
        " AND state = 'open'",
    [QUERY_GRANT_LOWER] = "UPDATE vito_grants SET left_nusd = left_nusd - ?5 - ?6,"
                          " granted_nusd = granted_nusd - ?6"
                          " WHERE tenant_id = ?1 AND period_start_ms = ?2 AND node = ?3"
                          " AND epoch = ?4",
    [QUERY_GRANT_CLOSE_STALE] =
        "UPDATE vito_grants"
        " SET state = 'closed', granted_nusd = granted_nusd - left_nusd, left_nusd = 0"
        " WHERE state = 'open' AND node = ?1 AND epoch < ?2",

    [QUERY_LEG_OPEN] =
        "INSERT INTO vito_usage (leg_id, tenant_id, period_start_ms, node, epoch, session_id,"
        " provider_id, decision_id, policy_version, mode, state, held_nusd, opened_ms)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'open', ?11, ?12)",
    /* Not one that was adopted: who opened it holds nothing any more. */
    [QUERY_LEG_EXTEND] = "UPDATE vito_usage SET held_nusd = max(held_nusd, ?3) WHERE leg_id = ?1"
                         " AND tenant_id = ?2 AND state = 'open' AND outcome IS NULL",
    [QUERY_LEG_REF] = "UPDATE vito_usage SET vendor_ref = CAST(?3 AS TEXT) WHERE leg_id = ?1"
                      " AND tenant_id = ?2 AND state = 'open'",
    [QUERY_LEG_READ] =
        "SELECT state, period_start_ms, epoch, session_id, provider_id,"
        " decision_id, policy_version, mode, held_nusd, outcome = 'adopted',"
        " coalesce(cost_nusd, 0) FROM vito_usage WHERE leg_id = ?1 AND tenant_id = ?2",
    [QUERY_LEG_SETTLE] = "UPDATE vito_usage SET state = 'settled', settled_ms = ?2, outcome = ?3,"
                         " cost_nusd = ?4, overrun_nusd = ?5, tokens = ?6, media_ms = ?7,"
                         " interactions = ?8 WHERE leg_id = ?1 AND state = 'open'",
    [QUERY_LEG_FIND_OPEN] = "SELECT leg_id, tenant_id, held_nusd FROM vito_usage"
                            " WHERE state = 'open' AND node = ?1 AND epoch < ?2"
                            " ORDER BY leg_id LIMIT 1",
    /* Of a video leg nobody knows whether it still runs: what it holds moves to the new epoch. */
    [QUERY_ADOPT_SET_ASIDE] =
        "INSERT INTO vito_grants (tenant_id, period_start_ms, node, epoch, left_nusd,"
        " granted_nusd, state) SELECT tenant_id, period_start_ms, ?1, ?2, sum(taken), sum(taken),"
        " 'open' FROM" ADOPTED_BY_GRANT "GROUP BY 1, 2",
    [QUERY_ADOPT_LOWER_STALE] =
        "UPDATE vito_grants SET left_nusd = left_nusd - taken, granted_nusd = granted_nusd - taken"
        " FROM" ADOPTED_BY_GRANT "WHERE vito_grants.tenant_id = adopted.tenant_id"
        " AND vito_grants.period_start_ms = adopted.period_start_ms"
        " AND vito_grants.node = ?1 AND vito_grants.epoch = adopted.epoch",
    [QUERY_ADOPT_LEGS] = "UPDATE vito_usage SET epoch = ?2, outcome = 'adopted'"
                         " WHERE state = 'open' AND mode = 'video' AND node = ?1 AND epoch < ?2",
    [QUERY_LEG_COUNT_ADOPTED] = "SELECT count(*) FROM vito_usage WHERE state = 'open'"
                                " AND outcome = 'adopted' AND node = ?1",
    [QUERY_LEG_LIST_ADOPTED] =
        "SELECT leg_id, tenant_id, provider_id, mode, held_nusd, opened_ms, period_start_ms,"
        " period_end_ms, limit_nusd, coalesce(vendor_ref, '') FROM vito_usage"
        " JOIN vito_budgets USING (tenant_id, period_start_ms) WHERE state = 'open'"
        " AND outcome = 'adopted' AND node = ?1 ORDER BY leg_id",
    [QUERY_LEG_LIST] = "SELECT leg_id, provider_id, mode, held_nusd, period_start_ms"
                       " FROM vito_usage WHERE state = 'open' AND outcome IS NULL"
                       " AND tenant_id = ?1 AND node = ?2 AND epoch = ?3 ORDER BY leg_id LIMIT ?4",

    [QUERY_AUDIT_LAST_CHAIN] = "SELECT chain FROM vito_audit_heads WHERE tenant_id = ?1",
    [QUERY_AUDIT_MOVE_HEAD] =
        "INSERT INTO vito_audit_heads (tenant_id, seq, chain) VALUES (?1, ?2, ?3)"
        " ON CONFLICT (tenant_id) DO UPDATE SET seq = excluded.seq, chain = excluded.chain",
    [QUERY_AUDIT_ADD] = "INSERT INTO vito_audit_logs (" AUDIT_COLUMNS ", chain) VALUES"
                        " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    [QUERY_AUDIT_LIST] = "SELECT" AUDIT_COLUMNS ", seq FROM vito_audit_logs"
                         " WHERE tenant_id = ?1 AND seq > max(?2, " PRUNED ")"
                         " ORDER BY seq LIMIT ?3",
    [QUERY_AUDIT_LIST_OF_SESSION] =
        "SELECT" AUDIT_COLUMNS ", seq FROM vito_audit_logs"
        " WHERE tenant_id = ?1 AND seq > max(?2, " PRUNED ") AND session_id = ?4"
        " ORDER BY seq LIMIT ?3",
    [QUERY_AUDIT_CHAINS] =
        "SELECT" AUDIT_COLUMNS ", chain, (SELECT c.chain FROM vito_audit_checkpoints AS c"
        " JOIN vito_audit_heads AS h ON h.tenant_id = c.tenant_id AND h.pruned_seq = c.seq"
        " WHERE c.tenant_id = a.tenant_id) FROM vito_audit_logs AS a"
        " WHERE seq > coalesce((SELECT pruned_seq FROM vito_audit_heads AS h"
        " WHERE h.tenant_id = a.tenant_id), 0) ORDER BY tenant_id, seq",

    [QUERY_TRAIL_HEAD] = "SELECT tenant_id, seq, chain, checkpoint_seq, pruned_seq"
                         " FROM vito_audit_heads WHERE tenant_id = ?1",
    [QUERY_TRAIL_HEADS] =
        "SELECT tenant_id, seq, chain, checkpoint_seq, pruned_seq"
        " FROM vito_audit_heads WHERE tenant_id > ?1 AND (?3 OR seq <> checkpoint_seq)"
        " ORDER BY tenant_id LIMIT ?2",
    /* Entries, each followed by its checkpoint if there is one. */
    [QUERY_TRAIL_EXPORT] =
        "SELECT * FROM (SELECT" AUDIT_COLUMNS ", seq, chain, 0 AS kind, NULL, NULL"
        " FROM vito_audit_logs WHERE tenant_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?4)"
        " UNION ALL SELECT * FROM (SELECT '', tenant_id, '', '', at_ms, '', '', '', '', '', 0, 0,"
        " 0, 0, NULL, seq, chain, 1 AS kind, key, signature FROM vito_audit_checkpoints"
        " WHERE tenant_id = ?1 AND seq >= ?3 ORDER BY seq LIMIT ?4)"
        " ORDER BY 16, 18 LIMIT ?4",
    [QUERY_CHECKPOINT_ADD] =
        "INSERT INTO vito_audit_checkpoints (tenant_id, seq, chain, at_ms, key, signature)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM vito_audit_logs"
        " WHERE seq = ?2 AND tenant_id = ?1 AND chain = ?3)"
        " ON CONFLICT (tenant_id, seq) DO NOTHING",
    [QUERY_CHECKPOINT_NOTE] = "UPDATE vito_audit_heads SET checkpoint_seq = ?2"
                              " WHERE tenant_id = ?1 AND checkpoint_seq < ?2"
                              " AND EXISTS (SELECT 1 FROM vito_audit_checkpoints"
                              " WHERE tenant_id = ?1 AND seq = ?2 AND chain = ?3)",

    /* The last checkpoint that is older than ?2 and than every month that is not over by ?3, or has
     * money reserved or legs open; and what those are older than. */
    [QUERY_PRUNE_FIND] =
        "WITH bound (ms) AS (SELECT min(?2, coalesce((SELECT min(period_start_ms)"
        " FROM vito_budgets AS b WHERE tenant_id = ?1 AND (period_end_ms > ?3"
        " OR reserved_nusd > 0 OR EXISTS (SELECT 1 FROM vito_usage AS u WHERE u.state = 'open'"
        " AND u.tenant_id = ?1 AND u.period_start_ms = b.period_start_ms))), ?2)))"
        " SELECT c.seq, ms FROM bound, vito_audit_checkpoints AS c JOIN vito_audit_heads AS h"
        " USING (tenant_id) WHERE tenant_id = ?1 AND c.seq > h.pruned_seq AND c.seq < h.seq"
        " AND c.at_ms < ms ORDER BY c.seq DESC LIMIT 1",
    [QUERY_PRUNE_MEASURE] =
        "SELECT count(*), coalesce(sum(cost_amount_nusd), 0), coalesce(min(at_ms), 0),"
        " coalesce(max(at_ms), 0) FROM vito_audit_logs WHERE tenant_id = ?1 AND seq > " PRUNED
        " AND seq <= ?2",
    [QUERY_PRUNE_ALLOW] = "UPDATE vito_audit_heads SET pruned_seq = ?2, pruned_ms = ?3"
                          " WHERE tenant_id = ?1",
    [QUERY_PRUNE_CHECKPOINTS] = "DELETE FROM vito_audit_checkpoints"
                                " WHERE tenant_id = ?1 AND seq < ?2",
    [QUERY_PRUNE_ROWS] = "DELETE FROM vito_audit_logs WHERE seq IN (SELECT seq FROM vito_audit_logs"
                         " WHERE tenant_id = ?1 AND seq <= " PRUNED " ORDER BY seq LIMIT ?2)",

    [QUERY_REFUND_GET] = "SELECT period_start_ms, coalesce(leg_id, ''), amount_nusd, reason"
                         " FROM vito_refunds WHERE tenant_id = ?1 AND refund_id = ?2",
    [QUERY_REFUND_OF_LEG] =
        "SELECT period_start_ms, cost_nusd - (SELECT coalesce(sum(amount_nusd), 0)"
        " FROM vito_refunds AS r WHERE r.tenant_id = ?1 AND r.leg_id = ?2)"
        " FROM vito_usage WHERE leg_id = ?2 AND tenant_id = ?1 AND state = 'settled'",
    [QUERY_REFUND_ROOM] = "SELECT" FIGURES ", refunded_nusd, posted_nusd - carried_nusd"
                          " FROM vito_budgets WHERE tenant_id = ?1 AND period_start_ms = ?2",
    [QUERY_REFUND_ADD] = "INSERT INTO vito_refunds (tenant_id, refund_id, period_start_ms, leg_id,"
                         " amount_nusd, reason, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [QUERY_REFUND_POST] = "UPDATE vito_budgets SET posted_nusd = posted_nusd - ?3,"
                          " refunded_nusd = refunded_nusd + ?3"
                          " WHERE tenant_id = ?1 AND period_start_ms = ?2"
                          " RETURNING" FIGURES ", refunded_nusd",

    /* ?4 is now, ?5 the oldest a turn can be that still runs, ?6 this life. */
    [QUERY_TURN_FIND] =
        "SELECT body = ?3, coalesce(status, 0), answer, epoch = ?6 AND began_ms > ?5,"
        " EXISTS (SELECT 1 FROM vito_usage AS u WHERE u.tenant_id = ?1 AND u.state = 'open'"
        " AND u.session_id = k.session_id),"
        " (SELECT count(*) FROM vito_audit_logs AS a WHERE a.session_id = k.session_id"
        " AND a.event = 'BILLING_EVENT'),"
        " (SELECT coalesce(sum(cost_amount_nusd), 0) FROM vito_audit_logs AS a"
        " WHERE a.session_id = k.session_id AND a.event = 'BILLING_EVENT')"
        " FROM vito_turn_keys AS k WHERE tenant_id = ?1 AND key = ?2 AND expires_ms > ?4",
    [QUERY_TURN_REMOVE] = "DELETE FROM vito_turn_keys WHERE tenant_id = ?1 AND key = ?2",
    /* Of the oldest those that are over: more than come in. */
    [QUERY_TURN_SWEEP] =
        "DELETE FROM vito_turn_keys WHERE rowid IN (SELECT id FROM (SELECT rowid AS id, expires_ms"
        " FROM vito_turn_keys WHERE tenant_id = ?1 ORDER BY number LIMIT 8)"
        " WHERE expires_ms <= ?2)",
    [QUERY_TURN_ADD] =
        "INSERT INTO vito_turn_keys (tenant_id, key, number, body, session_id, node, epoch,"
        " began_ms, expires_ms) SELECT ?1, ?2, newest + 1, ?3, ?4, ?5, ?6, ?7, ?8"
        " FROM (SELECT coalesce((SELECT max(number) FROM vito_turn_keys WHERE tenant_id = ?1), -1)"
        " AS newest, coalesce((SELECT min(number) FROM vito_turn_keys WHERE tenant_id = ?1), 0)"
        " AS oldest) WHERE newest - oldest + 1 < ?9",
    [QUERY_TURN_KEEP] = "UPDATE vito_turn_keys SET status = ?3, answer = ?4"
                        " WHERE tenant_id = ?1 AND key = ?2 AND session_id = ?5"
                        " AND status IS NULL",
    [QUERY_TURN_FORGET] = "DELETE FROM vito_turn_keys WHERE tenant_id = ?1 AND key = ?2"
                          " AND session_id = ?3 AND status IS NULL",
    [QUERY_TURN_GIVE_UP] = "UPDATE vito_turn_keys SET epoch = 0"
                           " WHERE tenant_id = ?1 AND key = ?2 AND session_id = ?3"
                           " AND status IS NULL",

    [QUERY_TICKET_SWEEP] =
        "DELETE FROM vito_tickets WHERE digest IN (SELECT digest FROM vito_tickets"
        " WHERE tenant_id = ?1 AND expires_ms <= ?2 LIMIT 1000)",
    [QUERY_TICKET_ADD] =
        "INSERT INTO vito_tickets (digest, tenant_id, holder, key_id, ends_ms, expires_ms)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE (SELECT count(*) FROM (SELECT 1 FROM vito_tickets"
        " WHERE tenant_id = ?2 AND holder = ?3 LIMIT ?7)) < ?7",
    [QUERY_TICKET_READ] = "SELECT tenant_id, holder, key_id, coalesce((SELECT expires_ms"
                          " FROM vito_api_keys AS k WHERE k.key_id = t.key_id), ends_ms),"
                          " expires_ms > ?2 FROM vito_tickets AS t WHERE digest = ?1",
    [QUERY_TICKET_REMOVE] = "DELETE FROM vito_tickets WHERE digest = ?1",

    [QUERY_SEALED_LIST] = SEALED_ROWS("> ?1"),
    [QUERY_SEALED_OF_TENANT] = SEALED_ROWS("= ?1"),
    [QUERY_ROOT_GET] = "SELECT version, blob FROM vito_vault_root",
    [QUERY_ROOT_ADD] = "INSERT INTO vito_vault_root (id, version, blob) VALUES (1, ?1, ?2)",
    [QUERY_ROOT_REPLACE] = "UPDATE vito_vault_root SET version = ?1, blob = ?2"
                           " WHERE version = ?1 - 1",
    [QUERY_TENANT_KEY_ADD] =
        "INSERT INTO vito_tenant_keys (tenant_id, version, blob) VALUES (?1, ?2, ?3)",
    [QUERY_TENANT_KEY_REPLACE] = "UPDATE vito_tenant_keys SET version = ?2, blob = ?3"
                                 " WHERE tenant_id = ?1 AND version = ?2 - 1",
    [QUERY_SECRET_PUT] =
        "INSERT INTO vito_secrets (tenant_id, name, version, providers, updated_ms, blob)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tenant_id, name) DO UPDATE"
        " SET version = excluded.version, providers = excluded.providers,"
        " updated_ms = excluded.updated_ms, blob = excluded.blob",
    [QUERY_SECRET_REMOVE] = "DELETE FROM vito_secrets WHERE tenant_id = ?1 AND name = ?2",
    [QUERY_SAVEPOINT] = "SAVEPOINT one_request",
    [QUERY_ROLLBACK_TO] = "ROLLBACK TO one_request",
    [QUERY_RELEASE] = "RELEASE one_request",
};

const char *
vito_query_text(enum vito_query query)
{
    RT_ASSERT((unsigned)query < QUERY_COUNT);
    return texts[query];
}
