/*
 * What a former life left open: nobody can prove that a leg's hold was not used, so it counts as
 * spent; and what no leg held goes back to the budget.
 */
#include "vito/store/sqlite/internal.h"

static bool
begin_epoch(struct vito_sqlite *database, int64_t now_ms)
{
    if (VITO_QUERY(database, QUERY_NODE_START, vito_text(VITO_NODE), vito_i64(now_ms)) != RT_OK)
        return false;
    database->epoch = vito_column_i64(database, 0);
    return true;
}

/* RT_OK: one was settled | RT_EMPTY: none is left | RT_UNAVAILABLE. */
static enum rt_status
settle_one(struct vito_sqlite *database, int64_t now_ms)
{
    char tenant_id[VITO_TENANT_ID_BYTES];
    struct vito_leg leg = {.outcome = "recovered", .at_ms = now_ms};
    enum rt_status status =
        VITO_QUERY(database, QUERY_LEG_FIND_OPEN, vito_text(VITO_NODE), vito_i64(database->epoch));
    if (status != RT_OK)
        return status;
    vito_column_copy(database, 0, leg.id, sizeof(leg.id));
    vito_column_copy(database, 1, tenant_id, sizeof(tenant_id));
    leg.cost_nusd = vito_column_i64(database, 2);
    struct vito_stored stored = {.op = VITO_LEG_SETTLE};
    status = vito_leg_settle(database, tenant_id, &leg, &stored);
    return status == RT_OK && !stored.repeated ? RT_OK : RT_UNAVAILABLE;
}

/* Rooms at video vendors outlive us: their legs stay open, and what they hold set aside, until
 * they are ended there (actors/recovery.c). */
static bool
adopt(struct vito_sqlite *database)
{
    struct vito_value node = vito_text(VITO_NODE), epoch = vito_i64(database->epoch);
    return VITO_QUERY(database, QUERY_ADOPT_SET_ASIDE, node, epoch) == RT_EMPTY &&
           VITO_QUERY(database, QUERY_ADOPT_LOWER_STALE, node, epoch) == RT_EMPTY &&
           VITO_QUERY(database, QUERY_ADOPT_LEGS, node, epoch) == RT_EMPTY;
}

bool
vito_store_recover(struct vito_sqlite *database, int64_t now_ms)
{
    vito_tally_forget(database); /* of the life before, where it is the same database */
    if (!begin_epoch(database, now_ms) || !adopt(database))
        return false;
    enum rt_status status;
    while ((status = settle_one(database, now_ms)) == RT_OK)
        ;
    if (status != RT_EMPTY || vito_tally_write(database) != RT_OK)
        return false;
    struct vito_value node = vito_text(VITO_NODE), epoch = vito_i64(database->epoch);
    return VITO_QUERY(database, QUERY_BUDGET_UNRESERVE_STALE, node, epoch) == RT_EMPTY &&
           VITO_QUERY(database, QUERY_GRANT_CLOSE_STALE, node, epoch) == RT_EMPTY;
}
