/*
 * Budgets, and the money moved from them to this gateway.
 */
#include "vito/store/sqlite/internal.h"

struct vito_budget
vito_budget_of_row(const struct vito_sqlite *database)
{
    return (struct vito_budget){
        .limit_nusd = vito_column_i64(database, 0),
        .posted_nusd = vito_column_i64(database, 1),
        .reserved_nusd = vito_column_i64(database, 2),
        .tokens = vito_column_i64(database, 3),
        .interactions = vito_column_i64(database, 4),
        .media_ms = {[VITO_TEXT] = vito_column_i64(database, 5),
                     [VITO_VOICE] = vito_column_i64(database, 6),
                     [VITO_VIDEO] = vito_column_i64(database, 7)},
    };
}

enum rt_status
vito_budget_read(struct vito_sqlite *database, const char *tenant_id, int64_t period_start_ms,
                 struct vito_budget *budget_out)
{
    enum rt_status status =
        VITO_QUERY(database, QUERY_BUDGET_READ, vito_text(tenant_id), vito_i64(period_start_ms));
    if (status == RT_OK)
        *budget_out = vito_budget_of_row(database);
    return status == RT_EMPTY ? RT_NOT_FOUND : status;
}

/* What is ours of the month and no open leg holds. RT_OK | RT_UNAVAILABLE. */
static enum rt_status
read_free(struct vito_sqlite *database, const struct vito_request *request, int64_t *free_out)
{
    enum rt_status status = VITO_QUERY(
        database, QUERY_GRANT_READ_FREE, vito_text(request->tenant_id),
        vito_i64(request->period_start_ms), vito_text(VITO_NODE), vito_i64(database->epoch));
    *free_out = status == RT_OK ? vito_column_i64(database, 0) : 0;
    if (*free_out < 0)
        *free_out = 0; /* a leg cost more than was held, and ate into what others hold */
    return status == RT_OK || status == RT_EMPTY ? RT_OK : RT_UNAVAILABLE;
}

enum rt_status
vito_handle_budget_open(struct vito_sqlite *database, const struct vito_request *request,
                        struct vito_answer *answer)
{
    struct vito_value tenant_id = vito_text(request->tenant_id);
    struct vito_value start = vito_i64(request->period_start_ms);
    struct vito_value end = vito_i64(request->period_end_ms);
    enum rt_status status = VITO_QUERY(database, QUERY_BUDGET_OPEN, tenant_id, start, end,
                                       vito_i64(request->budget.limit_nusd));
    if (status != RT_OK)
        return status;
    answer->stored.budget = vito_budget_of_row(database);
    answer->stored.budget.refunded_nusd = vito_column_i64(database, 8);
    answer->stored.budget.life = database->epoch;
    answer->stored.budget.nodes = 1;
    if (VITO_QUERY(database, QUERY_BUDGET_FREEZE_OTHERS, tenant_id, start, end) != RT_EMPTY)
        return RT_UNAVAILABLE;
    return read_free(database, request, &answer->stored.budget.slice_nusd);
}

/* Moves money between the budget and this gateway's grant; back when `amount_nusd` < 0. */
static enum rt_status
move(struct vito_sqlite *database, const struct vito_request *request, int64_t amount_nusd,
     struct vito_answer *answer)
{
    struct vito_value tenant_id = vito_text(request->tenant_id);
    struct vito_value start = vito_i64(request->period_start_ms);
    enum rt_status status =
        VITO_QUERY(database, QUERY_BUDGET_RESERVE, tenant_id, start, vito_i64(amount_nusd));
    if (status != RT_OK)
        return RT_UNAVAILABLE;
    answer->stored.budget = vito_budget_of_row(database);
    if (amount_nusd > 0)
        status = VITO_QUERY(database, QUERY_GRANT_ADD, tenant_id, start, vito_text(VITO_NODE),
                            vito_i64(database->epoch), vito_i64(amount_nusd));
    else
        status = VITO_QUERY(database, QUERY_GRANT_LOWER, tenant_id, start, vito_text(VITO_NODE),
                            vito_i64(database->epoch), vito_i64(0), vito_i64(-amount_nusd));
    return status == RT_EMPTY ? RT_OK : RT_UNAVAILABLE;
}

enum rt_status
vito_handle_budget_grant(struct vito_sqlite *database, const struct vito_request *request,
                         struct vito_answer *answer)
{
    struct vito_budget *budget = &answer->stored.budget;
    int64_t need = request->budget.need_nusd, want = request->budget.want_nusd;
    enum rt_status status =
        vito_budget_read(database, request->tenant_id, request->period_start_ms, budget);
    if (status != RT_OK)
        return status;
    int64_t left = budget->limit_nusd - budget->posted_nusd - budget->reserved_nusd;
    int64_t granted = want > need ? want : need;
    if (granted > left)
        granted = left;
    if (granted >= need && granted > 0) {
        status = move(database, request, granted, answer);
        budget->granted_nusd = granted;
    }
    budget->life = database->epoch;
    budget->nodes = 1;
    return status;
}

enum rt_status
vito_handle_budget_return(struct vito_sqlite *database, const struct vito_request *request,
                          struct vito_answer *answer)
{
    int64_t left;
    if (read_free(database, request, &left) != RT_OK)
        return RT_UNAVAILABLE;
    int64_t returned = request->budget.want_nusd < left ? request->budget.want_nusd : left;
    if (returned > 0)
        return move(database, request, -returned, answer);
    return vito_budget_read(database, request->tenant_id, request->period_start_ms,
                            &answer->stored.budget);
}
