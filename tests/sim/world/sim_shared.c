#include "tests/sim/world/sim_shared.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/world/sim_link.h"
#include "tests/stress/stress.h"
#include "vito/store/sqlite/internal.h"

bool
sim_shared_is_grouped(enum vito_op op)
{
    return op == VITO_BUDGET_GRANT || op == VITO_LEG_OPEN || op == VITO_LEG_EXTEND ||
           op == VITO_LEG_SETTLE || op == VITO_AUDIT_APPEND;
}

bool
sim_shared_is_reading(enum vito_op op)
{
    return op == VITO_TENANT_GET || op == VITO_TENANT_LIST || op == VITO_KEY_LIST ||
           op == VITO_LEG_LIST || op == VITO_LEG_LIST_ADOPTED || op == VITO_MEMORY_GET ||
           op == VITO_AUDIT_LIST || op == VITO_AUDIT_EXPORT || op == VITO_AUDIT_HEADS ||
           op == VITO_VAULT_LIST;
}

static int64_t
wall_ms(const struct sim_shared *shared)
{
    return shared->start_wall_ms + (int64_t)(rt_sim_now_ns(shared->clock) / RT_NS_PER_MS);
}

static void
begin(struct sim_shared *shared, int64_t epoch)
{
    shared->database->epoch = epoch;
    CHECK(vito_sqlite_begin(shared->database) == RT_OK);
}

static void
commit(struct sim_shared *shared)
{
    CHECK(vito_sqlite_commit(shared->database) == RT_OK);
    shared->committed(shared->context);
}

static void
renew(struct sim_shared *shared, struct sim_lease *lease)
{
    lease->is_live = true;
    lease->expires_ns = rt_sim_now_ns(shared->clock) + SIM_LEASE_MS * RT_NS_PER_MS;
}

static uint32_t
count_live(const struct sim_shared *shared)
{
    uint32_t live = 0;
    for (unsigned i = 0; i < SIM_NODES_MAX; i++)
        live += shared->leases[i].is_live &&
                shared->leases[i].expires_ns > rt_sim_now_ns(shared->clock);
    return live;
}

static void
run_sql(const struct sim_shared *shared, const char *format, ...)
{
    char sql[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(sql, sizeof(sql), format, arguments);
    va_end(arguments);
    CHECK(size > 0 && (size_t)size < sizeof(sql));
    CHECK(sqlite3_exec(shared->database->db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

/* Rooms whose gateway is gone, and that are to be ended by another. */
static int64_t
count_adopted(const struct sim_shared *shared)
{
    return sim_store_query(shared->database, "SELECT count(*) FROM vito_usage"
                                             " WHERE state = 'open' AND outcome = 'adopted'");
}

/* Rooms become another epoch's, with what they hold. */
static void
adopt(const struct sim_shared *shared, int64_t from, int64_t to)
{
    static const char held[] =
        "(SELECT tenant_id, period_start_ms, min(left_nusd, sum(held_nusd)) AS taken"
        " FROM vito_usage AS u JOIN vito_grants AS g USING (tenant_id, period_start_ms, epoch)"
        " WHERE u.state = 'open' AND mode = 'video' AND epoch = %ld AND g.state = 'open'"
        " GROUP BY 1, 2)";
    char taken[512];
    snprintf(taken, sizeof(taken), held, from);
    run_sql(shared,
            "INSERT INTO vito_grants (tenant_id, period_start_ms, node, epoch, left_nusd,"
            " granted_nusd, state) SELECT tenant_id, period_start_ms, '" VITO_NODE "', %ld, taken,"
            " taken, 'open' FROM %s WHERE true ON CONFLICT DO UPDATE SET left_nusd = left_nusd +"
            " excluded.left_nusd, granted_nusd = granted_nusd + excluded.granted_nusd",
            to, taken);
    run_sql(shared,
            "UPDATE vito_grants AS g SET left_nusd = left_nusd - taken, granted_nusd ="
            " granted_nusd - taken FROM %s AS held WHERE g.tenant_id = held.tenant_id"
            " AND g.period_start_ms = held.period_start_ms AND g.epoch = %ld",
            taken, from);
    run_sql(shared,
            "UPDATE vito_usage SET epoch = %ld, outcome = 'adopted' WHERE state = 'open'"
            " AND mode = 'video' AND epoch = %ld",
            to, from);
    if (shared->bug == STORE_ADOPTS_UNCHECKED) /* who a room was taken from holds more for it */
        run_sql(shared,
                "UPDATE vito_usage SET held_nusd = held_nusd * 2 WHERE state = 'open'"
                " AND outcome = 'adopted' AND epoch = %ld",
                to);
}

static bool
find_open(const struct sim_shared *shared, int64_t epoch, struct vito_leg *leg,
          char tenant_id[VITO_TENANT_ID_BYTES])
{
    sqlite3_stmt *statement;
    CHECK(sqlite3_prepare_v2(shared->database->db,
                             "SELECT leg_id, tenant_id, held_nusd FROM vito_usage"
                             " WHERE state = 'open' AND epoch = ? LIMIT 1",
                             -1, &statement, NULL) == SQLITE_OK);
    sqlite3_bind_int64(statement, 1, epoch);
    bool found = sqlite3_step(statement) == SQLITE_ROW;
    if (found) {
        strcpy(leg->id, (const char *)sqlite3_column_text(statement, 0));
        strcpy(tenant_id, (const char *)sqlite3_column_text(statement, 1));
        leg->cost_nusd = sqlite3_column_int64(statement, 2);
    }
    sqlite3_finalize(statement);
    return found;
}

/* What an epoch held and nobody can prove unused is spent; what it did not hold goes back. */
static void
settle_epoch(struct sim_shared *shared, int64_t epoch, int64_t heir)
{
    char tenant_id[VITO_TENANT_ID_BYTES];
    struct vito_leg leg = {.outcome = "recovered", .at_ms = wall_ms(shared)};
    CHECK(vito_tally_write(shared->database) == RT_OK);
    vito_tally_forget(shared->database); /* legs change behind its back */
    adopt(shared, epoch, heir);
    while (find_open(shared, epoch, &leg, tenant_id)) {
        struct vito_stored stored = {.op = VITO_LEG_SETTLE};
        CHECK(vito_leg_settle(shared->database, tenant_id, &leg, &stored) == RT_OK);
    }
    CHECK(vito_tally_write(shared->database) == RT_OK);
    run_sql(shared,
            "UPDATE vito_budgets AS b SET reserved_nusd = reserved_nusd - left_nusd"
            " FROM vito_grants AS g WHERE b.tenant_id = g.tenant_id"
            " AND b.period_start_ms = g.period_start_ms AND g.state = 'open' AND g.epoch = %ld",
            epoch);
    run_sql(shared,
            "UPDATE vito_grants SET state = 'closed', granted_nusd = granted_nusd - left_nusd,"
            " left_nusd = 0 WHERE state = 'open' AND epoch = %ld",
            epoch);
}

/* The planted bug: all of a slice goes back, what open legs hold of it as well. */
static void
give_back_all(const struct sim_shared *shared, int64_t epoch)
{
    run_sql(shared,
            "UPDATE vito_budgets AS b SET reserved_nusd = reserved_nusd - left_nusd"
            " FROM vito_grants AS g WHERE b.tenant_id = g.tenant_id"
            " AND b.period_start_ms = g.period_start_ms AND g.state = 'open' AND g.epoch = %ld",
            epoch);
    run_sql(shared,
            "UPDATE vito_grants SET granted_nusd = granted_nusd - left_nusd, left_nusd = 0"
            " WHERE state = 'open' AND epoch = %ld",
            epoch);
}

/* Nothing of it can be written any more, so what it left open can be settled. */
static void
reap(struct sim_shared *shared, struct sim_lease *lease, int64_t heir)
{
    int64_t before = count_adopted(shared);
    lease->is_live = false;
    if (shared->bug == STORE_REAPS_TOO_MUCH)
        give_back_all(shared, lease->epoch);
    else
        settle_epoch(shared, lease->epoch, heir);
    shared->reaped++;
    shared->adopted += (unsigned)(count_adopted(shared) - before);
}

static void
reap_others(struct sim_shared *shared, unsigned node)
{
    uint64_t now_ns = rt_sim_now_ns(shared->clock);
    for (unsigned i = 0; i < SIM_NODES_MAX; i++) {
        struct sim_lease *lease = &shared->leases[i];
        if (i != node && lease->is_live && shared->bug != STORE_REAPS_NOBODY &&
            lease->expires_ns + SIM_GRACE_MS * RT_NS_PER_MS < now_ns)
            reap(shared, lease, shared->leases[node].epoch);
    }
}

/* Of the rooms in a list, the caller's. */
static void
keep_own(const struct sim_shared *shared, struct rt_buffer *list)
{
    uint32_t kept_bytes = 0;
    for (uint32_t at = 0; at < list->size_bytes; at += sizeof(struct vito_adopted_leg)) {
        struct vito_adopted_leg room;
        char sql[128];
        memcpy(&room, list->bytes + at, sizeof(room));
        snprintf(sql, sizeof(sql), "SELECT epoch FROM vito_usage WHERE leg_id = '%s'", room.leg.id);
        if (sim_store_query(shared->database, sql) != shared->database->epoch)
            continue;
        memcpy(list->bytes + kept_bytes, &room, sizeof(room));
        kept_bytes += (uint32_t)sizeof(room);
    }
    list->size_bytes = kept_bytes;
}

/* False when the transaction is broken. */
static bool
execute(struct sim_shared *shared, struct sim_item *item)
{
    const struct vito_request *request = &item->request;
    if (!vito_sqlite_execute(shared->database, request, &item->stored, &item->document))
        return false;
    if (request->op == VITO_LEG_LIST_ADOPTED && item->document != NULL)
        keep_own(shared, item->document);
    item->stored.budget.nodes = count_live(shared);
    sim_store_unreserve(shared->database, shared->bug, request, &item->stored);
    return true;
}

/* What other gateways hear of a request, once it took place. */
static bool
has_news(const struct sim_item *item, struct vito_news *news_out)
{
    const struct vito_request *request = &item->request;
    const struct vito_stored *stored = &item->stored;
    *news_out = (struct vito_news){.kind = VITO_NEWS_RETURNED};
    memcpy(news_out->tenant_id, request->tenant_id, sizeof(news_out->tenant_id));
    if (stored->status != RT_OK)
        return false;
    if (request->op == VITO_BUDGET_RETURN)
        return true;
    news_out->kind = VITO_NEWS_KEYS;
    if (request->op == VITO_KEY_ADD || request->op == VITO_KEY_REMOVE)
        return true;
    news_out->kind = VITO_NEWS_RECALL;
    return request->op == VITO_BUDGET_GRANT && request->budget.need_nusd > 0 &&
           stored->budget.granted_nusd == 0 && stored->budget.reserved_nusd > 0;
}

static bool
is_lost(struct sim_shared *shared, int64_t change)
{
    bool is_lost = change > 0 && shared->news_dice != NULL &&
                   rt_random_chance(shared->news_dice, shared->lost_news_per_mille);
    shared->lost_news += is_lost;
    return is_lost;
}

/* Each gateway hears of changes, who made them as well: by their numbers it knows that it did. */
static void
tell_change(struct sim_shared *shared, unsigned from, const struct vito_news *news)
{
    shared->changes++; /* such requests have a transaction to themselves */
    for (unsigned i = 0; i < SIM_NODES_MAX; i++)
        if (shared->links[i] != NULL && !is_lost(shared, shared->changes))
            sim_link_tell(shared->links[i], news, shared->changes, i == from);
}

static void
tell(struct sim_shared *shared, const struct sim_transaction *transaction)
{
    struct vito_news news;
    for (const struct sim_item *item = transaction->items; item != NULL; item = item->next) {
        if (!has_news(item, &news))
            continue;
        if (news.kind == VITO_NEWS_KEYS) {
            tell_change(shared, transaction->node, &news);
            continue;
        }
        shared->recalled += news.kind == VITO_NEWS_RECALL;
        for (unsigned i = 0; i < SIM_NODES_MAX; i++)
            if (i != transaction->node && shared->links[i] != NULL)
                sim_link_tell(shared->links[i], &news, 0, false);
    }
}

static bool
is_forgotten(const struct sim_shared *shared, const struct sim_transaction *transaction)
{
    for (const struct sim_item *item = transaction->items; item != NULL; item = item->next)
        if (sim_store_forgets(shared->bug, item->request.op, rt_sim_random(shared->clock)))
            return true;
    return false;
}

static void
carry_out_requests(struct sim_shared *shared, struct sim_transaction *transaction)
{
    struct rt_random *dice = rt_sim_random(shared->clock);
    struct sim_lease *lease = &shared->leases[transaction->node];
    bool is_whole = true;
    begin(shared, transaction->epoch);
    if (transaction->writes)
        renew(shared, lease);
    for (struct sim_item *item = transaction->items; item != NULL && is_whole; item = item->next)
        is_whole = execute(shared, item);
    if (!is_whole) { /* only a planted bug breaks one */
        CHECK(shared->bug == STORE_FENCES_NOBODY);
        vito_sqlite_rollback(shared->database);
        transaction->outcome = TRANSACTION_REFUSED;
        return;
    }
    if (transaction->may_reap)
        reap_others(shared, transaction->node);
    if (is_forgotten(shared, transaction))
        vito_sqlite_rollback(shared->database);
    else
        commit(shared);
    transaction->outcome = TRANSACTION_DONE;
    transaction->is_lost_ack = rt_random_chance(dice, shared->lost_ack_per_mille);
    if (transaction->writes)
        lease->batch = transaction->batch;
    tell(shared, transaction);
}

void
sim_shared_carry_out(struct sim_shared *shared, struct sim_transaction *transaction)
{
    const struct sim_lease *lease = &shared->leases[transaction->node];
    bool is_ours = lease->epoch == transaction->epoch && lease->is_live;
    transaction->change = shared->changes;
    switch (transaction->kind) {
    case TRANSACTION_FATE:
        transaction->outcome = is_ours ? TRANSACTION_DONE : TRANSACTION_FENCED;
        transaction->batch = lease->batch;
        break;
    case TRANSACTION_START:
        transaction->epoch = sim_shared_start(shared, transaction->node);
        transaction->outcome = TRANSACTION_DONE;
        break;
    default:
        if (transaction->writes && !is_ours && shared->bug != STORE_FENCES_NOBODY) {
            transaction->outcome = TRANSACTION_FENCED;
            shared->fenced++;
        } else if (rt_random_chance(rt_sim_random(shared->clock), shared->rollback_per_mille)) {
            transaction->outcome = TRANSACTION_REFUSED;
        } else {
            carry_out_requests(shared, transaction);
        }
        break;
    }
}

int64_t
sim_shared_start(struct sim_shared *shared, unsigned node)
{
    struct sim_lease *lease = &shared->leases[node];
    int64_t before = lease->epoch;
    lease->epoch = ++shared->last_epoch;
    begin(shared, lease->epoch);
    if (lease->is_live)
        settle_epoch(shared, before, lease->epoch);
    commit(shared);
    lease->batch = 0;
    renew(shared, lease);
    return lease->epoch;
}

void
sim_shared_end(struct sim_shared *shared, unsigned node, int64_t epoch)
{
    if (shared->leases[node].epoch == epoch)
        shared->leases[node].expires_ns = 0;
}

bool
sim_shared_is_tidy(const struct sim_shared *shared)
{
    for (unsigned i = 0; i < SIM_NODES_MAX; i++)
        if (shared->leases[i].is_live && shared->links[i] == NULL)
            return false;
    return count_adopted(shared) == 0;
}
