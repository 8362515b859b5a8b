/*
 * The statements of the store. Those of a batch take arrays, one element a row.
 */
#include "vito/store/postgres/statements.h"

#include "runtime/assert.h"

/* What struct vito_budget is read from. */
#define FIGURES                                                                                    \
    " limit_nusd, posted_nusd, reserved_nusd, tokens, interactions, text_ms, voice_ms, video_ms"

/* What struct vito_audit_record is read from, and a cursor. */
#define AUDIT_COLUMNS                                                                              \
    " id, tenant_id, event, session_id, at_ms, provider_id, decision_id, policy_version, mode,"    \
    " outcome, (cost_amount * 1000000000)::bigint, tokens, media_ms, interactions, details, seq"

/* Records of tenant $1 up to here are as good as gone. */
#define PRUNED "coalesce((SELECT pruned_seq FROM vito.audit_heads WHERE tenant_id = $1::text), 0)"

/* A budget of the same month as the one from $2 to $3, counted in another time zone. */
#define SAME_MONTH                                                                                 \
    " tenant_id = $1::text AND period_start_ms <> $2::bigint"                                      \
    " AND period_start_ms <= ($2::bigint + $3::bigint) / 2"                                        \
    " AND period_end_ms > ($2::bigint + $3::bigint) / 2 "

/*
 * Rows are found by their keys one by one, those to look for first, and written likewise: each
 * array is unnested beside the others, where FROM unnest() would keep each in a store of its own.
 *
 * A server that believes a table to be small would rather read all of it for every batch, and does
 * so until it counts again, however large it has grown by then. So a subquery that cannot be merged
 * with the keys looks rows up (one that locks cannot be); and what is updated is compared with its
 * tenant in a way that no order of the index helps, so that reading all of it is no choice.
 */
#define ONE_BY_ONE " OFFSET 0"
#define OF_TENANT(table) table ".tenant_id = ANY (ARRAY[v.tenant_id])"

/* The vault's rows of the tenants in `page`, tenant by tenant. */
#define SEALED_ROWS                                                                                \
    " SELECT * FROM (SELECT tenant_id, 1::bigint AS kind, '' AS name, '' AS providers,"            \
    " 0::bigint AS version, 0::bigint AS at_ms, ''::bytea AS blob FROM page"                       \
    " UNION ALL SELECT tenant_id, 2, '', '', version, 0, blob"                                     \
    " FROM page JOIN vito.tenant_keys USING (tenant_id)"                                           \
    " UNION ALL SELECT tenant_id, 3, name, providers, version, updated_ms, blob"                   \
    " FROM page JOIN vito.secrets USING (tenant_id)) AS rows"                                      \
    " ORDER BY tenant_id, kind, name COLLATE \"C\""

static const struct {
    const char *name, *text;
} statements[VITO_PG_STATEMENT_COUNT] = {
    [VITO_PG_SCOPE] = {"scope", "SELECT set_config('vito.tenants', $1::text, true)"},

    [VITO_PG_NODE_START] =
        {"node_start",
         "INSERT INTO vito.nodes AS n (node, epoch, state, started_at, expires_at)"
         " VALUES ($1::text, 1, 'live', clock_timestamp(),"
         " clock_timestamp() + $2::bigint * INTERVAL '1 millisecond')"
         " ON CONFLICT (node) DO UPDATE SET epoch = n.epoch + 1, state = 'live', batch = 0,"
         " started_at = excluded.started_at, expires_at = excluded.expires_at"
         " RETURNING epoch, 1 + (SELECT count(*) FROM vito.nodes"
         " WHERE node <> $1::text AND state = 'live' AND expires_at > clock_timestamp())"},
    /* What is selected stands as it was before the update: our own lease may have run out by then.
     */
    [VITO_PG_NODE_LEASE] =
        {"node_lease",
         "UPDATE vito.nodes"
         " SET expires_at = clock_timestamp() + $3::bigint * INTERVAL '1 millisecond',"
         " batch = $4::bigint"
         " WHERE node = $1::text AND epoch = $2::bigint AND state = 'live'"
         " RETURNING 1 + (SELECT count(*) FROM vito.nodes"
         " WHERE node <> $1::text AND state = 'live' AND expires_at > clock_timestamp()),"
         " (SELECT version FROM vito.changes WHERE id)"},
    /* Waits for a transaction of ours that is still under way. */
    [VITO_PG_NODE_BATCH] = {"node_batch", "SELECT batch FROM vito.nodes"
                                          " WHERE node = $1::text AND epoch = $2::bigint"
                                          " FOR NO KEY UPDATE"},
    [VITO_PG_NODE_END] = {"node_end",
                          "UPDATE vito.nodes SET expires_at = '-infinity'"
                          " WHERE node = $1::text AND epoch = $2::bigint AND state = 'live'"},
    [VITO_PG_NODE_FIND_DEAD] =
        {"node_find_dead", "SELECT node, epoch FROM vito.nodes WHERE state = 'live'"
                           " AND expires_at < clock_timestamp() - $2::bigint * INTERVAL '1 ms'"
                           " AND node <> $1::text ORDER BY node LIMIT 1 FOR UPDATE SKIP LOCKED"},
    [VITO_PG_NODE_FENCE] = {"node_fence", "UPDATE vito.nodes SET epoch = epoch + 1, state = 'ended'"
                                          " WHERE node = $1::text"},
    [VITO_PG_NOTIFY] = {"notify", "SELECT pg_notify('vito', line || ' 0 ' || $2::text)"
                                  " FROM unnest($1::text[]) AS k (line)"},
    /* The row is locked from here to the commit, and news go out in the order of commits: so their
     * numbers come in order. */
    [VITO_PG_NOTIFY_CHANGE] =
        {"notify_change",
         "WITH change AS (UPDATE vito.changes SET version = version + 1 WHERE id RETURNING version)"
         " SELECT pg_notify('vito', line || ' ' || version || ' ' || $2::text)"
         " FROM change, unnest($1::text[]) AS k (line)"},
    [VITO_PG_CHANGES] = {"changes", "SELECT version FROM vito.changes WHERE id"},
    [VITO_PG_NODE_OPEN_LEGS] =
        {"node_open_legs",
         "SELECT tenant_id, leg_id, period_start_ms, held_nusd FROM vito.usage"
         " WHERE state = 'open' AND node = $1::text AND epoch < $2::bigint LIMIT 500"},
    [VITO_PG_NODE_UNRESERVE] =
        {"node_unreserve",
         "UPDATE vito.budgets AS b SET reserved_nusd = reserved_nusd - stale.left_nusd,"
         " excess_nusd = greatest(0, least(excess_nusd,"
         " posted_nusd + reserved_nusd - stale.left_nusd - limit_nusd))"
         " FROM (SELECT tenant_id, period_start_ms, sum(left_nusd)::bigint AS left_nusd"
         " FROM vito.grants WHERE state = 'open' AND node = $1::text AND epoch < $2::bigint"
         " GROUP BY 1, 2) AS stale"
         " WHERE b.tenant_id = stale.tenant_id AND b.period_start_ms = stale.period_start_ms"},
    [VITO_PG_NODE_CLOSE_GRANTS] =
        {"node_close_grants",
         "UPDATE vito.grants"
         " SET state = 'closed', granted_nusd = granted_nusd - left_nusd, left_nusd = 0"
         " WHERE state = 'open' AND node = $1::text AND epoch < $2::bigint"},

    /* In the order of their keys, so that no two gateways wait for each other. */
    [VITO_PG_LOAD_BUDGETS] =
        {"load_budgets",
         "SELECT" FIGURES ", tenant_id, period_start_ms, excess_nusd"
         " FROM (SELECT unnest($1::text[]) COLLATE \"C\" AS t, unnest($2::bigint[]) AS p"
         " ORDER BY t, p) AS key CROSS JOIN LATERAL (SELECT * FROM vito.budgets"
         " WHERE tenant_id = t AND period_start_ms = p FOR NO KEY UPDATE) AS b"},
    [VITO_PG_LOAD_GRANTS] =
        {"load_grants",
         "SELECT tenant_id, period_start_ms, node, epoch, left_nusd, granted_nusd"
         " FROM (SELECT unnest($1::text[]) AS t, unnest($2::bigint[]) AS p, unnest($3::text[]) AS"
         " n, unnest($4::bigint[]) AS e) AS key CROSS JOIN LATERAL (SELECT * FROM vito.grants"
         " WHERE tenant_id = t AND period_start_ms = p AND node = n AND epoch = e"
         " AND state <> 'closed'" ONE_BY_ONE ") AS g"},
    [VITO_PG_LOAD_LEGS] =
        {"load_legs",
         "SELECT tenant_id, leg_id, state, period_start_ms, node, epoch, session_id, provider_id,"
         " decision_id, policy_version, mode, held_nusd,"
         " coalesce(outcome = 'adopted', false)::int::bigint, cost_nusd, place"
         " FROM (SELECT unnest($1::text[]) AS t, unnest($2::text[]) AS l) AS key"
         " CROSS JOIN LATERAL (SELECT *, ctid AS place FROM vito.usage"
         " WHERE tenant_id = t AND leg_id = l" ONE_BY_ONE ") AS u"},
    [VITO_PG_MAKE_HEADS] = {"make_heads",
                            "INSERT INTO vito.audit_heads (tenant_id, seq, chain)"
                            " SELECT t, 0, decode(repeat('00', 32), 'hex')"
                            " FROM (SELECT unnest($1::text[]) COLLATE \"C\" AS t) AS key"
                            " ORDER BY t ON CONFLICT DO NOTHING"},
    [VITO_PG_LOAD_HEADS] =
        {"load_heads", "SELECT tenant_id, seq, chain"
                       " FROM (SELECT unnest($1::text[]) COLLATE \"C\" AS t ORDER BY t) AS key"
                       " CROSS JOIN LATERAL (SELECT * FROM vito.audit_heads WHERE tenant_id = t"
                       " FOR NO KEY UPDATE) AS h"},
    [VITO_PG_LOAD_EVENTS] =
        {"load_events",
         "SELECT tenant_id, id FROM (SELECT unnest($1::text[]) AS t, unnest($2::text[]) AS i)"
         " AS key CROSS JOIN LATERAL (SELECT tenant_id, id FROM vito.audit_logs"
         " WHERE tenant_id = t AND id = i" ONE_BY_ONE ") AS a"},

    [VITO_PG_SAVE_BUDGETS] =
        {"save_budgets",
         "UPDATE vito.budgets AS b SET posted_nusd = v.posted_nusd,"
         " reserved_nusd = v.reserved_nusd, excess_nusd = v.excess_nusd, tokens = v.tokens,"
         " interactions = v.interactions, text_ms = v.text_ms, voice_ms = v.voice_ms,"
         " video_ms = v.video_ms"
         " FROM (SELECT unnest($1::text[]) AS tenant_id, unnest($2::bigint[]) AS period_start_ms,"
         " unnest($3::bigint[]) AS posted_nusd, unnest($4::bigint[]) AS reserved_nusd,"
         " unnest($5::bigint[]) AS excess_nusd, unnest($6::bigint[]) AS tokens,"
         " unnest($7::bigint[]) AS interactions, unnest($8::bigint[]) AS text_ms,"
         " unnest($9::bigint[]) AS voice_ms, unnest($10::bigint[]) AS video_ms) AS v"
         " WHERE " OF_TENANT("b") " AND b.period_start_ms = v.period_start_ms"},
    [VITO_PG_ADD_GRANTS] =
        {"add_grants", "INSERT INTO vito.grants"
                       " (tenant_id, period_start_ms, node, epoch, left_nusd, granted_nusd, state)"
                       " SELECT unnest($1::text[]), unnest($2::bigint[]), unnest($3::text[]),"
                       " unnest($4::bigint[]), unnest($5::bigint[]), unnest($6::bigint[]), 'open'"},
    [VITO_PG_SAVE_GRANTS] =
        {"save_grants",
         "UPDATE vito.grants AS g SET left_nusd = v.left_nusd, granted_nusd = v.granted_nusd"
         " FROM (SELECT unnest($1::text[]) AS tenant_id, unnest($2::bigint[]) AS period_start_ms,"
         " unnest($3::text[]) AS node, unnest($4::bigint[]) AS epoch,"
         " unnest($5::bigint[]) AS left_nusd, unnest($6::bigint[]) AS granted_nusd) AS v"
         " WHERE " OF_TENANT("g") " AND g.period_start_ms = v.period_start_ms AND g.node = v.node"
                                  " AND g.epoch = v.epoch"},
    [VITO_PG_ADD_LEGS] =
        {"add_legs",
         "INSERT INTO vito.usage (tenant_id, leg_id, period_start_ms, session_id, provider_id,"
         " decision_id, policy_version, mode, held_nusd, opened_ms, settled_ms, outcome,"
         " cost_nusd, overrun_nusd, tokens, media_ms, interactions, node, epoch, state)"
         " SELECT *, $18::text, $19::bigint,"
         " CASE WHEN settled_ms IS NULL THEN 'open' ELSE 'settled' END"
         " FROM (SELECT unnest($1::text[]) AS tenant_id, unnest($2::text[]) AS leg_id,"
         " unnest($3::bigint[]) AS period_start_ms, unnest($4::text[]) AS session_id,"
         " unnest($5::text[]) AS provider_id, unnest($6::text[]) AS decision_id,"
         " unnest($7::text[]) AS policy_version, unnest($8::text[]) AS mode,"
         " unnest($9::bigint[]) AS held_nusd, unnest($10::bigint[]) AS opened_ms,"
         " unnest($11::bigint[]) AS settled_ms, unnest($12::text[]) AS outcome,"
         " unnest($13::bigint[]) AS cost_nusd, unnest($14::bigint[]) AS overrun_nusd,"
         " unnest($15::bigint[]) AS tokens, unnest($16::bigint[]) AS media_ms,"
         " unnest($17::bigint[]) AS interactions) AS v"},
    /* Where load_legs found them: a leg belongs to one gateway's life, and is changed by that
     * alone, or by who has fenced it; in both cases that is this transaction. */
    [VITO_PG_SAVE_LEGS] =
        {"save_legs",
         "UPDATE vito.usage AS u SET held_nusd = v.held_nusd, settled_ms = v.settled_ms,"
         " outcome = v.outcome, cost_nusd = v.cost_nusd, overrun_nusd = v.overrun_nusd,"
         " tokens = v.tokens, media_ms = v.media_ms, interactions = v.interactions,"
         " state = CASE WHEN v.settled_ms IS NULL THEN 'open' ELSE 'settled' END"
         " FROM (SELECT unnest($1::tid[]) AS place, unnest($2::text[]) AS leg_id,"
         " unnest($3::bigint[]) AS held_nusd, unnest($4::bigint[]) AS settled_ms,"
         " unnest($5::text[]) AS outcome, unnest($6::bigint[]) AS cost_nusd,"
         " unnest($7::bigint[]) AS overrun_nusd, unnest($8::bigint[]) AS tokens,"
         " unnest($9::bigint[]) AS media_ms, unnest($10::bigint[]) AS interactions) AS v"
         " WHERE u.ctid = v.place AND u.leg_id = v.leg_id AND u.settled_ms IS NULL"},
    [VITO_PG_ADD_EVENTS] =
        {"add_events",
         "INSERT INTO vito.audit_logs (tenant_id, seq, id, at_ms, event, session_id, provider_id,"
         " cost_amount, tokens, media_ms, interactions, decision_id, policy_version, mode,"
         " outcome, details, chain)"
         " SELECT tenant_id, seq, id, at_ms, event, session_id, provider_id,"
         " cost_nusd * 0.000000001, tokens, media_ms, interactions, decision_id,"
         " policy_version, mode, outcome, details, chain"
         " FROM (SELECT unnest($1::text[]) AS tenant_id, unnest($2::bigint[]) AS seq,"
         " unnest($3::text[]) AS id, unnest($4::bigint[]) AS at_ms, unnest($5::text[]) AS event,"
         " unnest($6::text[]) AS session_id, unnest($7::text[]) AS provider_id,"
         " unnest($8::bigint[]) AS cost_nusd, unnest($9::bigint[]) AS tokens,"
         " unnest($10::bigint[]) AS media_ms, unnest($11::bigint[]) AS interactions,"
         " unnest($12::text[]) AS decision_id, unnest($13::text[]) AS policy_version,"
         " unnest($14::text[]) AS mode, unnest($15::text[]) AS outcome,"
         " unnest($16::json[]) AS details, unnest($17::bytea[]) AS chain) AS v"},
    [VITO_PG_SAVE_HEADS] = {"save_heads",
                            "UPDATE vito.audit_heads AS h SET seq = v.seq, chain = v.chain"
                            " FROM (SELECT unnest($1::text[]) AS tenant_id,"
                            " unnest($2::bigint[]) AS seq, unnest($3::bytea[]) AS chain) AS v"
                            " WHERE " OF_TENANT("h")},

    [VITO_PG_TENANT_PUT] = {"tenant_put",
                            "INSERT INTO vito.tenants (tenant_id, document)"
                            " VALUES ($1::text, $2::json)"
                            " ON CONFLICT (tenant_id) DO UPDATE SET document = excluded.document"
                            " RETURNING (xmax = 0)::int::bigint"}, /* whether it was inserted */
    [VITO_PG_TENANT_GET] = {"tenant_get",
                            "SELECT document FROM vito.tenants WHERE tenant_id = $1::text"},
    [VITO_PG_TENANT_LIST] = {"tenant_list",
                             "SELECT tenant_id, document ->> 'display_name', document ->> 'policy'"
                             " FROM vito.tenants ORDER BY tenant_id COLLATE \"C\""},
    [VITO_PG_TENANT_REMOVE] = {"tenant_remove",
                               "DELETE FROM vito.tenants WHERE tenant_id = $1::text"},

    /* A new version, unless the tenant's document $2 has the same config as the last one. */
    [VITO_PG_POLICY_CONFIG_ADD] =
        {"policy_config_add",
         "INSERT INTO vito.policy_configs (tenant_id, version, document, at_ms)"
         " SELECT $1::text, coalesce((SELECT max(version) FROM vito.policy_configs"
         " WHERE tenant_id = $1::text), 0) + 1, config, $3::bigint"
         " FROM (SELECT coalesce(($2::json -> 'policy_config')::jsonb, '{}') AS config) AS c"
         " WHERE config IS DISTINCT FROM (SELECT document FROM vito.policy_configs"
         " WHERE tenant_id = $1::text ORDER BY version DESC LIMIT 1)"},

    [VITO_PG_KEY_ADD] = {"key_add",
                         "INSERT INTO vito.api_keys (key_id, tenant_id, digest, created_ms)"
                         " VALUES ($1::text, $2::text, $3::bytea, $4::bigint)"},
    /* Of a video leg nobody knows whether it still runs: it becomes ours ($3, $4), and so does what
     * it holds. */
    [VITO_PG_NODE_ADOPT] =
        {"node_adopt",
         "WITH leg AS (SELECT tenant_id, leg_id, period_start_ms, epoch, held_nusd"
         " FROM vito.usage WHERE state = 'open' AND mode = 'video' AND node = $1::text"
         " AND epoch < $2::bigint FOR UPDATE),"
         " held AS (SELECT g.tenant_id, g.period_start_ms, g.epoch,"
         " least(g.left_nusd, sum(leg.held_nusd)::bigint) AS taken"
         " FROM leg JOIN vito.grants AS g USING (tenant_id, period_start_ms, epoch)"
         " WHERE g.node = $1::text AND g.state = 'open'"
         " GROUP BY g.tenant_id, g.period_start_ms, g.epoch, g.left_nusd),"
         " taken AS (UPDATE vito.grants AS g SET left_nusd = left_nusd - taken,"
         " granted_nusd = granted_nusd - taken FROM held WHERE g.tenant_id = held.tenant_id"
         " AND g.period_start_ms = held.period_start_ms AND g.node = $1::text"
         " AND g.epoch = held.epoch),"
         " given AS (INSERT INTO vito.grants AS g"
         " (tenant_id, period_start_ms, node, epoch, left_nusd, granted_nusd, state)"
         " SELECT tenant_id, period_start_ms, $3::text, $4::bigint, sum(taken), sum(taken), 'open'"
         " FROM held GROUP BY 1, 2 ON CONFLICT (tenant_id, period_start_ms, node, epoch)"
         " DO UPDATE SET left_nusd = g.left_nusd + excluded.left_nusd,"
         " granted_nusd = g.granted_nusd + excluded.granted_nusd)"
         " UPDATE vito.usage AS u SET node = $3::text, epoch = $4::bigint, outcome = 'adopted'"
         " FROM leg WHERE u.tenant_id = leg.tenant_id AND u.leg_id = leg.leg_id"},
    [VITO_PG_LEG_REF] = {"leg_ref",
                         "UPDATE vito.usage SET vendor_ref = convert_from($3::bytea, 'UTF8')"
                         " WHERE tenant_id = $1::text AND leg_id = $2::text AND state = 'open'"},
    [VITO_PG_LEG_LIST_ADOPTED] =
        {"leg_list_adopted",
         "SELECT u.leg_id, u.tenant_id, u.provider_id, u.mode, u.held_nusd, u.opened_ms,"
         " period_start_ms, b.period_end_ms, b.limit_nusd, u.vendor_ref FROM vito.usage AS u"
         " JOIN vito.budgets AS b USING (tenant_id, period_start_ms) WHERE u.state = 'open'"
         " AND u.outcome = 'adopted' AND u.node = $1::text AND u.epoch = $2::bigint"
         " ORDER BY u.leg_id COLLATE \"C\" LIMIT $3::bigint"},
    [VITO_PG_LEG_LIST] = {"leg_list",
                          "SELECT leg_id, provider_id, mode, held_nusd, period_start_ms"
                          " FROM vito.usage WHERE state = 'open' AND outcome IS NULL"
                          " AND tenant_id = $1::text AND node = $2::text AND epoch = $3::bigint"
                          " ORDER BY leg_id COLLATE \"C\" LIMIT $4::bigint"},
    [VITO_PG_KEY_LIST] = {"key_list",
                          "SELECT key_id, tenant_id, digest, created_ms, expires_ms"
                          " FROM vito.api_keys"
                          " WHERE $1::text IS NULL OR tenant_id = $1::text"
                          " ORDER BY tenant_id COLLATE \"C\", created_ms, key_id COLLATE \"C\""},
    [VITO_PG_KEY_ROTATE] =
        {"key_rotate", "WITH old AS (UPDATE vito.api_keys SET expires_ms = CASE WHEN expires_ms = 0"
                       " THEN $6::bigint ELSE least(expires_ms, $6::bigint) END"
                       " WHERE key_id = $5::text AND tenant_id = $2::text"
                       " AND (expires_ms = 0 OR expires_ms > $4::bigint) RETURNING key_id)"
                       " INSERT INTO vito.api_keys (key_id, tenant_id, digest, created_ms)"
                       " SELECT $1::text, $2::text, $3::bytea, $4::bigint FROM old"},
    [VITO_PG_KEY_REMOVE] = {"key_remove", "DELETE FROM vito.api_keys"
                                          " WHERE key_id = $1::text AND tenant_id = $2::text"},

    [VITO_PG_MEMORY_PUT] = {"memory_put",
                            "INSERT INTO vito.policy_memory (tenant_id, document)"
                            " VALUES ($1::text, $2::bytea)"
                            " ON CONFLICT (tenant_id) DO UPDATE SET document = excluded.document"},
    [VITO_PG_MEMORY_GET] = {"memory_get",
                            "SELECT document FROM vito.policy_memory WHERE tenant_id = $1::text"},

    /* A month that takes the place of another one begins with all that may be spent of that. */
    [VITO_PG_BUDGET_OPEN] =
        {"budget_open",
         "INSERT INTO vito.budgets AS b (tenant_id, period_start_ms, period_end_ms, limit_nusd,"
         " posted_nusd, carried_nusd, excess_nusd, tokens, interactions, text_ms, voice_ms,"
         " video_ms)"
         " SELECT $1::text, $2::bigint, $3::bigint, $4::bigint, spent, spent,"
         " greatest(spent - $4::bigint, 0), tokens, interactions, text_ms, voice_ms, video_ms"
         " FROM (SELECT coalesce(max(posted_nusd + reserved_nusd), 0) AS spent,"
         " coalesce(max(tokens), 0) AS tokens, coalesce(max(interactions), 0) AS interactions,"
         " coalesce(max(text_ms), 0) AS text_ms, coalesce(max(voice_ms), 0) AS voice_ms,"
         " coalesce(max(video_ms), 0) AS video_ms FROM vito.budgets WHERE" SAME_MONTH ") AS other"
         " ON CONFLICT (tenant_id, period_start_ms) DO UPDATE"
         " SET limit_nusd = excluded.limit_nusd,"
         " posted_nusd = greatest(b.posted_nusd, excluded.posted_nusd - b.refunded_nusd),"
         " carried_nusd = b.carried_nusd"
         " + greatest(excluded.posted_nusd - b.posted_nusd - b.refunded_nusd, 0),"
         " excess_nusd = greatest(greatest(b.posted_nusd, excluded.posted_nusd - b.refunded_nusd)"
         " + b.reserved_nusd - excluded.limit_nusd, 0)"
         " RETURNING" FIGURES ", refunded_nusd"},
    [VITO_PG_BUDGET_FREEZE_OTHERS] =
        {"budget_freeze_others",
         "UPDATE vito.budgets SET limit_nusd = least(limit_nusd, posted_nusd + reserved_nusd)"
         " WHERE" SAME_MONTH},
    [VITO_PG_BUDGET_LOCK] = {"budget_lock",
                             "SELECT" FIGURES " FROM vito.budgets"
                             " WHERE tenant_id = $1::text AND period_start_ms = $2::bigint"
                             " FOR NO KEY UPDATE"},
    [VITO_PG_BUDGET_RETURN] =
        {"budget_return",
         "UPDATE vito.budgets SET reserved_nusd = reserved_nusd - $3::bigint,"
         " excess_nusd = greatest(0, least(excess_nusd,"
         " posted_nusd + reserved_nusd - $3::bigint - limit_nusd))"
         " WHERE tenant_id = $1::text AND period_start_ms = $2::bigint RETURNING" FIGURES},
    [VITO_PG_GRANT_FREE] =
        {"grant_free",
         "SELECT left_nusd - (SELECT coalesce(sum(held_nusd), 0)::bigint FROM vito.usage AS leg"
         " WHERE leg.state = 'open' AND leg.tenant_id = $1::text"
         " AND leg.period_start_ms = $2::bigint AND leg.node = $3::text AND leg.epoch = $4::bigint)"
         " FROM vito.grants WHERE tenant_id = $1::text AND period_start_ms = $2::bigint"
         " AND node = $3::text AND epoch = $4::bigint AND state = 'open'"},
    [VITO_PG_GRANT_RETURN] = {"grant_return",
                              "UPDATE vito.grants SET left_nusd = left_nusd - $5::bigint,"
                              " granted_nusd = granted_nusd - $5::bigint"
                              " WHERE tenant_id = $1::text AND period_start_ms = $2::bigint"
                              " AND node = $3::text AND epoch = $4::bigint"},

    [VITO_PG_AUDIT_LIST] = {"audit_list", "SELECT" AUDIT_COLUMNS " FROM vito.audit_logs"
                                          " WHERE tenant_id = $1::text"
                                          " AND seq > greatest($2::bigint, " PRUNED ")"
                                          " AND ($4::text IS NULL OR session_id = $4::text)"
                                          " ORDER BY seq LIMIT $3::bigint"},

    /* The head (kind 2), then entries (0), each followed by its checkpoint (1) if there is one. */
    [VITO_PG_TRAIL_EXPORT] =
        {"trail_export",
         "(SELECT '' AS id, tenant_id, '' AS event, NULL AS session_id, 0::bigint AS at_ms,"
         " NULL AS provider_id, NULL AS decision_id, NULL AS policy_version, NULL AS mode,"
         " NULL AS outcome, 0::bigint AS cost, seq AS tokens, checkpoint_seq AS media_ms,"
         " pruned_seq AS interactions, NULL::json AS details, 0::bigint AS seq, chain,"
         " 2::bigint AS kind, NULL::bytea AS key, NULL::bytea AS signature"
         " FROM vito.audit_heads WHERE tenant_id = $1::text)"
         " UNION ALL SELECT * FROM (SELECT * FROM (SELECT" AUDIT_COLUMNS
         ", chain, 0::bigint AS kind,"
         " NULL::bytea, NULL::bytea FROM vito.audit_logs WHERE tenant_id = $1::text"
         " AND seq > greatest($2::bigint, " PRUNED ") ORDER BY seq LIMIT $3::bigint) AS entries"
         " UNION ALL SELECT * FROM (SELECT '', tenant_id, '', NULL, at_ms, NULL, NULL, NULL,"
         " NULL, NULL, 0::bigint, 0::bigint, 0::bigint, 0::bigint, NULL::json, seq, chain,"
         " 1::bigint, key, signature FROM vito.audit_checkpoints WHERE tenant_id = $1::text"
         " AND seq > $2::bigint AND seq >= " PRUNED
         " ORDER BY seq LIMIT $3::bigint) AS checkpoints ORDER BY seq, kind LIMIT $3::bigint)"
         " AS rows"},
    [VITO_PG_TRAIL_HEADS] = {"trail_heads",
                             "SELECT tenant_id, seq, chain, checkpoint_seq, pruned_seq"
                             " FROM vito.audit_heads WHERE tenant_id > coalesce($1::text, '')"
                             " AND ($3::bigint <> 0 OR seq <> checkpoint_seq) AND seq > 0"
                             " ORDER BY tenant_id LIMIT $2::bigint"},
    [VITO_PG_CHECKPOINT_ADD] =
        {"checkpoint_add",
         "INSERT INTO vito.audit_checkpoints (tenant_id, seq, chain, at_ms, key, signature)"
         " SELECT $1::text, $2::bigint, $3::bytea, $4::bigint, $5::bytea, $6::bytea"
         " WHERE EXISTS (SELECT 1 FROM vito.audit_logs WHERE tenant_id = $1::text"
         " AND seq = $2::bigint AND chain = $3::bytea) ON CONFLICT DO NOTHING"},
    [VITO_PG_CHECKPOINT_NOTE] = {"checkpoint_note",
                                 "UPDATE vito.audit_heads"
                                 " SET checkpoint_seq = greatest(checkpoint_seq, $2::bigint)"
                                 " WHERE tenant_id = $1::text AND EXISTS"
                                 " (SELECT 1 FROM vito.audit_checkpoints WHERE"
                                 " tenant_id = $1::text AND seq = $2::bigint"
                                 " AND chain = $3::bytea)"},
    [VITO_PG_PRUNE_LOCK] = {"prune_lock", "SELECT 1 FROM vito.audit_heads"
                                          " WHERE tenant_id = $1::text FOR NO KEY UPDATE"},
    /* The last checkpoint that is older than $2 and than every month that is not over by $3, or
     * has money reserved or legs open; what those are older than; and what it stands for. */
    [VITO_PG_PRUNE_FIND] =
        {"prune_find",
         "WITH bound (ms) AS (SELECT least($2::bigint, (SELECT min(period_start_ms)"
         " FROM vito.budgets AS b WHERE tenant_id = $1::text AND (period_end_ms > $3::bigint"
         " OR reserved_nusd > 0 OR EXISTS (SELECT 1 FROM vito.usage AS u WHERE u.state = 'open'"
         " AND u.tenant_id = $1::text AND u.period_start_ms = b.period_start_ms)))))"
         " SELECT c.seq, ms, old.* FROM (SELECT c.seq, ms, h.pruned_seq FROM bound,"
         " vito.audit_checkpoints AS c JOIN vito.audit_heads AS h USING (tenant_id)"
         " WHERE tenant_id = $1::text AND c.seq > h.pruned_seq AND c.seq < h.seq"
         " AND c.at_ms < ms ORDER BY c.seq DESC LIMIT 1) AS c,"
         " LATERAL (SELECT count(*), (coalesce(sum(cost_amount), 0) * 1000000000)::bigint,"
         " coalesce(min(at_ms), 0), coalesce(max(at_ms), 0) FROM vito.audit_logs AS a"
         " WHERE a.tenant_id = $1::text AND a.seq > c.pruned_seq AND a.seq <= c.seq) AS old"},
    [VITO_PG_PRUNE_ALLOW] = {"prune_allow", "UPDATE vito.audit_heads"
                                            " SET pruned_seq = $2::bigint, pruned_ms = $3::bigint"
                                            " WHERE tenant_id = $1::text"},
    [VITO_PG_PRUNE_CHECKPOINTS] = {"prune_checkpoints",
                                   "DELETE FROM vito.audit_checkpoints"
                                   " WHERE tenant_id = $1::text AND seq < $2::bigint"},
    [VITO_PG_PRUNE_ROWS] = {"prune_rows",
                            "DELETE FROM vito.audit_logs WHERE tenant_id = $1::text AND seq IN"
                            " (SELECT seq FROM vito.audit_logs WHERE tenant_id = $1::text"
                            " AND seq <= " PRUNED " ORDER BY seq LIMIT $2::bigint)"},

    [VITO_PG_REFUND_MONTH] = {"refund_month",
                              "SELECT period_start_ms FROM vito.refunds WHERE"
                              " tenant_id = $1::text AND refund_id = $2::text"
                              " UNION ALL SELECT period_start_ms FROM vito.usage WHERE"
                              " tenant_id = $1::text AND leg_id = $3::text AND state = 'settled'"
                              " LIMIT 1"},
    [VITO_PG_REFUND_ROOM] = {"refund_room",
                             "SELECT" FIGURES ", refunded_nusd, posted_nusd - carried_nusd"
                             " FROM vito.budgets WHERE tenant_id = $1::text"
                             " AND period_start_ms = $2::bigint FOR NO KEY UPDATE"},
    [VITO_PG_REFUND_GET] = {"refund_get", "SELECT leg_id, amount_nusd, reason FROM vito.refunds"
                                          " WHERE tenant_id = $1::text AND refund_id = $2::text"},
    [VITO_PG_REFUND_OF_LEG] =
        {"refund_of_leg",
         "SELECT cost_nusd - coalesce((SELECT sum(amount_nusd) FROM vito.refunds AS r"
         " WHERE r.tenant_id = $1::text AND r.leg_id = $2::text), 0)::bigint FROM vito.usage"
         " WHERE tenant_id = $1::text AND leg_id = $2::text AND state = 'settled'"},
    [VITO_PG_REFUND_ADD] =
        {"refund_add",
         "INSERT INTO vito.refunds (tenant_id, refund_id, period_start_ms, leg_id, amount_nusd,"
         " reason, at_ms) VALUES ($1::text, $2::text, $3::bigint, $4::text, $5::bigint, $6::text,"
         " $7::bigint)"},
    [VITO_PG_REFUND_POST] = {"refund_post",
                             "UPDATE vito.budgets SET posted_nusd = posted_nusd - $3::bigint,"
                             " refunded_nusd = refunded_nusd + $3::bigint,"
                             " excess_nusd = greatest(0, least(excess_nusd,"
                             " posted_nusd - $3::bigint + reserved_nusd - limit_nusd))"
                             " WHERE tenant_id = $1::text AND period_start_ms = $2::bigint"
                             " RETURNING" FIGURES ", refunded_nusd"},

    /* $4 is now, $5 the oldest a turn can be that still runs. */
    [VITO_PG_TURN_FIND] =
        {"turn_find",
         "SELECT (body = $3::bytea)::int::bigint, coalesce(status, 0), answer,"
         " (began_ms > $5::bigint AND EXISTS (SELECT FROM vito.nodes AS n WHERE n.node = k.node"
         " AND n.epoch = k.epoch))::int::bigint,"
         " EXISTS (SELECT FROM vito.usage AS u WHERE u.tenant_id = $1::text AND u.state = 'open'"
         " AND u.session_id = k.session_id)::int::bigint,"
         " (SELECT count(*) FROM vito.audit_logs AS a WHERE a.tenant_id = $1::text"
         " AND a.session_id = k.session_id AND a.event = 'BILLING_EVENT'),"
         " (SELECT coalesce(sum(a.cost_amount * 1000000000), 0)::bigint FROM vito.audit_logs AS a"
         " WHERE a.tenant_id = $1::text AND a.session_id = k.session_id"
         " AND a.event = 'BILLING_EVENT'), session_id"
         " FROM vito.turn_keys AS k WHERE tenant_id = $1::text AND key = $2::bytea"
         " AND expires_ms > $4::bigint"},
    /* One that is over, or that session's if it has no answer. */
    [VITO_PG_TURN_REMOVE] = {"turn_remove", "DELETE FROM vito.turn_keys WHERE tenant_id = $1::text"
                                            " AND key = $2::bytea AND (expires_ms <= $3::bigint"
                                            " OR (status IS NULL AND session_id = $4::text))"},
    /* Of the oldest those that are over: more than come in. */
    [VITO_PG_TURN_SWEEP] =
        {"turn_sweep", "DELETE FROM vito.turn_keys WHERE tenant_id = $1::text AND key IN"
                       " (SELECT key FROM (SELECT key, expires_ms FROM vito.turn_keys"
                       " WHERE tenant_id = $1::text ORDER BY number LIMIT 8 FOR UPDATE SKIP LOCKED)"
                       " AS oldest WHERE expires_ms <= $2::bigint)"},
    [VITO_PG_TURN_ADD] =
        {"turn_add",
         "INSERT INTO vito.turn_keys (tenant_id, key, number, body, session_id, node, epoch,"
         " began_ms, expires_ms) SELECT $1::text, $2::bytea, newest + 1, $3::bytea, $4::text,"
         " $5::text, $6::bigint, $7::bigint, $8::bigint FROM (SELECT"
         " coalesce((SELECT max(number) FROM vito.turn_keys WHERE tenant_id = $1::text), -1)"
         " AS newest,"
         " coalesce((SELECT min(number) FROM vito.turn_keys WHERE tenant_id = $1::text), 0)"
         " AS oldest) AS n WHERE newest - oldest + 1 < $9::bigint"
         " ON CONFLICT (tenant_id, key) DO NOTHING"},
    [VITO_PG_TURN_KEEP] =
        {"turn_keep", "UPDATE vito.turn_keys AS k SET status = n.status, answer = n.answer"
                      " FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bytea[], $5::text[])"
                      " AS n(tenant_id, key, status, answer, session_id)"
                      " WHERE k.tenant_id = ANY (ARRAY[n.tenant_id]) AND k.key = n.key"
                      " AND k.session_id = n.session_id AND k.status IS NULL"},
    [VITO_PG_TURN_FORGET] = {"turn_forget", "DELETE FROM vito.turn_keys WHERE tenant_id = $1::text"
                                            " AND key = $2::bytea AND session_id = $3::text"
                                            " AND status IS NULL"},
    [VITO_PG_TURN_GIVE_UP] = {"turn_give_up", "UPDATE vito.turn_keys SET epoch = 0"
                                              " WHERE tenant_id = $1::text AND key = $2::bytea"
                                              " AND session_id = $3::text AND status IS NULL"},

    [VITO_PG_TICKET_SWEEP] =
        {"ticket_sweep",
         "DELETE FROM vito.tickets WHERE digest IN (SELECT digest FROM vito.tickets"
         " WHERE tenant_id IN (SELECT unnest($1::text[])) AND expires_at <= clock_timestamp()"
         " LIMIT 1000 FOR UPDATE SKIP LOCKED)"},
    /* What is added beside it is not counted: up to one batch of each gateway more. */
    [VITO_PG_TICKET_ADD] =
        {"ticket_add",
         "WITH new AS (SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[],"
         " $5::bigint[], $6::bigint[], $7::bigint[]) AS n (digest, tenant_id, holder, key_id,"
         " ends_ms, ttl_ms, kept_max)), full_up AS (SELECT tenant_id, holder FROM (SELECT "
         "tenant_id,"
         " holder, min(kept_max) AS kept_max FROM new GROUP BY 1, 2) AS h WHERE kept_max <="
         " (SELECT count(*) FROM (SELECT 1 FROM vito.tickets AS t WHERE t.tenant_id ="
         " h.tenant_id COLLATE \"C\" AND t.holder = h.holder COLLATE \"C\" LIMIT h.kept_max) AS k))"
         " INSERT INTO vito.tickets (digest, tenant_id, holder, key_id, ends_ms, expires_at)"
         " SELECT digest, tenant_id, holder, key_id, ends_ms, clock_timestamp()"
         " + ttl_ms * INTERVAL '1 millisecond' FROM new"
         " WHERE (tenant_id, holder) NOT IN (SELECT tenant_id, holder FROM full_up)"
         " RETURNING digest"},
    /* In the order of their keys, as budgets. Who waits for a row that is then gone finds none. */
    [VITO_PG_TICKET_TAKE] =
        {"ticket_take",
         "WITH taken AS (SELECT digest FROM vito.tickets WHERE digest IN"
         " (SELECT unnest($1::bytea[])) ORDER BY digest FOR UPDATE)"
         " DELETE FROM vito.tickets AS t USING taken WHERE t.digest = taken.digest"
         " RETURNING t.digest, tenant_id, holder, key_id, coalesce((SELECT expires_ms"
         " FROM vito.api_keys AS k WHERE k.tenant_id = t.tenant_id AND k.key_id = t.key_id),"
         " ends_ms), (expires_at > clock_timestamp())::int::bigint"},

    /* 32 tenants have less than RT_BUFFER_BYTES_MAX. */
    [VITO_PG_VAULT_LIST] = {"vault_list", "WITH page AS (SELECT tenant_id FROM vito.tenants"
                                          " WHERE tenant_id > coalesce($1::text, '')"
                                          " ORDER BY tenant_id LIMIT 32)" SEALED_ROWS},
    [VITO_PG_VAULT_OF_TENANT] = {"vault_of_tenant",
                                 "WITH page AS (SELECT tenant_id FROM vito.tenants"
                                 " WHERE tenant_id = $1::text)" SEALED_ROWS},
    [VITO_PG_ROOT_GET] = {"root_get", "SELECT version, blob FROM vito.vault_root"},
    [VITO_PG_ROOT_ADD] = {"root_add", "INSERT INTO vito.vault_root (id, version, blob)"
                                      " VALUES (1, $1::bigint, $2::bytea)"},
    [VITO_PG_ROOT_REPLACE] = {"root_replace",
                              "UPDATE vito.vault_root SET version = $1::bigint, blob = $2::bytea"
                              " WHERE version = $1::bigint - 1"},
    [VITO_PG_TENANT_KEY_ADD] = {"tenant_key_add",
                                "INSERT INTO vito.tenant_keys (tenant_id, version, blob)"
                                " VALUES ($1::text, $2::bigint, $3::bytea)"},
    [VITO_PG_TENANT_KEY_REPLACE] = {"tenant_key_replace",
                                    "UPDATE vito.tenant_keys"
                                    " SET version = $2::bigint, blob = $3::bytea"
                                    " WHERE tenant_id = $1::text AND version = $2::bigint - 1"},
    [VITO_PG_SECRET_PUT] =
        {"secret_put",
         "INSERT INTO vito.secrets (tenant_id, name, version, blob, providers, updated_ms)"
         " VALUES ($1::text, $2::text, $3::bigint, $4::bytea, $5::text, $6::bigint)"
         " ON CONFLICT (tenant_id, name) DO UPDATE"
         " SET version = excluded.version, blob = excluded.blob, providers = excluded.providers,"
         " updated_ms = excluded.updated_ms"},
    [VITO_PG_SECRET_REMOVE] = {"secret_remove", "DELETE FROM vito.secrets"
                                                " WHERE tenant_id = $1::text AND name = $2::text"},
};

const char *
vito_pg_statement_name(enum vito_pg_statement statement)
{
    RT_ASSERT((unsigned)statement < VITO_PG_STATEMENT_COUNT);
    return statements[statement].name;
}

const char *
vito_pg_statement_text(enum vito_pg_statement statement)
{
    RT_ASSERT((unsigned)statement < VITO_PG_STATEMENT_COUNT);
    return statements[statement].text;
}
