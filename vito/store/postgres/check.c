/*
 * Whether the books balance: for tests, and for evidence. Reads all of the ledger.
 */
#include <stdio.h>
#include <string.h>

#include "vito/store/postgres/internal.h"

/* Each finds the first thing that breaks a rule, as a text. */
static const struct {
    const char *rule;
    const char *sql;
} rules[] = {
    {"reserved is the sum of open grants",
     "SELECT tenant_id FROM vito.budgets AS b WHERE reserved_nusd <>"
     " (SELECT coalesce(sum(left_nusd), 0) FROM vito.grants AS g"
     " WHERE g.tenant_id = b.tenant_id AND g.period_start_ms = b.period_start_ms) LIMIT 1"},
    {"what a grant spent is what its legs cost",
     "SELECT tenant_id FROM vito.grants AS g WHERE granted_nusd - left_nusd <>"
     " coalesce((SELECT sum(cost_nusd - overrun_nusd) FROM vito.usage AS u"
     " WHERE state = 'settled' AND u.tenant_id = g.tenant_id"
     " AND u.period_start_ms = g.period_start_ms AND u.node = g.node AND u.epoch = g.epoch), 0)"
     " LIMIT 1"},
    {"posted is what was carried over and what legs cost, without refunds",
     "SELECT tenant_id FROM vito.budgets AS b WHERE posted_nusd + refunded_nusd - carried_nusd <>"
     " coalesce((SELECT sum(cost_nusd) FROM vito.usage AS u WHERE state = 'settled'"
     " AND u.tenant_id = b.tenant_id AND u.period_start_ms = b.period_start_ms), 0) LIMIT 1"},
    {"what was refunded is the sum of refunds",
     "SELECT tenant_id FROM vito.budgets AS b WHERE refunded_nusd <> coalesce((SELECT"
     " sum(amount_nusd) FROM vito.refunds AS r WHERE r.tenant_id = b.tenant_id"
     " AND r.period_start_ms = b.period_start_ms), 0) LIMIT 1"},
    {"a settled leg has its record",
     "SELECT leg_id FROM vito.usage AS u WHERE state = 'settled' AND NOT EXISTS"
     " (SELECT 1 FROM vito.audit_heads AS h WHERE h.tenant_id = u.tenant_id"
     " AND u.settled_ms <= h.pruned_ms) AND NOT EXISTS"
     " (SELECT 1 FROM vito.audit_logs AS a WHERE a.tenant_id = u.tenant_id AND a.id = u.leg_id"
     " AND a.cost_amount * 1000000000 = u.cost_nusd AND a.provider_id = u.provider_id) LIMIT 1"},
    {"a billing record has its settled leg",
     "SELECT id FROM vito.audit_logs AS a WHERE event = 'BILLING_EVENT' AND NOT EXISTS"
     " (SELECT 1 FROM vito.usage AS u WHERE u.tenant_id = a.tenant_id AND u.leg_id = a.id"
     " AND u.state = 'settled') LIMIT 1"},
    {"a tenant's records are counted without gaps",
     "SELECT tenant_id FROM vito.audit_heads AS h WHERE seq - pruned_seq <>"
     " (SELECT count(*) FROM vito.audit_logs AS a WHERE a.tenant_id = h.tenant_id"
     " AND a.seq > h.pruned_seq) LIMIT 1"},
};

static enum rt_status
report(char *problem, size_t problem_bytes, const char *rule, const char *where)
{
    snprintf(problem, problem_bytes, "%s: not so at %s", rule, where);
    return RT_INVALID;
}

static enum rt_status
check_rules(struct vito_postgres *database, char *problem, size_t problem_bytes)
{
    const struct vito_pg_link *link = &database->link;
    unsigned first = link->sent;
    for (size_t i = 0; i < RT_COUNT_OF(rules); i++)
        vito_pg_send_text(&database->link, rules[i].sql);
    if (vito_pg_exchange(database) != VITO_PG_DONE) {
        snprintf(problem, problem_bytes, "%s", link->message);
        return RT_UNAVAILABLE;
    }
    for (unsigned i = 0; i < RT_COUNT_OF(rules); i++)
        if (vito_pg_rows(link, first + i) > 0)
            return report(problem, problem_bytes, rules[i].rule,
                          vito_pg_text(link, first + i, 0, 0));
    return RT_OK;
}

struct follower {
    struct vito_chain chain;
    char tenant_id[VITO_TENANT_ID_BYTES];
};

/* Where a trail begins: at nothing, or at the checkpoint that it was let go up to. */
static void
begin_chain(const struct vito_pg_link *link, unsigned result, int row, int column,
            struct vito_chain *chain)
{
    const void *start = vito_pg_bytes(link, result, row, column, sizeof(chain->bytes));
    *chain = (struct vito_chain){.bytes = {0}};
    if (start != NULL)
        memcpy(chain->bytes, start, sizeof(chain->bytes));
}

/* One page of records; *more_out: there may be another. */
static enum rt_status
follow_page(struct vito_postgres *database, int offset, struct follower *follower, bool *more_out,
            char *problem, size_t problem_bytes)
{
    enum { PAGE = 10000, CHAIN_COLUMN = 16, START_COLUMN = 17 };
    char sql[1024];
    snprintf(sql, sizeof(sql),
             "SELECT id, tenant_id, event, session_id, at_ms, provider_id, decision_id,"
             " policy_version, mode, outcome, (cost_amount * 1000000000)::bigint, tokens, media_ms,"
             " interactions, details, seq, chain, (SELECT c.chain FROM vito.audit_checkpoints AS c"
             " JOIN vito.audit_heads AS h ON h.tenant_id = c.tenant_id AND h.pruned_seq = c.seq"
             " WHERE c.tenant_id = a.tenant_id) FROM vito.audit_logs AS a WHERE seq >"
             " coalesce((SELECT pruned_seq FROM vito.audit_heads AS h"
             " WHERE h.tenant_id = a.tenant_id), 0)"
             " ORDER BY tenant_id, seq OFFSET %d LIMIT %d",
             offset * PAGE, PAGE);
    const struct vito_pg_link *link = &database->link;
    unsigned result = vito_pg_send_text(&database->link, sql);
    if (vito_pg_exchange(database) != VITO_PG_DONE)
        return RT_UNAVAILABLE;
    *more_out = vito_pg_rows(link, result) == PAGE;
    for (int i = 0; i < vito_pg_rows(link, result); i++) {
        struct vito_audit_record record = vito_pg_record(link, result, i);
        if (strcmp(record.tenant_id, follower->tenant_id) != 0)
            begin_chain(link, result, i, START_COLUMN, &follower->chain);
        snprintf(follower->tenant_id, sizeof(follower->tenant_id), "%s", record.tenant_id);
        follower->chain = vito_audit_chain(&follower->chain, &record);
        const void *kept =
            vito_pg_bytes(link, result, i, CHAIN_COLUMN, sizeof(follower->chain.bytes));
        if (kept == NULL || memcmp(kept, follower->chain.bytes, sizeof(follower->chain.bytes)) != 0)
            return report(problem, problem_bytes, "each record chains to the one before",
                          record.id);
    }
    return RT_OK;
}

enum rt_status
vito_postgres_check(struct vito_postgres *database, char *problem, size_t problem_bytes)
{
    struct follower follower = {.tenant_id = ""};
    bool more = true;
    vito_pg_begin(database, NULL, 0, false);
    enum rt_status status = check_rules(database, problem, problem_bytes);
    for (int page = 0; status == RT_OK && more; page++)
        status = follow_page(database, page, &follower, &more, problem, problem_bytes);
    vito_pg_rollback(database);
    return status;
}
