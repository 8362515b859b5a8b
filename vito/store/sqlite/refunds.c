/*
 * Refunds: entries of their own that lower what a month has posted.
 */
#include <string.h>

#include "vito/store/sqlite/internal.h"

/* Whether it is there: RT_OK (the same) | RT_EXISTS (another one) | RT_EMPTY | RT_UNAVAILABLE. */
static enum rt_status
find(struct vito_sqlite *database, const struct vito_request *request, int64_t *period_out)
{
    const struct vito_refund *refund = &request->refund;
    enum rt_status status = VITO_QUERY(database, QUERY_REFUND_GET, vito_text(request->tenant_id),
                                       vito_text(refund->id));
    if (status != RT_OK)
        return status == RT_EMPTY ? status : RT_UNAVAILABLE;
    *period_out = vito_column_i64(database, 0);
    bool is_same = strcmp(vito_column_text(database, 1), refund->leg_id) == 0 &&
                   vito_column_i64(database, 2) == refund->amount_nusd &&
                   strcmp(vito_column_text(database, 3), refund->reason) == 0;
    return is_same ? RT_OK : RT_EXISTS;
}

/* What the leg has cost and nobody was given back, and its month; unlimited without a leg. */
static enum rt_status
read_leg(struct vito_sqlite *database, const struct vito_request *request, int64_t *period_out,
         int64_t *room_out)
{
    *period_out = request->period_start_ms;
    *room_out = INT64_MAX;
    if (*request->refund.leg_id == '\0')
        return RT_OK;
    enum rt_status status = VITO_QUERY(database, QUERY_REFUND_OF_LEG, vito_text(request->tenant_id),
                                       vito_text(request->refund.leg_id));
    if (status != RT_OK)
        return status == RT_EMPTY ? RT_NOT_FOUND : RT_UNAVAILABLE;
    *period_out = vito_column_i64(database, 0);
    *room_out = vito_column_i64(database, 1);
    return RT_OK;
}

/* The month's figures, and at most *room of it that may be given back. */
static enum rt_status
read_month(struct vito_sqlite *database, const char *tenant_id, int64_t period_start_ms,
           struct vito_budget *budget_out, int64_t *room)
{
    enum rt_status status =
        VITO_QUERY(database, QUERY_REFUND_ROOM, vito_text(tenant_id), vito_i64(period_start_ms));
    if (status != RT_OK)
        return status == RT_EMPTY ? RT_NOT_FOUND : RT_UNAVAILABLE;
    *budget_out = vito_budget_of_row(database);
    budget_out->refunded_nusd = vito_column_i64(database, 8);
    int64_t posted = vito_column_i64(database, 9);
    if (posted < *room)
        *room = posted;
    return RT_OK;
}

static enum rt_status
post(struct vito_sqlite *database, const struct vito_request *request, int64_t period_start_ms,
     struct vito_budget *budget_out)
{
    const struct vito_refund *refund = &request->refund;
    struct vito_value tenant_id = vito_text(request->tenant_id), start = vito_i64(period_start_ms);
    if (VITO_QUERY(database, QUERY_REFUND_ADD, tenant_id, vito_text(refund->id), start,
                   vito_text(refund->leg_id), vito_i64(refund->amount_nusd),
                   vito_text(refund->reason), vito_i64(refund->at_ms)) != RT_EMPTY ||
        VITO_QUERY(database, QUERY_REFUND_POST, tenant_id, start, vito_i64(refund->amount_nusd)) !=
            RT_OK)
        return RT_UNAVAILABLE;
    *budget_out = vito_budget_of_row(database);
    budget_out->refunded_nusd = vito_column_i64(database, 8);
    return RT_OK;
}

enum rt_status
vito_handle_refund(struct vito_sqlite *database, const struct vito_request *request,
                   struct vito_answer *answer)
{
    const struct vito_refund *refund = &request->refund;
    struct vito_budget *budget = &answer->stored.budget;
    int64_t period_start_ms, room = INT64_MAX;
    if (refund->amount_nusd <= 0 || *refund->id == '\0' || *refund->reason == '\0')
        return RT_INVALID;
    enum rt_status status = find(database, request, &period_start_ms);
    if (status == RT_OK) {
        answer->stored.repeated = true;
        return read_month(database, request->tenant_id, period_start_ms, budget, &room);
    }
    if (status != RT_EMPTY)
        return status;
    status = read_leg(database, request, &period_start_ms, &room);
    if (status == RT_OK)
        status = read_month(database, request->tenant_id, period_start_ms, budget, &room);
    if (status == RT_OK && refund->amount_nusd > room)
        status = RT_TOO_BIG;
    return status == RT_OK ? post(database, request, period_start_ms, budget) : status;
}
