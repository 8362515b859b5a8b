/*
 * Refunds: entries of their own that lower what a month has posted.
 */
#include <string.h>

#include "vito/store/postgres/internal.h"

/* What is known before a refund: results of one exchange. */
struct known {
    unsigned month, same, leg;
};

static const char *
text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* A leg counts in its own month. */
static enum vito_pg_outcome
find_month(struct vito_postgres *database, struct vito_pg_item *item, int64_t *period_out)
{
    const struct vito_request *request = item->request;
    struct vito_pg_arguments arguments = {0};
    *period_out = request->period_start_ms;
    vito_pg_add_text(&arguments, request->tenant_id);
    vito_pg_add_text(&arguments, request->refund.id);
    vito_pg_add_text(&arguments, request->refund.leg_id);
    unsigned result = vito_pg_send(&database->link, VITO_PG_REFUND_MONTH, &arguments);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome == VITO_PG_DONE && vito_pg_rows(&database->link, result) > 0)
        *period_out = vito_pg_i64(&database->link, result, 0, 0);
    return outcome;
}

/* The month, locked, and what there is of the refund and of its leg from then on. */
static enum vito_pg_outcome
look(struct vito_postgres *database, const struct vito_request *request, int64_t period_start_ms,
     struct known *known_out)
{
    struct vito_pg_arguments month = {0}, same = {0}, leg = {0};
    vito_pg_add_text(&month, request->tenant_id);
    vito_pg_add_i64(&month, period_start_ms);
    known_out->month = vito_pg_send(&database->link, VITO_PG_REFUND_ROOM, &month);
    vito_pg_add_text(&same, request->tenant_id);
    vito_pg_add_text(&same, request->refund.id);
    known_out->same = vito_pg_send(&database->link, VITO_PG_REFUND_GET, &same);
    vito_pg_add_text(&leg, request->tenant_id);
    vito_pg_add_text(&leg, request->refund.leg_id);
    known_out->leg = vito_pg_send(&database->link, VITO_PG_REFUND_OF_LEG, &leg);
    return vito_pg_exchange(database);
}

/* Whether there may be such a refund. */
static enum rt_status
judge(const struct vito_pg_link *link, const struct known *known, const struct vito_refund *refund,
      struct vito_stored *stored)
{
    if (vito_pg_rows(link, known->month) > 0) {
        stored->budget = vito_pg_figures(link, known->month, 0);
        stored->budget.refunded_nusd = vito_pg_i64(link, known->month, 0, 8);
    }
    if (vito_pg_rows(link, known->same) > 0) {
        stored->repeated =
            strcmp(text_or_empty(vito_pg_text(link, known->same, 0, 0)), refund->leg_id) == 0 &&
            vito_pg_i64(link, known->same, 0, 1) == refund->amount_nusd &&
            strcmp(vito_pg_text(link, known->same, 0, 2), refund->reason) == 0;
        return stored->repeated ? RT_OK : RT_EXISTS;
    }
    bool has_leg = refund->leg_id[0] != '\0';
    if (vito_pg_rows(link, known->month) == 0 || (has_leg && vito_pg_rows(link, known->leg) == 0))
        return RT_NOT_FOUND;
    if (refund->amount_nusd > vito_pg_i64(link, known->month, 0, 9) ||
        (has_leg && refund->amount_nusd > vito_pg_i64(link, known->leg, 0, 0)))
        return RT_TOO_BIG;
    return RT_OK;
}

static enum vito_pg_outcome
post(struct vito_postgres *database, struct vito_pg_item *item, int64_t period_start_ms)
{
    const struct vito_request *request = item->request;
    const struct vito_refund *refund = &request->refund;
    struct vito_pg_arguments add = {0}, month = {0};
    vito_pg_add_text(&add, request->tenant_id);
    vito_pg_add_text(&add, refund->id);
    vito_pg_add_i64(&add, period_start_ms);
    vito_pg_add_text(&add, refund->leg_id);
    vito_pg_add_i64(&add, refund->amount_nusd);
    vito_pg_add_text(&add, refund->reason);
    vito_pg_add_i64(&add, refund->at_ms);
    vito_pg_send(&database->link, VITO_PG_REFUND_ADD, &add);
    vito_pg_add_text(&month, request->tenant_id);
    vito_pg_add_i64(&month, period_start_ms);
    vito_pg_add_i64(&month, refund->amount_nusd);
    unsigned posted = vito_pg_send(&database->link, VITO_PG_REFUND_POST, &month);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome != VITO_PG_DONE)
        return outcome;
    item->stored.budget = vito_pg_figures(&database->link, posted, 0);
    item->stored.budget.refunded_nusd = vito_pg_i64(&database->link, posted, 0, 8);
    vito_pg_tell(database, VITO_NEWS_REFUNDED, request->tenant_id);
    return outcome;
}

enum vito_pg_outcome
vito_pg_refund(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct vito_refund *refund = &item->request->refund;
    int64_t period_start_ms;
    struct known known;
    if (refund->amount_nusd <= 0 || refund->id[0] == '\0' || refund->reason[0] == '\0') {
        item->stored.status = RT_INVALID;
        return vito_pg_exchange(database);
    }
    enum vito_pg_outcome outcome = find_month(database, item, &period_start_ms);
    if (outcome == VITO_PG_DONE)
        outcome = look(database, item->request, period_start_ms, &known);
    if (outcome != VITO_PG_DONE)
        return outcome;
    item->stored.status = judge(&database->link, &known, refund, &item->stored);
    if (item->stored.status != RT_OK || item->stored.repeated)
        return outcome;
    return post(database, item, period_start_ms);
}
