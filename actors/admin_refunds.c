/*
 * The operators' API: refunds.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "actors/admin_state.h"
#include "runtime/text.h"
#include "vito/json.h"
#include "vito/money.h"

static bool
is_id(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t size = strlen(text);
    return size > 0 && size < VITO_REFUND_ID_BYTES && strspn(text, allowed) == size &&
           strchr("_.-", text[0]) == NULL;
}

static bool
has_no_others(const cJSON *document)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, document)
    {
        if (strcmp(member->string, "id") != 0 && strcmp(member->string, "amount_usd") != 0 &&
            strcmp(member->string, "reason") != 0 && strcmp(member->string, "leg_id") != 0)
            return false;
    }
    return true;
}

/* A text; "" when it is not there, NULL when it is something else. */
static const char *
text_of(const cJSON *document, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(document, name);
    return member == NULL ? "" : cJSON_GetStringValue(member);
}

static struct problem
read_refund(const cJSON *document, struct vito_refund *refund)
{
    const char *id = text_of(document, "id"), *amount = text_of(document, "amount_usd");
    const char *reason = text_of(document, "reason"), *leg_id = text_of(document, "leg_id");
    if (!has_no_others(document))
        return problem_make(PROBLEM_INVALID_FIELD,
                            "a refund has /id, /amount_usd, /reason, /leg_id, and nothing else");
    if (id == NULL || !is_id(id))
        return problem_make(PROBLEM_INVALID_FIELD,
                            "/id must be your name for it, ^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$:"
                            " asking again with it refunds once");
    if (amount == NULL || vito_money_parse(amount, &refund->amount_nusd) != RT_OK ||
        refund->amount_nusd <= 0)
        return problem_make(PROBLEM_INVALID_FIELD,
                            "/amount_usd must be a text like \"0.25\", more than nothing");
    if (reason == NULL || *reason == '\0' || strlen(reason) >= VITO_REFUND_REASON_BYTES)
        return problem_make(PROBLEM_INVALID_FIELD, "/reason must be a text of 1 to %d bytes",
                            VITO_REFUND_REASON_BYTES - 1);
    if (leg_id == NULL ||
        (*leg_id != '\0' && (strncmp(leg_id, "leg_", 4) != 0 || strlen(leg_id) >= VITO_ID_BYTES)))
        return problem_make(PROBLEM_INVALID_FIELD, "/leg_id must be a leg's id, leg_…");
    RT_TEXT_SET(refund->id, id);
    RT_TEXT_SET(refund->reason, reason);
    RT_TEXT_SET(refund->leg_id, leg_id);
    return problem_make(PROBLEM_NONE, NULL);
}

static struct problem
read_body(const struct rt_buffer *body, struct vito_refund *refund)
{
    cJSON *document = NULL;
    const char *what = "the body must be a JSON object";
    struct problem problem;
    *refund = (struct vito_refund){.amount_nusd = 0};
    if (vito_json_parse(body == NULL ? "" : (const char *)body->bytes,
                        body == NULL ? 0 : body->size_bytes, &document, &what) != RT_OK)
        return problem_make(PROBLEM_MALFORMED_JSON, "%s", what);
    if (!cJSON_IsObject(document) || vito_json_repeats_a_name(document))
        problem =
            problem_make(PROBLEM_MALFORMED_JSON, "the body must be a JSON object, each name once");
    else
        problem = read_refund(document, refund);
    cJSON_Delete(document);
    return problem;
}

static void
resolved_for_refund(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
                    struct rt_message *answer)
{
    const struct registry_resolved *resolved = rt_message_payload(answer);
    if (resolved->refused != PROBLEM_NONE) {
        admin_finish_refused(self, admin, operation, problem_make(resolved->refused, NULL));
        return;
    }
    struct rt_message *message = rt_message_create(TENANT_REFUND, sizeof(struct tenant_refund));
    if (message == NULL) {
        admin_finish(self, admin, operation, NULL);
        return;
    }
    struct tenant_refund *order = rt_message_payload(message);
    order->refund = operation->refund;
    RT_TEXT_SET(order->caller, admin_caller_name(&operation->caller));
    operation->next = admin_pass_on;
    rt_request(self, resolved->address, message, operation->id);
}

void
admin_refund(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    struct vito_refund refund;
    struct problem problem = read_body(call->message->buffer, &refund);
    if (problem.reason != PROBLEM_NONE) {
        admin_refuse(self, call, problem);
        return;
    }
    struct admin_operation *operation = admin_begin(self, admin, call);
    if (operation == NULL)
        return;
    operation->refund = refund;
    operation->next = resolved_for_refund;
    admin_resolve_tenant(self, admin, operation);
}
