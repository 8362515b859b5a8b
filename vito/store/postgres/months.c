/*
 * A tenant's month: made, limited, and given back to.
 */
#include "vito/store/postgres/internal.h"

static void
add_month(struct vito_pg_arguments *arguments, const struct vito_request *request)
{
    vito_pg_add_text(arguments, request->tenant_id);
    vito_pg_add_i64(arguments, request->period_start_ms);
}

/* Asks what is ours of the month and no open leg holds. */
static unsigned
send_free(struct vito_postgres *database, const struct vito_request *request)
{
    struct vito_pg_arguments arguments = {0};
    add_month(&arguments, request);
    vito_pg_add_text(&arguments, database->node);
    vito_pg_add_i64(&arguments, database->epoch);
    return vito_pg_send(&database->link, VITO_PG_GRANT_FREE, &arguments);
}

static int64_t
read_free(const struct vito_postgres *database, unsigned result)
{
    if (vito_pg_rows(&database->link, result) == 0)
        return 0;
    int64_t left = vito_pg_i64(&database->link, result, 0, 0);
    return left > 0 ? left : 0; /* a leg that cost more than was held ate into what others hold */
}

enum vito_pg_outcome
vito_pg_budget_open(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct vito_request *request = item->request;
    struct vito_pg_arguments arguments = {0};
    add_month(&arguments, request);
    vito_pg_add_i64(&arguments, request->period_end_ms);
    vito_pg_add_i64(&arguments, request->budget.limit_nusd);
    unsigned opened = vito_pg_send(&database->link, VITO_PG_BUDGET_OPEN, &arguments);
    arguments.count--;
    vito_pg_send(&database->link, VITO_PG_BUDGET_FREEZE_OTHERS, &arguments);
    unsigned left = send_free(database, request);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome != VITO_PG_DONE)
        return outcome;
    item->stored.budget = vito_pg_figures(&database->link, opened, 0);
    item->stored.budget.refunded_nusd = vito_pg_i64(&database->link, opened, 0, 8);
    item->stored.budget.slice_nusd = read_free(database, left);
    item->stored.budget.life = database->epoch;
    item->stored.budget.nodes = (uint32_t)database->nodes_live;
    return VITO_PG_DONE;
}

static enum vito_pg_outcome
give_back(struct vito_postgres *database, struct vito_pg_item *item, int64_t amount_nusd)
{
    const struct vito_request *request = item->request;
    struct vito_pg_arguments budget = {0}, grant = {0};
    add_month(&budget, request);
    vito_pg_add_i64(&budget, amount_nusd);
    unsigned result = vito_pg_send(&database->link, VITO_PG_BUDGET_RETURN, &budget);
    add_month(&grant, request);
    vito_pg_add_text(&grant, database->node);
    vito_pg_add_i64(&grant, database->epoch);
    vito_pg_add_i64(&grant, amount_nusd);
    vito_pg_send(&database->link, VITO_PG_GRANT_RETURN, &grant);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome == VITO_PG_DONE)
        item->stored.budget = vito_pg_figures(&database->link, result, 0);
    vito_pg_tell(database, VITO_NEWS_RETURNED, request->tenant_id);
    return outcome;
}

enum vito_pg_outcome
vito_pg_budget_return(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct vito_request *request = item->request;
    struct vito_pg_arguments arguments = {0};
    add_month(&arguments, request);
    unsigned month = vito_pg_send(&database->link, VITO_PG_BUDGET_LOCK, &arguments);
    unsigned left = send_free(database, request);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome != VITO_PG_DONE)
        return outcome;
    if (vito_pg_rows(&database->link, month) == 0) {
        item->stored.status = RT_NOT_FOUND;
        return VITO_PG_DONE;
    }
    item->stored.budget = vito_pg_figures(&database->link, month, 0);
    int64_t amount = read_free(database, left);
    if (request->budget.want_nusd < amount)
        amount = request->budget.want_nusd;
    return amount > 0 ? give_back(database, item, amount) : VITO_PG_DONE;
}
