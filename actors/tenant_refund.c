/*
 * Refunds of the month's money.
 */
#include "actors/tenant_state.h"
#include "vito/money.h"

static struct rt_buffer *
note_of(struct rt_actor *self, const struct tenant_refund *order)
{
    struct vito_audit_event event = {.event = "REFUND", .at_ms = order->refund.at_ms};
    uint8_t random[10];
    rt_random(self, random, sizeof(random));
    vito_id_make(event.id, "aud", event.at_ms, random);
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_text(writer, "caller", order->caller);
    wire_text(writer, "refund", order->refund.id);
    wire_usd(writer, "amount_usd", order->refund.amount_nusd);
    wire_text(writer, "reason", order->refund.reason);
    if (order->refund.leg_id[0] != '\0')
        wire_text(writer, "leg_id", order->refund.leg_id);
    wire_close(writer);
    struct wire_bytes json;
    if (wire_end(writer, &json) != RT_OK)
        return NULL;
    return vito_audit_note_make(&event, (const char *)json.bytes, json.size_bytes);
}

static void
refuse(struct rt_actor *self, struct rt_owed *owed, struct problem problem)
{
    struct rt_message *answer = rt_message_create(ADMIN_DONE, sizeof(struct admin_done));
    if (answer == NULL) {
        rt_owed_failed(self, owed, RT_NO_MEMORY);
        return;
    }
    *(struct admin_done *)rt_message_payload(answer) =
        (struct admin_done){.status = problem_status(&problem), .problem = problem};
    rt_owed_answer(self, owed, answer);
}

void
tenant_on_refund(struct rt_actor *self, struct tenant *tenant, struct rt_message *message)
{
    const struct tenant_refund *order = rt_message_payload(message);
    struct rt_owed *owed = rt_owe(self, message);
    if (owed == NULL)
        return;
    if (tenant->broken != PROBLEM_NONE) {
        refuse(self, owed, tenant_money_problem(tenant, tenant->broken));
        return;
    }
    struct vito_request request = {.op = VITO_REFUND,
                                   .period_start_ms = tenant->book->account.period.start_ms,
                                   .refund = order->refund};
    request.refund.at_ms = rt_wall_ms(self);
    struct tenant_refund dated = *order;
    dated.refund.at_ms = request.refund.at_ms;
    request.note = note_of(self, &dated);
    if (request.note == NULL)
        rt_owed_failed(self, owed, RT_NO_MEMORY);
    else
        tenant_submit(self, tenant, &request, TENANT_PENDING_REFUND, owed);
}

static struct problem
problem_of(const struct tenant *tenant, const struct vito_stored *stored)
{
    char posted[VITO_USD_TEXT_BYTES];
    switch (stored->status) {
    case RT_NOT_FOUND:
        return problem_make(PROBLEM_NOT_FOUND, "/leg_id is no settled leg of this twin");
    case RT_EXISTS:
        return problem_make(PROBLEM_INVALID_FIELD, "/id names another refund");
    case RT_TOO_BIG:
        return problem_make(PROBLEM_INVALID_FIELD,
                            "/amount_usd is more than was posted and not given back: at most %s of"
                            " the month, and what the leg cost",
                            vito_money_format(stored->budget.posted_nusd, posted));
    default:
        return tenant_money_problem(tenant, PROBLEM_STORE_UNAVAILABLE);
    }
}

void
tenant_on_refunded(struct rt_actor *self, struct tenant *tenant, struct rt_owed *owed,
                   const struct vito_stored *stored)
{
    if (stored->status != RT_OK) {
        refuse(self, owed, problem_of(tenant, stored));
        return;
    }
    const struct vito_news news = {.kind = VITO_NEWS_RETURNED};
    tenant_on_news(self, tenant, &news); /* who waits for money may have it now */
    tenant_ask_book(self, tenant, TENANT_PENDING_VIEW, owed);
}
