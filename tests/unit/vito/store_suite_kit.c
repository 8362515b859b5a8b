#include "tests/unit/vito/store_suite_kit.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

char suite_document[SUITE_DOCUMENT_BYTES];

uint32_t suite_document_bytes;

static void
suite_keep_document(struct rt_buffer *buffer)
{
    suite_document_bytes = 0;
    if (buffer != NULL) {
        suite_document_bytes = buffer->size_bytes;
        size_t kept = suite_document_bytes < sizeof(suite_document) ? suite_document_bytes
                                                                    : sizeof(suite_document) - 1;
        memcpy(suite_document, buffer->bytes, kept);
        suite_document[kept] = '\0';
    }
    rt_buffer_release(buffer);
}

/* One request within a transaction that somebody else began. */
struct vito_stored
suite_execute(const struct store_driver *driver, const struct vito_request *request)
{
    struct vito_stored stored;
    struct rt_buffer *answer = NULL;
    cr_assert(driver->execute(driver->self, request, &stored, &answer));
    cr_assert_eq(stored.op, request->op);
    cr_assert(stored.status == RT_OK || answer == NULL);
    rt_buffer_release(request->document);
    suite_keep_document(answer);
    return stored;
}

/* One request in a transaction of its own. */
struct vito_stored
suite_ask(const struct store_driver *driver, const struct vito_request *request)
{
    cr_assert_eq(driver->begin(driver->self), RT_OK);
    struct vito_stored stored = suite_execute(driver, request);
    cr_assert_eq(driver->commit(driver->self), RT_OK);
    return stored;
}

struct vito_request
suite_request_of(enum vito_op op, const char *tenant_id)
{
    struct vito_request request = {
        .op = op, .period_start_ms = NOVEMBER_MS, .period_end_ms = DECEMBER_MS, .at_ms = NOON_MS};
    memcpy(request.tenant_id, tenant_id, strlen(tenant_id));
    return request;
}

struct vito_stored
suite_put_tenant(const struct store_driver *driver, const char *tenant_id, const char *json)
{
    struct vito_request request = suite_request_of(VITO_TENANT_PUT, tenant_id);
    request.document = rt_buffer_copy(json, strlen(json));
    return suite_ask(driver, &request);
}

enum rt_status
suite_get(const struct store_driver *driver, enum vito_op op, const char *tenant_id)
{
    struct vito_request request = suite_request_of(op, tenant_id);
    return suite_ask(driver, &request).status;
}

struct vito_stored
suite_budget(const struct store_driver *driver, enum vito_op op, int64_t limit, int64_t need,
             int64_t want)
{
    struct vito_request request = suite_request_of(op, "cantor");
    request.budget.limit_nusd = limit;
    request.budget.need_nusd = need;
    request.budget.want_nusd = want;
    return suite_ask(driver, &request);
}

struct vito_budget
suite_open_month(const struct store_driver *driver, int64_t limit)
{
    struct vito_stored stored = suite_budget(driver, VITO_BUDGET_OPEN, limit, 0, 0);
    cr_assert_eq(stored.status, RT_OK);
    cr_assert_eq(stored.budget.limit_nusd, limit);
    return stored.budget;
}

int64_t
suite_grant(const struct store_driver *driver, int64_t need, int64_t want)
{
    struct vito_stored stored = suite_budget(driver, VITO_BUDGET_GRANT, 0, need, want);
    cr_assert_eq(stored.status, RT_OK);
    return stored.budget.granted_nusd;
}

struct vito_request
suite_leg_request(enum vito_op op, const char *id, int64_t held)
{
    struct vito_request request = suite_request_of(op, "cantor");
    struct vito_leg *leg = &request.leg;
    snprintf(leg->id, sizeof(leg->id), "leg_%s", id);
    snprintf(leg->session_id, sizeof(leg->session_id), "ses_1");
    snprintf(leg->provider_id, sizeof(leg->provider_id), "openai");
    snprintf(leg->decision_id, sizeof(leg->decision_id), "dec_1");
    snprintf(leg->policy_version, sizeof(leg->policy_version), "sha256:1234");
    leg->mode = VITO_VOICE;
    leg->held_nusd = held;
    leg->at_ms = NOON_MS;
    return request;
}

enum rt_status
suite_open_leg(const struct store_driver *driver, const char *id, int64_t held)
{
    struct vito_request request = suite_leg_request(VITO_LEG_OPEN, id, held);
    return suite_ask(driver, &request).status;
}

enum rt_status
suite_extend_leg(const struct store_driver *driver, const char *id, int64_t held)
{
    struct vito_request request = suite_leg_request(VITO_LEG_EXTEND, id, held);
    return suite_ask(driver, &request).status;
}

struct vito_stored
suite_settle_leg(const struct store_driver *driver, const char *id, int64_t cost)
{
    struct vito_request request = suite_leg_request(VITO_LEG_SETTLE, id, 0);
    request.leg.cost_nusd = cost;
    request.leg.use = (struct vito_use){.tokens = 7, .media_ms = 1500, .interactions = 1};
    request.leg.at_ms = NOON_MS + 1;
    snprintf(request.leg.outcome, sizeof(request.leg.outcome), "completed");
    return suite_ask(driver, &request);
}

/* The whole trail of "cantor" is in `suite_document`; returns how many records it has. */
int
suite_list_audit(const struct store_driver *driver)
{
    struct vito_request request = suite_request_of(VITO_AUDIT_LIST, "cantor");
    request.query.limit = 1000;
    cr_assert_eq(suite_ask(driver, &request).status, RT_OK);
    int count = 0;
    for (const char *at = suite_document; (at = strstr(at, "\"cursor\":")) != NULL; at++)
        count++;
    return count;
}
