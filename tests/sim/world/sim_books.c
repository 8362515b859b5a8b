#include "tests/sim/world/sim_books.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/world/sim_store.h"
#include "tests/stress/stress.h"
#include "vito/store/sqlite/internal.h"

void
sim_books_find(struct sim_books *books, const char *format, ...)
{
    va_list arguments;
    if (books->finding[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(books->finding, sizeof(books->finding), format, arguments);
    va_end(arguments);
}

/* Each counts what must not be. */
static const struct {
    const char *what, *sql;
} ledger_rules[] = {
    {"I2: posted + reserved is beyond the limit",
     "SELECT count(*) FROM vito_budgets WHERE posted_nusd + reserved_nusd > limit_nusd"},
    {"I2: a limit is not its tenant's own",
     "SELECT count(*) FROM vito_budgets AS b JOIN vito_policy_configs AS c USING (tenant_id) "
     "WHERE b.limit_nusd > CAST(round(1e9 * json_extract(c.document, "
     "'$.limits.monthly_hard_limit_usd')) AS INTEGER)"},
    {"I2: reserved is not the sum of open slices",
     "SELECT count(*) FROM vito_budgets AS b WHERE reserved_nusd <> (SELECT "
     "coalesce(sum(left_nusd), 0) FROM vito_grants AS g WHERE g.tenant_id = b.tenant_id "
     "AND g.period_start_ms = b.period_start_ms AND g.state = 'open')"},
    {"I2: open legs hold more than their slice",
     "SELECT count(*) FROM vito_grants AS g WHERE left_nusd < (SELECT coalesce(sum(held_nusd), 0) "
     "FROM vito_usage AS u WHERE u.tenant_id = g.tenant_id AND u.node = g.node "
     "AND u.epoch = g.epoch AND u.period_start_ms = g.period_start_ms AND u.state = 'open')"},
    {"I2: posted is not the sum of settled legs",
     "SELECT count(*) FROM vito_budgets AS b WHERE posted_nusd - carried_nusd <> (SELECT "
     "coalesce(sum(cost_nusd), 0) FROM vito_usage AS u WHERE u.tenant_id = b.tenant_id "
     "AND u.period_start_ms = b.period_start_ms AND u.state = 'settled')"},
    {"I3: a settled leg is not in the audit trail exactly once at its cost",
     "SELECT count(*) FROM vito_usage AS u WHERE state = 'settled' AND 1 <> (SELECT count(*) FROM "
     "vito_audit_logs AS a WHERE a.id = u.leg_id AND a.cost_amount_nusd = u.cost_nusd)"},
    {"I3: the audit trail has a leg that is not settled",
     "SELECT count(*) FROM vito_audit_logs AS a WHERE event = 'BILLING_EVENT' AND NOT EXISTS "
     "(SELECT 1 FROM vito_usage AS u WHERE u.leg_id = a.id AND u.state = 'settled')"},
    {"I7: a refusal is in the audit trail twice",
     "SELECT count(*) - count(DISTINCT json_extract(details, '$.decision_id')) FROM "
     "vito_audit_logs WHERE event IN ('TURN_REFUSED', 'SESSION_REFUSED') "
     "AND json_extract(details, '$.count') IS NULL"},
    {"I3: a leg cost more than was held for it",
     "SELECT count(*) FROM vito_usage WHERE cost_nusd > held_nusd"},
};

_Static_assert(RT_COUNT_OF(ledger_rules) <= SIM_LEDGER_RULES, "there is room for all");

static const struct {
    const char *what, *sql;
} end_rules[] = {
    {"I6: a leg is still open", "SELECT count(*) FROM vito_usage WHERE state = 'open'"},
    {"I6: money is still reserved", "SELECT sum(reserved_nusd) FROM vito_budgets"},
};

static sqlite3_stmt *
prepare(struct sim_books *books, const char *sql)
{
    sqlite3_stmt *statement;
    CHECK(sqlite3_prepare_v2(books->database->db, sql, -1, &statement, NULL) == SQLITE_OK);
    return statement;
}

void
sim_books_open(struct sim_books *books)
{
    books->held = prepare(books, "SELECT state = 'open', coalesce(cost_nusd, held_nusd) "
                                 "FROM vito_usage WHERE leg_id = ?");
    /* A leg that another gateway has settled is paid in full, with the turn in it. */
    books->done =
        prepare(books, books->is_shared
                           ? "SELECT coalesce(sum(max(interactions, outcome = 'recovered')), 0) "
                             "FROM vito_usage WHERE session_id = ? AND state = 'settled'"
                           : "SELECT coalesce(sum(interactions), 0) FROM vito_usage "
                             "WHERE session_id = ? AND state = 'settled'");
    for (size_t i = 0; i < RT_COUNT_OF(ledger_rules); i++)
        books->rules[i] = prepare(books, ledger_rules[i].sql);
}

void
sim_books_close(struct sim_books *books)
{
    sqlite3_finalize(books->held);
    sqlite3_finalize(books->done);
    for (size_t i = 0; i < RT_COUNT_OF(ledger_rules); i++)
        sqlite3_finalize(books->rules[i]);
}

/* A leg that is settled has been paid for at its cost: there it must end. */
void
sim_books_check_vendor(struct sim_books *books, const struct sim_truth *truth)
{
    sqlite3_reset(books->held);
    sqlite3_bind_text(books->held, 1, truth->leg_id, -1, SQLITE_STATIC);
    bool known = sqlite3_step(books->held) == SQLITE_ROW;
    bool is_open = known && sqlite3_column_int(books->held, 0) != 0;
    int64_t paid = known ? sqlite3_column_int64(books->held, 1) : 0;
    sqlite3_reset(books->held);
    int64_t true_nusd = sim_truth_nusd(books->truths, truth);
    if (true_nusd > paid)
        sim_books_find(books, "%s: %s: its %s vendor has done work for %ld, %s is %ld",
                       known && !is_open ? "I5" : "I1", truth->leg_id, vito_mode_name(truth->mode),
                       true_nusd, known && !is_open ? "settled" : "held", paid);
}

void
sim_books_check_done(struct sim_books *books, const char *session_id, unsigned turns)
{
    sqlite3_reset(books->done);
    sqlite3_bind_text(books->done, 1, session_id, -1, SQLITE_STATIC);
    CHECK(sqlite3_step(books->done) == SQLITE_ROW);
    int64_t settled = sqlite3_column_int64(books->done, 0);
    sqlite3_reset(books->done);
    if (settled < turns)
        sim_books_find(books, "I4: %s: its client was told of %u turns, %ld are in the ledger",
                       session_id, turns, settled);
}

/* The sum of what a statement selects. */
static int64_t
sum_of(sqlite3_stmt *statement)
{
    int64_t sum = 0;
    while (sqlite3_step(statement) == SQLITE_ROW)
        sum += sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return sum;
}

void
sim_books_check_ledger(struct sim_books *books)
{
    for (size_t i = 0; i < RT_COUNT_OF(ledger_rules); i++) {
        int64_t wrong = sum_of(books->rules[i]);
        if (wrong != 0)
            sim_books_find(books, "%s (%ld)", ledger_rules[i].what, wrong);
    }
}

static void
check_leg(struct sim_books *books, const struct sim_truth *truth, sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_bind_text(statement, 1, truth->leg_id, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_ROW) {
        sim_books_find(books, "I3: %s was carried out and is not in the ledger", truth->leg_id);
        return;
    }
    int64_t cost = sqlite3_column_int64(statement, 0);
    int64_t interactions = sqlite3_column_int64(statement, 1);
    const char *outcome = (const char *)sqlite3_column_text(statement, 2);
    int64_t true_nusd = sim_truth_nusd(books->truths, truth);
    bool proven = !truth->unproven && !books->upset && strcmp(outcome, "recovered") != 0;
    if (cost < true_nusd)
        sim_books_find(books, "I3: %s (%s) is in the ledger at %ld, its vendor will bill %ld",
                       truth->leg_id, outcome, cost, true_nusd);
    if (truth->lost && interactions > 0)
        sim_books_find(books, "answers: %s lost some of its text and passed for a whole answer",
                       truth->leg_id);
    if (proven && cost != true_nusd + interactions * books->interaction_nusd)
        sim_books_find(books,
                       "I3: %s (%s, %ld turns) is in the ledger at %ld, the vendor's part is %ld",
                       truth->leg_id, outcome, interactions, cost, true_nusd);
}

/* What all vendors did for a tenant, against all it may spend, whichever gateway it was for. */
static void
check_limit(struct sim_books *books, const char *tenant_id)
{
    char sql[128];
    int64_t true_nusd = 0;
    for (unsigned i = 0; i < books->truths->count; i++)
        if (strcmp(books->truths->list[i].tenant_id, tenant_id) == 0)
            true_nusd += sim_truth_nusd(books->truths, &books->truths->list[i]);
    snprintf(sql, sizeof(sql), "SELECT limit_nusd FROM vito_budgets WHERE tenant_id = '%s'",
             tenant_id);
    int64_t limit_nusd = sim_store_query(books->database, sql);
    if (true_nusd > limit_nusd)
        sim_books_find(books, "I1: %s: its vendors have done work for %ld, its limit is %ld",
                       tenant_id, true_nusd, limit_nusd);
}

void
sim_books_check_denied(struct sim_books *books, unsigned denied)
{
    static const char sql[] =
        "SELECT coalesce(sum(coalesce(json_extract(details, '$.count'), 1)), 0) FROM "
        "vito_audit_logs WHERE event IN ('TURN_REFUSED', 'SESSION_REFUSED', 'LEG_REFUSED')";
    int64_t recorded = sim_store_query(books->database, sql);
    if (recorded < denied)
        sim_books_find(books, "I7: clients were told of %u refusals, %ld are in the audit trail",
                       denied, recorded);
}

void
sim_books_check_end(struct sim_books *books)
{
    for (unsigned i = 0; i < books->truths->count; i++)
        if (i == 0 ||
            strcmp(books->truths->list[i].tenant_id, books->truths->list[i - 1].tenant_id) != 0)
            check_limit(books, books->truths->list[i].tenant_id);
    sqlite3_stmt *statement;
    for (size_t i = 0; i < RT_COUNT_OF(end_rules); i++) {
        int64_t wrong = sim_store_query(books->database, end_rules[i].sql);
        if (wrong != 0)
            sim_books_find(books, "%s (%ld)", end_rules[i].what, wrong);
    }
    CHECK(sqlite3_prepare_v2(books->database->db,
                             "SELECT cost_nusd, interactions, outcome FROM vito_usage "
                             "WHERE leg_id = ? AND state = 'settled'",
                             -1, &statement, NULL) == SQLITE_OK);
    for (unsigned i = 0; i < books->truths->count; i++)
        check_leg(books, &books->truths->list[i], statement);
    sqlite3_finalize(statement);
}
