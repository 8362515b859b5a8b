/*
 * Vendor legs: the intent, what is held, and the settlement.
 */
#include <string.h>

#include "runtime/text.h"
#include "vito/audit_chain.h"
#include "vito/store/settlement.h"
#include "vito/store/sqlite/internal.h"

/* What its settlement would read. */
static void
keep_row(struct vito_sqlite *database, const struct vito_request *request)
{
    const struct vito_leg *leg = &request->leg;
    struct vito_leg_row row = {.is_open = true,
                               .period_start_ms = request->period_start_ms,
                               .epoch = database->epoch,
                               .held_nusd = leg->held_nusd,
                               .mode = leg->mode};
    RT_TEXT_SET(row.session_id, leg->session_id);
    RT_TEXT_SET(row.provider_id, leg->provider_id);
    RT_TEXT_SET(row.decision_id, leg->decision_id);
    RT_TEXT_SET(row.policy_version, leg->policy_version);
    vito_tally_keep_leg(database, request->tenant_id, leg->id, &row);
}

enum rt_status
vito_handle_leg_open(struct vito_sqlite *database, const struct vito_request *request,
                     struct vito_answer *answer)
{
    (void)answer;
    const struct vito_leg *leg = &request->leg;
    if (request->life != 0 && request->life != database->epoch)
        return RT_DENIED;
    enum rt_status status = VITO_QUERY(
        database, QUERY_LEG_OPEN, vito_text(leg->id), vito_text(request->tenant_id),
        vito_i64(request->period_start_ms), vito_text(VITO_NODE), vito_i64(database->epoch),
        vito_text(leg->session_id), vito_text(leg->provider_id), vito_text(leg->decision_id),
        vito_text(leg->policy_version), vito_text(vito_mode_name(leg->mode)),
        vito_i64(leg->held_nusd), vito_i64(leg->at_ms));
    if (status != RT_EMPTY)
        return status;
    keep_row(database, request);
    return RT_OK;
}

enum rt_status
vito_handle_leg_extend(struct vito_sqlite *database, const struct vito_request *request,
                       struct vito_answer *answer)
{
    (void)answer;
    struct vito_leg_row before;
    (void)vito_tally_take_leg(database, request->tenant_id, request->leg.id, &before);
    enum rt_status status =
        VITO_QUERY(database, QUERY_LEG_EXTEND, vito_text(request->leg.id),
                   vito_text(request->tenant_id), vito_i64(request->leg.held_nusd));
    if (status != RT_EMPTY)
        return status;
    return vito_query_changes(database) > 0 ? RT_OK : RT_NOT_FOUND;
}

enum rt_status
vito_handle_leg_ref(struct vito_sqlite *database, const struct vito_request *request,
                    struct vito_answer *answer)
{
    (void)answer;
    if (!vito_vendor_ref_is_valid(request->document))
        return RT_INVALID;
    enum rt_status status = VITO_QUERY(
        database, QUERY_LEG_REF, vito_text(request->leg.id), vito_text(request->tenant_id),
        vito_blob(request->document->bytes, request->document->size_bytes));
    if (status != RT_EMPTY)
        return status;
    return vito_query_changes(database) > 0 ? RT_OK : RT_NOT_FOUND;
}

static enum rt_status
read_row(struct vito_sqlite *database, const char *tenant_id, const char *leg_id,
         struct vito_leg_row *row_out)
{
    if (vito_tally_take_leg(database, tenant_id, leg_id, row_out))
        return RT_OK;
    enum rt_status status =
        VITO_QUERY(database, QUERY_LEG_READ, vito_text(leg_id), vito_text(tenant_id));
    if (status != RT_OK)
        return status == RT_EMPTY ? RT_NOT_FOUND : status;
    row_out->is_open = strcmp(vito_column_text(database, 0), "open") == 0;
    row_out->period_start_ms = vito_column_i64(database, 1);
    row_out->epoch = vito_column_i64(database, 2);
    vito_column_copy(database, 3, row_out->session_id, sizeof(row_out->session_id));
    vito_column_copy(database, 4, row_out->provider_id, sizeof(row_out->provider_id));
    vito_column_copy(database, 5, row_out->decision_id, sizeof(row_out->decision_id));
    vito_column_copy(database, 6, row_out->policy_version, sizeof(row_out->policy_version));
    row_out->mode = vito_mode_of(vito_column_text(database, 7));
    row_out->held_nusd = vito_column_i64(database, 8);
    row_out->is_adopted = vito_column_i64(database, 9) != 0;
    row_out->cost_nusd = vito_column_i64(database, 10);
    return RT_OK;
}

static enum rt_status
add_record(struct vito_sqlite *database, const char *tenant_id, const struct vito_leg_row *row,
           const struct vito_leg *leg)
{
    const struct vito_audit_record record = {
        .id = leg->id,
        .tenant_id = tenant_id,
        .event = "BILLING_EVENT",
        .session_id = row->session_id,
        .at_ms = leg->at_ms,
        .is_leg = true,
        .provider_id = row->provider_id,
        .decision_id = row->decision_id,
        .policy_version = row->policy_version,
        .mode = vito_mode_name(row->mode),
        .outcome = leg->outcome,
        .cost_nusd = leg->cost_nusd,
        .tokens = leg->use.tokens,
        .media_ms = leg->use.media_ms,
        .interactions = leg->use.interactions,
    };
    return vito_audit_add(database, &record);
}

/* Each step can only fail by breaking the transaction, so all of it happens or nothing. */
static enum rt_status
settle_open(struct vito_sqlite *database, const char *tenant_id, const struct vito_leg_row *row,
            const struct vito_leg *leg, struct vito_budget *budget_out)
{
    struct vito_tally_month *month;
    if (vito_tally_month(database, tenant_id, row->period_start_ms, row->epoch, &month) != RT_OK)
        return RT_UNAVAILABLE;
    struct vito_settlement settlement =
        vito_settlement_of(leg->cost_nusd, month->left_nusd, row->is_adopted, row->held_nusd);
    month->left_nusd -= settlement.paid_nusd + settlement.returned_nusd;
    month->paid_nusd += settlement.paid_nusd;
    month->returned_nusd += settlement.returned_nusd;
    vito_settlement_post(&settlement, leg, row->mode, &month->budget);
    *budget_out = month->budget;
    if (VITO_QUERY(database, QUERY_LEG_SETTLE, vito_text(leg->id), vito_i64(leg->at_ms),
                   vito_text(leg->outcome), vito_i64(leg->cost_nusd),
                   vito_i64(leg->cost_nusd - settlement.paid_nusd), vito_i64(leg->use.tokens),
                   vito_i64(leg->use.media_ms), vito_i64(leg->use.interactions)) != RT_EMPTY ||
        vito_query_changes(database) != 1)
        return RT_UNAVAILABLE;
    return add_record(database, tenant_id, row, leg) == RT_EMPTY ? RT_OK : RT_UNAVAILABLE;
}

enum rt_status
vito_leg_settle(struct vito_sqlite *database, const char *tenant_id, const struct vito_leg *leg,
                struct vito_stored *stored)
{
    struct vito_leg_row row;
    enum rt_status status = read_row(database, tenant_id, leg->id, &row);
    if (status != RT_OK)
        return status;
    if (!row.is_open) {
        stored->repeated = true;
        stored->cost_nusd = row.cost_nusd;
        if (vito_tally_write(database) != RT_OK)
            return RT_UNAVAILABLE;
        return vito_budget_read(database, tenant_id, row.period_start_ms, &stored->budget);
    }
    struct vito_leg bounded_leg = *leg;
    vito_settlement_bound(&bounded_leg);
    stored->cost_nusd = bounded_leg.cost_nusd;
    return settle_open(database, tenant_id, &row, &bounded_leg, &stored->budget);
}

enum rt_status
vito_handle_leg_settle(struct vito_sqlite *database, const struct vito_request *request,
                       struct vito_answer *answer)
{
    enum rt_status status =
        vito_leg_settle(database, request->tenant_id, &request->leg, &answer->stored);
    if (status == RT_OK && request->document != NULL &&
        vito_turn_end(database, request) == RT_UNAVAILABLE)
        return RT_UNAVAILABLE; /* both, or neither */
    return status;
}

static struct vito_open_leg
open_leg_of_row(const struct vito_sqlite *database)
{
    struct vito_open_leg leg = {.mode = vito_mode_of(vito_column_text(database, 2)),
                                .held_nusd = vito_column_i64(database, 3),
                                .period_start_ms = vito_column_i64(database, 4)};
    vito_column_copy(database, 0, leg.id, sizeof(leg.id));
    vito_column_copy(database, 1, leg.provider_id, sizeof(leg.provider_id));
    return leg;
}

enum rt_status
vito_handle_leg_list(struct vito_sqlite *database, const struct vito_request *request,
                     struct vito_answer *answer)
{
    struct rt_buffer *list = rt_buffer_create(VITO_OPEN_LEGS_MAX * sizeof(struct vito_open_leg));
    answer->document = list;
    if (list == NULL)
        return RT_NO_MEMORY;
    list->size_bytes = 0;
    enum rt_status status =
        VITO_QUERY(database, QUERY_LEG_LIST, vito_text(request->tenant_id), vito_text(VITO_NODE),
                   vito_i64(database->epoch), vito_i64(VITO_OPEN_LEGS_MAX));
    for (; status == RT_OK; status = vito_query_next(database)) {
        struct vito_open_leg leg = open_leg_of_row(database);
        memcpy(list->bytes + list->size_bytes, &leg, sizeof(leg));
        list->size_bytes += (uint32_t)sizeof(leg);
    }
    return status == RT_EMPTY ? RT_OK : status;
}

static void
read_adopted(const struct vito_sqlite *database, struct vito_adopted_leg *adopted)
{
    *adopted = (struct vito_adopted_leg){
        .period = {vito_column_i64(database, 6), vito_column_i64(database, 7)},
        .limit_nusd = vito_column_i64(database, 8),
        .leg = {.mode = vito_mode_of(vito_column_text(database, 3)),
                .held_nusd = vito_column_i64(database, 4),
                .at_ms = vito_column_i64(database, 5)},
    };
    vito_column_copy(database, 0, adopted->leg.id, sizeof(adopted->leg.id));
    vito_column_copy(database, 1, adopted->tenant_id, sizeof(adopted->tenant_id));
    vito_column_copy(database, 2, adopted->leg.provider_id, sizeof(adopted->leg.provider_id));
    vito_column_copy(database, 9, adopted->vendor_ref, sizeof(adopted->vendor_ref));
}

enum rt_status
vito_handle_leg_list_adopted(struct vito_sqlite *database, const struct vito_request *request,
                             struct vito_answer *answer)
{
    (void)request;
    enum rt_status status = VITO_QUERY(database, QUERY_LEG_COUNT_ADOPTED, vito_text(VITO_NODE));
    if (status != RT_OK)
        return status;
    size_t size_bytes = (size_t)vito_column_i64(database, 0) * sizeof(struct vito_adopted_leg);
    if (size_bytes > RT_BUFFER_BYTES_MAX)
        size_bytes = RT_BUFFER_BYTES_MAX; /* the rest at the next start */
    struct rt_buffer *list = answer->document = rt_buffer_create(size_bytes);
    if (list == NULL)
        return RT_NO_MEMORY;
    list->size_bytes = 0;
    status = VITO_QUERY(database, QUERY_LEG_LIST_ADOPTED, vito_text(VITO_NODE));
    for (; status == RT_OK; status = vito_query_next(database)) {
        struct vito_adopted_leg adopted;
        if (list->size_bytes + sizeof(adopted) > size_bytes)
            return RT_OK;
        read_adopted(database, &adopted);
        memcpy(list->bytes + list->size_bytes, &adopted, sizeof(adopted));
        list->size_bytes += (uint32_t)sizeof(adopted);
    }
    return status == RT_EMPTY ? RT_OK : status;
}
