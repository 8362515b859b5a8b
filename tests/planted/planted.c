/*
 * Bugs for a gateway that a crash campaign must see through, one an invariant; the build of
 * twin-gateway-planted puts them in the place of what they break. PLANTED_BUG names one: without it
 * that program does not start, so nobody takes it for the gateway.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vito/account.h"
#include "vito/store/postgres/internal.h"
#include "vito/store/sqlite/internal.h"

enum {
    HOLD_PART = 10,
    COMMIT_EVERY_MS = 300,
};

static const char *const bugs[] = {"cheap_holds", "greedy_grants", "free_recovery",  "late_commits",
                                   "left_rooms",  "left_legs",     "trusted_commits"};

static bool
is_planted(const char *name)
{
    return strcmp(getenv("PLANTED_BUG"), name) == 0;
}

__attribute__((constructor)) static void
require_bug(void)
{
    const char *name = getenv("PLANTED_BUG");
    for (size_t i = 0; name != NULL && i < RT_COUNT_OF(bugs); i++)
        if (strcmp(name, bugs[i]) == 0)
            return;
    fputs("twin-gateway-planted: set PLANTED_BUG to the name of a bug (tests/planted)\n", stderr);
    _Exit(2);
}

/* The linker's names: __real_X is X itself, __wrap_X is called in its place. */
enum rt_status __real_vito_account_hold(struct vito_account *account, const char *tenant_id,
                                        const char *leg_id, enum vito_mode mode,
                                        int64_t amount_nusd, int64_t media_ms,
                                        struct vito_hold **hold_out);
enum rt_status __wrap_vito_account_hold(struct vito_account *account, const char *tenant_id,
                                        const char *leg_id, enum vito_mode mode,
                                        int64_t amount_nusd, int64_t media_ms,
                                        struct vito_hold **hold_out);
enum rt_status __real_vito_handle_budget_grant(struct vito_sqlite *database,
                                               const struct vito_request *request,
                                               struct vito_answer *answer);
enum rt_status __wrap_vito_handle_budget_grant(struct vito_sqlite *database,
                                               const struct vito_request *request,
                                               struct vito_answer *answer);
enum rt_status __real_vito_leg_settle(struct vito_sqlite *database, const char *tenant_id,
                                      const struct vito_leg *leg, struct vito_stored *stored);
enum rt_status __wrap_vito_leg_settle(struct vito_sqlite *database, const char *tenant_id,
                                      const struct vito_leg *leg, struct vito_stored *stored);
enum rt_status __real_vito_sqlite_begin(struct vito_sqlite *database);
enum rt_status __wrap_vito_sqlite_begin(struct vito_sqlite *database);
enum rt_status __real_vito_sqlite_commit(struct vito_sqlite *database);
enum rt_status __wrap_vito_sqlite_commit(struct vito_sqlite *database);
enum rt_status __real_vito_handle_leg_list_adopted(struct vito_sqlite *database,
                                                   const struct vito_request *request,
                                                   struct vito_answer *answer);
enum rt_status __wrap_vito_handle_leg_list_adopted(struct vito_sqlite *database,
                                                   const struct vito_request *request,
                                                   struct vito_answer *answer);
bool __real_vito_store_recover(struct vito_sqlite *database, int64_t now_ms);
bool __wrap_vito_store_recover(struct vito_sqlite *database, int64_t now_ms);
enum rt_status __real_vito_pg_fate(struct vito_postgres *database, int64_t batch);
enum rt_status __wrap_vito_pg_fate(struct vito_postgres *database, int64_t batch);

/* I1: a leg begins with a part of what it may cost. */
enum rt_status
__wrap_vito_account_hold(struct vito_account *account, const char *tenant_id, const char *leg_id,
                         enum vito_mode mode, int64_t amount_nusd, int64_t media_ms,
                         struct vito_hold **hold_out)
{
    int64_t held_nusd = is_planted("cheap_holds") ? amount_nusd / HOLD_PART : amount_nusd;
    return __real_vito_account_hold(account, tenant_id, leg_id, mode, held_nusd, media_ms,
                                    hold_out);
}

/* I2: more is reserved than the slice is given. */
enum rt_status
__wrap_vito_handle_budget_grant(struct vito_sqlite *database, const struct vito_request *request,
                                struct vito_answer *answer)
{
    enum rt_status status = __real_vito_handle_budget_grant(database, request, answer);
    if (is_planted("greedy_grants") && status == RT_OK && answer->stored.budget.granted_nusd > 0)
        status = VITO_QUERY(database, QUERY_BUDGET_RESERVE, vito_text(request->tenant_id),
                            vito_i64(request->period_start_ms), vito_i64(1));
    return status;
}

/* I3: what was open when a gateway died is taken to have cost nothing. */
enum rt_status
__wrap_vito_leg_settle(struct vito_sqlite *database, const char *tenant_id,
                       const struct vito_leg *leg, struct vito_stored *stored)
{
    struct vito_leg settled = *leg;
    if (is_planted("free_recovery"))
        settled.cost_nusd = 0;
    return __real_vito_leg_settle(database, tenant_id, &settled, stored);
}

/* I4: answers are given before what they say is durable. */
static bool commit_is_late;

enum rt_status
__wrap_vito_sqlite_begin(struct vito_sqlite *database)
{
    bool is_begun = commit_is_late;
    commit_is_late = false;
    return is_begun ? RT_OK : __real_vito_sqlite_begin(database);
}

enum rt_status
__wrap_vito_sqlite_commit(struct vito_sqlite *database)
{
    static int64_t last_ms;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
    commit_is_late = is_planted("late_commits") && now_ms - last_ms < COMMIT_EVERY_MS;
    if (commit_is_late)
        return RT_OK;
    last_ms = now_ms;
    return __real_vito_sqlite_commit(database);
}

/* I5: nobody hears of the rooms that a dead gateway has left. */
enum rt_status
__wrap_vito_handle_leg_list_adopted(struct vito_sqlite *database,
                                    const struct vito_request *request, struct vito_answer *answer)
{
    if (is_planted("left_rooms"))
        return RT_OK;
    return __real_vito_handle_leg_list_adopted(database, request, answer);
}

/* I6: a new life begins, and nothing of the former one is settled. */
bool
__wrap_vito_store_recover(struct vito_sqlite *database, int64_t now_ms)
{
    if (!is_planted("left_legs"))
        return __real_vito_store_recover(database, now_ms);
    if (VITO_QUERY(database, QUERY_NODE_START, vito_text(VITO_NODE), vito_i64(now_ms)) != RT_OK)
        return false;
    database->epoch = vito_column_i64(database, 0);
    return true;
}

/* I4 on PostgreSQL: a commit whose answer was lost is taken to have happened. */
enum rt_status
__wrap_vito_pg_fate(struct vito_postgres *database, int64_t batch)
{
    enum rt_status status = __real_vito_pg_fate(database, batch);
    return is_planted("trusted_commits") && status == RT_NOT_FOUND ? RT_OK : status;
}
