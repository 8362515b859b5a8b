/*
 * Whether the books balance: for tests, and for evidence. Reads all of the ledger.
 */
#include <stdio.h>
#include <string.h>

#include "vito/audit_chain.h"
#include "vito/store/sqlite/internal.h"

/* Each finds the first thing that breaks a rule, as a text. */
static const struct {
    const char *rule;
    const char *sql;
} rules[] = {
    {"the file is sound", "SELECT * FROM pragma_quick_check(1) WHERE quick_check <> 'ok'"},
    {"what a row refers to is there", "SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1"},
    {"reserved is the sum of open grants",
     "SELECT tenant_id FROM vito_budgets AS b WHERE reserved_nusd <>"
     " (SELECT coalesce(sum(left_nusd), 0) FROM vito_grants AS g"
     " WHERE g.tenant_id = b.tenant_id AND g.period_start_ms = b.period_start_ms) LIMIT 1"},
    {"what a grant spent is what its legs cost",
     "SELECT tenant_id FROM vito_grants AS g WHERE granted_nusd - left_nusd <>"
     " coalesce((SELECT spent FROM (SELECT tenant_id, period_start_ms, node, epoch,"
     " sum(cost_nusd - overrun_nusd) AS spent FROM vito_usage WHERE state = 'settled'"
     " GROUP BY 1, 2, 3, 4) AS u WHERE u.tenant_id = g.tenant_id"
     " AND u.period_start_ms = g.period_start_ms AND u.node = g.node AND u.epoch = g.epoch), 0)"
     " LIMIT 1"},
    {"posted is what was carried over and what legs cost, without refunds",
     "SELECT tenant_id FROM vito_budgets AS b WHERE posted_nusd + refunded_nusd - carried_nusd <>"
     " coalesce((SELECT spent FROM (SELECT tenant_id, period_start_ms, sum(cost_nusd) AS spent"
     " FROM vito_usage WHERE state = 'settled' GROUP BY 1, 2) AS u"
     " WHERE u.tenant_id = b.tenant_id AND u.period_start_ms = b.period_start_ms), 0) LIMIT 1"},
    {"what was refunded is the sum of refunds",
     "SELECT tenant_id FROM vito_budgets AS b WHERE refunded_nusd <> coalesce((SELECT"
     " sum(amount_nusd) FROM vito_refunds AS r WHERE r.tenant_id = b.tenant_id"
     " AND r.period_start_ms = b.period_start_ms), 0) LIMIT 1"},
    {"a trail's head is its last record",
     "SELECT tenant_id FROM vito_audit_heads AS h FULL JOIN (SELECT tenant_id, max(seq) AS seq,"
     " chain FROM vito_audit_logs GROUP BY tenant_id) AS a USING (tenant_id)"
     " WHERE h.seq IS NOT a.seq OR h.chain IS NOT a.chain LIMIT 1"},
    {"a settled leg has its record",
     "SELECT leg_id FROM vito_usage AS u WHERE state = 'settled' AND NOT EXISTS"
     " (SELECT 1 FROM vito_audit_heads AS h WHERE h.tenant_id = u.tenant_id"
     " AND u.settled_ms <= h.pruned_ms) AND NOT EXISTS"
     " (SELECT 1 FROM vito_audit_logs AS a WHERE a.id = u.leg_id AND a.tenant_id = u.tenant_id"
     " AND a.cost_amount_nusd = u.cost_nusd AND a.provider_id = u.provider_id) LIMIT 1"},
    {"a billing record has its settled leg",
     "SELECT id FROM vito_audit_logs AS a WHERE event = 'BILLING_EVENT' AND NOT EXISTS"
     " (SELECT 1 FROM vito_usage AS u WHERE u.leg_id = a.id AND u.state = 'settled') LIMIT 1"},
};

static enum rt_status
report(char *problem, size_t problem_bytes, const char *rule, const char *where)
{
    snprintf(problem, problem_bytes, "%s: not so at %s", rule, where);
    return RT_INVALID;
}

static enum rt_status
check_rule(struct vito_sqlite *database, const char *rule, const char *sql, char *problem,
           size_t problem_bytes)
{
    sqlite3_stmt *statement = NULL;
    enum rt_status status = RT_UNAVAILABLE;
    int code = sqlite3_prepare_v2(database->db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_DONE)
        status = RT_OK;
    else if (code == SQLITE_ROW)
        status =
            report(problem, problem_bytes, rule, (const char *)sqlite3_column_text(statement, 0));
    else
        snprintf(problem, problem_bytes, "%s: %s", rule, sqlite3_errmsg(database->db));
    sqlite3_finalize(statement);
    return status;
}

/* Follows every tenant's chain of records. */
static enum rt_status
check_chains(struct vito_sqlite *database, char *problem, size_t problem_bytes)
{
    enum { CHAIN_COLUMN = 15, START_COLUMN = 16 };
    struct vito_chain chain = {.bytes = {0}};
    char tenant_id[VITO_TENANT_ID_BYTES] = "";
    enum rt_status status = vito_query_run(database, QUERY_AUDIT_CHAINS, NULL, 0);
    for (; status == RT_OK; status = vito_query_next(database)) {
        struct vito_audit_record record = vito_audit_record_of_row(database);
        if (strcmp(record.tenant_id, tenant_id) != 0) {
            const void *start = vito_column_blob(database, START_COLUMN, sizeof(chain.bytes));
            chain = (struct vito_chain){.bytes = {0}};
            if (start != NULL)
                memcpy(chain.bytes, start, sizeof(chain.bytes));
        }
        snprintf(tenant_id, sizeof(tenant_id), "%s", record.tenant_id);
        chain = vito_audit_chain(&chain, &record);
        const void *kept = vito_column_blob(database, CHAIN_COLUMN, sizeof(chain.bytes));
        if (kept == NULL || memcmp(kept, chain.bytes, sizeof(chain.bytes)) != 0)
            return report(problem, problem_bytes, "each record chains to the one before",
                          record.id);
    }
    if (status == RT_EMPTY)
        return RT_OK;
    snprintf(problem, problem_bytes, "%s", sqlite3_errmsg(database->db));
    return status;
}

enum rt_status
vito_sqlite_check(struct vito_sqlite *database, char *problem, size_t problem_bytes)
{
    enum rt_status status = RT_OK;
    for (size_t i = 0; i < RT_COUNT_OF(rules) && status == RT_OK; i++)
        status = check_rule(database, rules[i].rule, rules[i].sql, problem, problem_bytes);
    if (status == RT_OK)
        status = check_chains(database, problem, problem_bytes);
    vito_query_done(database);
    return status;
}
