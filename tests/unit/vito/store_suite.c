#include "tests/unit/vito/store_suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "runtime/random.h"
#include "vito/money.h"

#define NOVEMBER_MS INT64_C(1793491200000) /* 1 November 2026, in UTC */
#define DECEMBER_MS INT64_C(1796083200000)
#define NOON_MS (NOVEMBER_MS + 20 * INT64_C(86400000) + 12 * INT64_C(3600000))

/* The answer's document of the last request, as a text; cut when it is longer. */
static char document[1 << 20];
static uint32_t document_bytes;

static void
keep_document(struct rt_buffer *buffer)
{
    document_bytes = 0;
    if (buffer != NULL) {
        document_bytes = buffer->size_bytes;
        size_t kept = document_bytes < sizeof(document) ? document_bytes : sizeof(document) - 1;
        memcpy(document, buffer->bytes, kept);
        document[kept] = '\0';
    }
    rt_buffer_release(buffer);
}

/* One request within a transaction that somebody else began. */
static struct vito_stored
execute(const struct store_driver *driver, const struct vito_request *request)
{
    struct vito_stored stored;
    struct rt_buffer *answer = NULL;
    cr_assert(driver->execute(driver->self, request, &stored, &answer));
    cr_assert_eq(stored.op, request->op);
    cr_assert(stored.status == RT_OK || answer == NULL);
    rt_buffer_release(request->document);
    keep_document(answer);
    return stored;
}

/* One request in a transaction of its own. */
static struct vito_stored
ask(const struct store_driver *driver, const struct vito_request *request)
{
    cr_assert_eq(driver->begin(driver->self), RT_OK);
    struct vito_stored stored = execute(driver, request);
    cr_assert_eq(driver->commit(driver->self), RT_OK);
    return stored;
}

static struct vito_request
request_of(enum vito_op op, const char *tenant_id)
{
    struct vito_request request = {
        .op = op, .period_start_ms = NOVEMBER_MS, .period_end_ms = DECEMBER_MS, .at_ms = NOON_MS};
    memcpy(request.tenant_id, tenant_id, strlen(tenant_id));
    return request;
}

static struct vito_stored
put_tenant(const struct store_driver *driver, const char *tenant_id, const char *json)
{
    struct vito_request request = request_of(VITO_TENANT_PUT, tenant_id);
    request.document = rt_buffer_copy(json, strlen(json));
    return ask(driver, &request);
}

static enum rt_status
get(const struct store_driver *driver, enum vito_op op, const char *tenant_id)
{
    struct vito_request request = request_of(op, tenant_id);
    return ask(driver, &request).status;
}

void
store_suite_a_tenant_is_made_read_replaced_and_removed(const struct store_driver *driver)
{
    cr_assert_eq(get(driver, VITO_TENANT_GET, "cantor"), RT_NOT_FOUND);
    struct vito_stored stored = put_tenant(driver, "cantor", "{\"display_name\": \"Andrés\"}");
    cr_assert_eq(stored.status, RT_OK);
    cr_assert(stored.created);
    cr_assert_eq(get(driver, VITO_TENANT_GET, "cantor"), RT_OK);
    cr_assert_str_eq(document, "{\"display_name\": \"Andrés\"}", "word for word");

    stored = put_tenant(driver, "cantor", "{\"policy_config\":{\"timezone\":\"UTC\"}}");
    cr_assert_eq(stored.status, RT_OK);
    cr_assert_not(stored.created);
    get(driver, VITO_TENANT_GET, "cantor");
    cr_assert_str_eq(document, "{\"policy_config\":{\"timezone\":\"UTC\"}}");

    cr_assert_eq(get(driver, VITO_TENANT_REMOVE, "cantor"), RT_OK);
    cr_assert_eq(get(driver, VITO_TENANT_GET, "cantor"), RT_NOT_FOUND);
    cr_assert_eq(get(driver, VITO_TENANT_REMOVE, "cantor"), RT_NOT_FOUND);
    cr_assert(put_tenant(driver, "cantor", "{}").created, "as if it had never been");
}

void
store_suite_tenants_are_listed_by_id(const struct store_driver *driver)
{
    cr_assert_eq(get(driver, VITO_TENANT_LIST, ""), RT_OK);
    cr_assert_str_eq(document, "[]");
    put_tenant(driver, "b", "{\"display_name\":\"Bo \\\"B\\\"\",\"policy\":\"cantor\"}");
    put_tenant(driver, "a", "{\"policy\":\"default\"}");
    get(driver, VITO_TENANT_LIST, "");
    cr_assert_str_eq(document,
                     "[{\"id\":\"a\",\"display_name\":null,\"policy\":\"default\"},"
                     "{\"id\":\"b\",\"display_name\":\"Bo \\\"B\\\"\",\"policy\":\"cantor\"}]");
}

void
store_suite_a_tenant_that_is_no_json_object_is_refused(const struct store_driver *driver)
{
    static const char *const wrong[] = {"", "{", "[]", "1", "\"x\"", "null", "{\"a\":}"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_eq(put_tenant(driver, "cantor", wrong[i]).status, RT_INVALID, "%s", wrong[i]);
    cr_assert_eq(put_tenant(driver, "Cantor", "{}").status, RT_INVALID);
    cr_assert_eq(get(driver, VITO_TENANT_PUT, "cantor"), RT_INVALID, "no document");
    cr_assert_eq(get(driver, VITO_TENANT_GET, "cantor"), RT_NOT_FOUND);
}

static enum rt_status
add_key(const struct store_driver *driver, const char *tenant_id, const char *id, uint8_t digest)
{
    struct vito_request request = request_of(VITO_KEY_ADD, tenant_id);
    memcpy(request.key.id, id, strlen(id));
    memcpy(request.key.tenant_id, tenant_id, strlen(tenant_id));
    memset(request.key.digest.bytes, digest, sizeof(request.key.digest.bytes));
    request.key.created_ms = NOON_MS + digest;
    return ask(driver, &request).status;
}

static enum rt_status
remove_key(const struct store_driver *driver, const char *tenant_id, const char *id)
{
    struct vito_request request = request_of(VITO_KEY_REMOVE, tenant_id);
    memcpy(request.key.id, id, strlen(id));
    return ask(driver, &request).status;
}

static size_t
count_keys(const struct store_driver *driver, const char *tenant_id)
{
    cr_assert_eq(get(driver, VITO_KEY_LIST, tenant_id), RT_OK);
    return document_bytes / sizeof(struct vito_key);
}

void
store_suite_keys_belong_to_a_tenant_and_go_with_it(const struct store_driver *driver)
{
    put_tenant(driver, "a", "{}");
    put_tenant(driver, "b", "{}");
    cr_assert_eq(count_keys(driver, ""), 0);
    cr_assert_eq(add_key(driver, "a", "key_1", 1), RT_OK);
    cr_assert_eq(add_key(driver, "a", "key_2", 2), RT_OK);
    cr_assert_eq(add_key(driver, "b", "key_3", 3), RT_OK);
    cr_assert_eq(count_keys(driver, ""), 3);
    cr_assert_eq(count_keys(driver, "a"), 2);
    struct vito_key key;
    memcpy(&key, document + sizeof(key), sizeof(key));
    cr_assert_str_eq(key.id, "key_2");
    cr_assert_str_eq(key.tenant_id, "a");
    cr_assert_eq(key.digest.bytes[31], 2);
    cr_assert_eq(key.created_ms, NOON_MS + 2);

    cr_assert_eq(remove_key(driver, "b", "key_1"), RT_NOT_FOUND, "not its own");
    cr_assert_eq(remove_key(driver, "a", "key_1"), RT_OK);
    cr_assert_eq(remove_key(driver, "a", "key_1"), RT_NOT_FOUND);
    get(driver, VITO_TENANT_REMOVE, "a");
    cr_assert_eq(count_keys(driver, ""), 1);
}

static enum rt_status
rotate_key(const struct store_driver *driver, const char *tenant_id, const char *old,
           const char *id, uint8_t digest, int64_t until_ms)
{
    struct vito_request request = request_of(VITO_KEY_ROTATE, tenant_id);
    memcpy(request.rotation.key.id, id, strlen(id));
    memcpy(request.rotation.key.tenant_id, tenant_id, strlen(tenant_id));
    memset(request.rotation.key.digest.bytes, digest, VITO_DIGEST_BYTES);
    request.rotation.key.created_ms = NOON_MS + digest;
    memcpy(request.rotation.replaces, old, strlen(old));
    request.rotation.replaced_until_ms = until_ms;
    return ask(driver, &request).status;
}

static int64_t
end_of_key(const struct store_driver *driver, const char *tenant_id, size_t index)
{
    struct vito_key key;
    cr_assert_gt(count_keys(driver, tenant_id), index);
    memcpy(&key, document + index * sizeof(key), sizeof(key));
    return key.expires_ms;
}

void
store_suite_a_key_that_is_replaced_ends_later(const struct store_driver *driver)
{
    put_tenant(driver, "a", "{}");
    put_tenant(driver, "b", "{}");
    add_key(driver, "a", "key_1", 1);
    cr_assert_eq(rotate_key(driver, "b", "key_1", "key_2", 2, NOON_MS + 100), RT_NOT_FOUND);
    cr_assert_eq(rotate_key(driver, "a", "key_0", "key_2", 2, NOON_MS + 100), RT_NOT_FOUND);
    cr_assert_eq(count_keys(driver, ""), 1, "nothing was added");
    cr_assert_eq(rotate_key(driver, "a", "key_1", "key_2", 2, NOON_MS + 100), RT_OK);
    cr_assert_eq(end_of_key(driver, "a", 0), NOON_MS + 100);
    cr_assert_eq(end_of_key(driver, "a", 1), 0, "the new one does not end");
    cr_assert_eq(rotate_key(driver, "a", "key_1", "key_3", 3, NOON_MS + 200), RT_OK);
    cr_assert_eq(end_of_key(driver, "a", 0), NOON_MS + 100, "an end is never put off");
    cr_assert_eq(rotate_key(driver, "a", "key_1", "key_4", 100, NOON_MS + 200), RT_NOT_FOUND,
                 "it has ended by then");
    cr_assert_eq(count_keys(driver, "a"), 3);
}

void
store_suite_a_key_is_added_once(const struct store_driver *driver)
{
    cr_assert_eq(add_key(driver, "a", "key_1", 1), RT_NOT_FOUND, "no such tenant");
    put_tenant(driver, "a", "{}");
    cr_assert_eq(add_key(driver, "a", "key_1", 1), RT_OK);
    cr_assert_eq(add_key(driver, "a", "key_1", 2), RT_EXISTS);
    cr_assert_eq(add_key(driver, "a", "key_2", 1), RT_EXISTS, "the same digest");
    cr_assert_eq(count_keys(driver, "a"), 1);
}

void
store_suite_a_policys_memory_is_kept_as_it_is(const struct store_driver *driver)
{
    static const char bytes[] = "\x81\xa1\x00\xff{";
    struct vito_request request = request_of(VITO_MEMORY_PUT, "cantor");
    request.document = rt_buffer_copy(bytes, sizeof(bytes));
    cr_assert_eq(ask(driver, &request).status, RT_NOT_FOUND, "no such tenant");
    put_tenant(driver, "cantor", "{}");
    cr_assert_eq(get(driver, VITO_MEMORY_GET, "cantor"), RT_NOT_FOUND);
    for (size_t size = sizeof(bytes); size > 0; size--) {
        request.document = rt_buffer_copy(bytes, size);
        cr_assert_eq(ask(driver, &request).status, RT_OK);
        cr_assert_eq(get(driver, VITO_MEMORY_GET, "cantor"), RT_OK);
        cr_assert_eq(document_bytes, size);
        cr_assert_eq(memcmp(document, bytes, size), 0);
    }
    cr_assert_eq(get(driver, VITO_MEMORY_PUT, "cantor"), RT_INVALID, "no document");
    get(driver, VITO_TENANT_REMOVE, "cantor");
    cr_assert_eq(get(driver, VITO_MEMORY_GET, "cantor"), RT_NOT_FOUND);
}

static struct vito_stored
budget(const struct store_driver *driver, enum vito_op op, int64_t limit, int64_t need,
       int64_t want)
{
    struct vito_request request = request_of(op, "cantor");
    request.budget.limit_nusd = limit;
    request.budget.need_nusd = need;
    request.budget.want_nusd = want;
    return ask(driver, &request);
}

static struct vito_budget
open_month(const struct store_driver *driver, int64_t limit)
{
    struct vito_stored stored = budget(driver, VITO_BUDGET_OPEN, limit, 0, 0);
    cr_assert_eq(stored.status, RT_OK);
    cr_assert_eq(stored.budget.limit_nusd, limit);
    return stored.budget;
}

static int64_t
grant(const struct store_driver *driver, int64_t need, int64_t want)
{
    struct vito_stored stored = budget(driver, VITO_BUDGET_GRANT, 0, need, want);
    cr_assert_eq(stored.status, RT_OK);
    return stored.budget.granted_nusd;
}

void
store_suite_a_month_is_opened_once_and_keeps_its_figures(const struct store_driver *driver)
{
    cr_assert_eq(budget(driver, VITO_BUDGET_GRANT, 0, 1, 1).status, RT_NOT_FOUND);
    cr_assert_eq(budget(driver, VITO_BUDGET_RETURN, 0, 0, 1).status, RT_NOT_FOUND);
    struct vito_budget fresh = open_month(driver, 1000);
    cr_assert_eq(fresh.posted_nusd, 0);
    cr_assert_eq(fresh.reserved_nusd, 0);
    cr_assert_eq(grant(driver, 100, 100), 100);
    struct vito_budget again = open_month(driver, 2000);
    cr_assert_eq(again.reserved_nusd, 100);
    cr_assert_eq(again.granted_nusd, 0, "only a grant grants");
    driver->check(driver->self);
}

void
store_suite_a_grant_is_what_is_left_and_never_less_than_the_need(const struct store_driver *driver)
{
    open_month(driver, 1000);
    cr_assert_eq(grant(driver, 100, 700), 700);
    cr_assert_eq(grant(driver, 100, 700), 300, "what is left");
    cr_assert_eq(grant(driver, 1, 700), 0, "nothing is left");
    open_month(driver, 1500);
    cr_assert_eq(grant(driver, 501, 501), 0, "less than the need is nothing");
    cr_assert_eq(grant(driver, 500, 0), 500, "at least the need");
    struct vito_stored stored = budget(driver, VITO_BUDGET_GRANT, 0, 0, 0);
    cr_assert_eq(stored.budget.granted_nusd, 0);
    cr_assert_eq(stored.budget.reserved_nusd, 1500);
    driver->check(driver->self);
}

void
store_suite_a_dollar_is_granted_in_exactly_a_hundred_cents(const struct store_driver *driver)
{
    int64_t cent = VITO_NUSD_PER_USD / 100;
    open_month(driver, VITO_NUSD_PER_USD);
    int granted = 0;
    for (int i = 0; i < 150; i++)
        granted += grant(driver, cent, cent) == cent;
    cr_assert_eq(granted, 100);
}

void
store_suite_what_is_returned_can_be_granted_again(const struct store_driver *driver)
{
    open_month(driver, 1000);
    grant(driver, 1000, 1000);
    struct vito_stored stored = budget(driver, VITO_BUDGET_RETURN, 0, 0, 400);
    cr_assert_eq(stored.budget.reserved_nusd, 600);
    cr_assert_eq(grant(driver, 1, 1000), 400);
    stored = budget(driver, VITO_BUDGET_RETURN, 0, 0, 5000);
    cr_assert_eq(stored.budget.reserved_nusd, 0, "no more than there is");
    stored = budget(driver, VITO_BUDGET_RETURN, 0, 0, 1);
    cr_assert_eq(stored.status, RT_OK);
    cr_assert_eq(stored.budget.reserved_nusd, 0);
    stored = budget(driver, VITO_BUDGET_RETURN, 0, 0, -5);
    cr_assert_eq(stored.budget.reserved_nusd, 0, "nor less than nothing");
    driver->check(driver->self);
}

void
store_suite_a_lowered_limit_grants_nothing_more(const struct store_driver *driver)
{
    open_month(driver, 1000);
    grant(driver, 600, 600);
    open_month(driver, 500);
    cr_assert_eq(grant(driver, 1, 1), 0);
    open_month(driver, 601);
    cr_assert_eq(grant(driver, 1, 1), 1);
    driver->check(driver->self);
}

static struct vito_request
leg_request(enum vito_op op, const char *id, int64_t held)
{
    struct vito_request request = request_of(op, "cantor");
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

static enum rt_status
open_leg(const struct store_driver *driver, const char *id, int64_t held)
{
    struct vito_request request = leg_request(VITO_LEG_OPEN, id, held);
    return ask(driver, &request).status;
}

static enum rt_status
extend_leg(const struct store_driver *driver, const char *id, int64_t held)
{
    struct vito_request request = leg_request(VITO_LEG_EXTEND, id, held);
    return ask(driver, &request).status;
}

static struct vito_stored
settle_leg(const struct store_driver *driver, const char *id, int64_t cost)
{
    struct vito_request request = leg_request(VITO_LEG_SETTLE, id, 0);
    request.leg.cost_nusd = cost;
    request.leg.use = (struct vito_use){.tokens = 7, .media_ms = 1500, .interactions = 1};
    request.leg.at_ms = NOON_MS + 1;
    snprintf(request.leg.outcome, sizeof(request.leg.outcome), "completed");
    return ask(driver, &request);
}

/* The whole trail of "cantor" is in `document`; returns how many records it has. */
static int
list_audit(const struct store_driver *driver)
{
    struct vito_request request = request_of(VITO_AUDIT_LIST, "cantor");
    request.query.limit = 1000;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    int count = 0;
    for (const char *at = document; (at = strstr(at, "\"cursor\":")) != NULL; at++)
        count++;
    return count;
}

void
store_suite_a_month_counted_in_another_zone_takes_over_what_was_spent(
    const struct store_driver *driver)
{
    open_month(driver, 1000);
    grant(driver, 600, 600);
    open_leg(driver, "1", 200);
    settle_leg(driver, "1", 200);

    struct vito_request madrid = request_of(VITO_BUDGET_OPEN, "cantor");
    madrid.period_start_ms -= 3600000;
    madrid.period_end_ms -= 3600000;
    madrid.budget.limit_nusd = 1000;
    struct vito_stored stored = ask(driver, &madrid);
    cr_assert_eq(stored.budget.posted_nusd, 600, "what was spent and what still may be");
    cr_assert_eq(stored.budget.tokens, 7);
    cr_assert_eq(grant(driver, 1, 1), 0, "the month before grants no more");
    driver->check(driver->self);

    struct vito_stored back = budget(driver, VITO_BUDGET_OPEN, 1000, 0, 0);
    cr_assert_eq(back.budget.posted_nusd, 600, "nor is there more by going back");
    struct vito_request next = request_of(VITO_BUDGET_OPEN, "cantor");
    next.period_start_ms = DECEMBER_MS;
    next.period_end_ms = DECEMBER_MS + 31 * INT64_C(86400000);
    next.budget.limit_nusd = 1000;
    cr_assert_eq(ask(driver, &next).budget.posted_nusd, 0, "the next month is another one");
    driver->check(driver->self);
}

void
store_suite_a_leg_is_opened_once_and_only_in_a_month_that_is(const struct store_driver *driver)
{
    cr_assert_eq(open_leg(driver, "1", 10), RT_NOT_FOUND);
    open_month(driver, 1000);
    cr_assert_eq(open_leg(driver, "1", 10), RT_OK);
    cr_assert_eq(open_leg(driver, "1", 10), RT_EXISTS);
    cr_assert_eq(open_leg(driver, "2", -1), RT_INVALID);
    struct vito_request request = leg_request(VITO_LEG_OPEN, "3", 1);
    request.leg.id[0] = 'L';
    cr_assert_eq(ask(driver, &request).status, RT_INVALID, "ids of legs begin with leg_");
    cr_assert_eq(list_audit(driver), 0, "an intent is no event");
}

void
store_suite_settling_posts_the_cost_and_writes_one_record(const struct store_driver *driver)
{
    open_month(driver, 1000);
    grant(driver, 600, 600);
    open_leg(driver, "1", 200);
    struct vito_stored stored = settle_leg(driver, "1", 150);
    cr_assert_eq(stored.status, RT_OK);
    cr_assert_not(stored.repeated);
    cr_assert_eq(stored.budget.posted_nusd, 150);
    cr_assert_eq(stored.budget.reserved_nusd, 450);
    cr_assert_eq(stored.budget.tokens, 7);
    cr_assert_eq(stored.budget.interactions, 1);
    cr_assert_eq(stored.budget.media_ms[VITO_VOICE], 1500);
    cr_assert_eq(stored.budget.media_ms[VITO_VIDEO], 0);
    cr_assert_eq(list_audit(driver), 1);
    driver->check(driver->self);
}

void
store_suite_settling_again_changes_nothing(const struct store_driver *driver)
{
    open_month(driver, 1000);
    grant(driver, 600, 600);
    open_leg(driver, "1", 200);
    settle_leg(driver, "1", 150);
    struct vito_stored again = settle_leg(driver, "1", 600);
    cr_assert_eq(again.status, RT_OK);
    cr_assert(again.repeated);
    cr_assert_eq(again.cost_nusd, 150, "what was recorded the first time");
    cr_assert_eq(again.budget.posted_nusd, 150);
    cr_assert_eq(again.budget.reserved_nusd, 450);
    cr_assert_eq(list_audit(driver), 1);
    driver->restart(driver->self, NOON_MS);
    cr_assert(settle_leg(driver, "1", 150).repeated, "also in a later life");
    cr_assert_eq(list_audit(driver), 1);
    driver->check(driver->self);
}

void
store_suite_only_a_tenants_own_open_legs_can_be_extended_or_settled(
    const struct store_driver *driver)
{
    open_month(driver, 1000);
    cr_assert_eq(extend_leg(driver, "1", 10), RT_NOT_FOUND);
    cr_assert_eq(settle_leg(driver, "1", 10).status, RT_NOT_FOUND);
    open_leg(driver, "1", 10);
    struct vito_request other = leg_request(VITO_LEG_SETTLE, "1", 0);
    memcpy(other.tenant_id, "other", 6);
    cr_assert_eq(ask(driver, &other).status, RT_NOT_FOUND);
    other.op = VITO_LEG_EXTEND;
    cr_assert_eq(ask(driver, &other).status, RT_NOT_FOUND);
    cr_assert_eq(settle_leg(driver, "1", 0).status, RT_OK);
    cr_assert_eq(extend_leg(driver, "1", 20), RT_NOT_FOUND, "it is settled");
}

void
store_suite_a_cost_beyond_the_slice_is_posted_in_full(const struct store_driver *driver)
{
    open_month(driver, 1000);
    grant(driver, 100, 100);
    open_leg(driver, "1", 100);
    struct vito_stored stored = settle_leg(driver, "1", 250);
    cr_assert_eq(stored.budget.posted_nusd, 250);
    cr_assert_eq(stored.budget.reserved_nusd, 0);
    cr_assert_eq(grant(driver, 1, 5000), 750, "the limit counts what was posted");
    open_leg(driver, "2", 0);
    cr_assert_eq(settle_leg(driver, "2", 0).budget.posted_nusd, 250, "free legs cost nothing");
    driver->check(driver->self);
}

void
store_suite_nonsense_from_a_vendor_stays_within_numbers(const struct store_driver *driver)
{
    open_month(driver, 1000);
    for (int i = 0; i < 3; i++) {
        struct vito_request request = leg_request(VITO_LEG_OPEN,
                                                  i == 0   ? "0"
                                                  : i == 1 ? "1"
                                                           : "2",
                                                  0);
        cr_assert_eq(ask(driver, &request).status, RT_OK);
        request.op = VITO_LEG_SETTLE;
        request.leg.cost_nusd = i == 0 ? INT64_MIN : INT64_MAX;
        request.leg.use = i == 0 ? (struct vito_use){INT64_MIN, -1, -1}
                                 : (struct vito_use){INT64_MAX, INT64_MAX, INT64_MAX};
        struct vito_stored stored = ask(driver, &request);
        cr_assert_eq(stored.status, RT_OK);
        cr_assert_eq(stored.budget.posted_nusd, i * VITO_NUSD_MAX);
        cr_assert_eq(grant(driver, 1, 1) > 0, i == 0, "beyond every limit");
    }
    driver->check(driver->self);
}

static struct vito_open_leg
open_leg_at(size_t index)
{
    struct vito_open_leg leg;
    cr_assert_leq((index + 1) * sizeof(leg), document_bytes);
    memcpy(&leg, document + index * sizeof(leg), sizeof(leg));
    return leg;
}

void
store_suite_a_gateways_own_open_legs_are_listed(const struct store_driver *driver)
{
    struct vito_request list = request_of(VITO_LEG_LIST, "cantor");
    open_month(driver, 1000);
    cr_assert_eq(ask(driver, &list).status, RT_OK);
    cr_assert_eq(document_bytes, 0);
    grant(driver, 600, 600);
    open_leg(driver, "1", 100);
    open_leg(driver, "2", 50);
    open_leg(driver, "3", 60);
    extend_leg(driver, "3", 90);
    settle_leg(driver, "2", 10);
    cr_assert_eq(ask(driver, &list).status, RT_OK);
    cr_assert_eq(document_bytes, 2 * sizeof(struct vito_open_leg));
    cr_assert_eq(open_leg_at(0).held_nusd, 100);
    cr_assert_eq(open_leg_at(1).held_nusd, 90);
    cr_assert_eq(open_leg_at(1).period_start_ms, NOVEMBER_MS);
    cr_assert_not_null(strstr(open_leg_at(1).id, "leg_"));
    struct vito_request others = request_of(VITO_LEG_LIST, "fernandez");
    cr_assert_eq(ask(driver, &others).status, RT_OK);
    cr_assert_eq(document_bytes, 0, "they are another tenant's");
    driver->restart(driver->self, NOON_MS);
    cr_assert_eq(ask(driver, &list).status, RT_OK);
    cr_assert_eq(document_bytes, 0, "what a former life left open is settled");
}

static size_t
list_adopted(const struct store_driver *driver, struct vito_adopted_leg *first)
{
    struct vito_request list = request_of(VITO_LEG_LIST_ADOPTED, "");
    cr_assert_eq(ask(driver, &list).status, RT_OK);
    if (document_bytes >= sizeof(*first))
        memcpy(first, document, sizeof(*first));
    return document_bytes / sizeof(*first);
}

void
store_suite_a_restart_keeps_what_video_legs_hold_until_they_are_settled(
    const struct store_driver *driver)
{
    struct vito_adopted_leg room;
    struct vito_request open = leg_request(VITO_LEG_OPEN, "room", 200);
    open.leg.mode = VITO_VIDEO;
    open_month(driver, 1000);
    cr_assert_eq(list_adopted(driver, &room), 0);
    grant(driver, 600, 600);
    cr_assert_eq(ask(driver, &open).status, RT_OK);
    open_leg(driver, "1", 100);
    cr_assert_eq(list_adopted(driver, &room), 0, "it is this life's own");
    for (int life = 0; life < 3; life++) {
        driver->restart(driver->self, NOON_MS + life);
        cr_assert_eq(list_adopted(driver, &room), 1);
        struct vito_budget budget = open_month(driver, 1000);
        cr_assert_eq(budget.posted_nusd, 100, "of the text leg nobody asks a vendor");
        cr_assert_eq(budget.reserved_nusd, 200);
        cr_assert_eq(budget.slice_nusd, 0, "all of it is held");
        driver->check(driver->self);
    }
    cr_assert_str_eq(room.tenant_id, "cantor");
    cr_assert_str_eq(room.leg.provider_id, "openai");
    cr_assert_not_null(strstr(room.leg.id, "room"));
    cr_assert_eq(room.leg.mode, VITO_VIDEO);
    cr_assert_eq(room.leg.held_nusd, 200);
    cr_assert_eq(room.leg.at_ms, open.leg.at_ms);
    cr_assert_eq(room.limit_nusd, 1000);
    cr_assert_eq(room.period.start_ms, NOVEMBER_MS);
    struct vito_request others = request_of(VITO_LEG_LIST, "cantor");
    cr_assert_eq(ask(driver, &others).status, RT_OK);
    cr_assert_eq(document_bytes, 0, "its tenant has nothing to do with it");
    settle_leg(driver, "room", 150);
    cr_assert_eq(list_adopted(driver, &room), 0);
    struct vito_budget after = open_month(driver, 1000);
    cr_assert_eq(after.slice_nusd, 0, "the rest is nobody's");
    cr_assert_eq(after.reserved_nusd, 0);
    cr_assert_eq(after.posted_nusd, 250);
    driver->check(driver->self);
}

void
store_suite_a_video_leg_that_ran_on_after_a_crash_takes_nothing_from_others(
    const struct store_driver *driver)
{
    struct vito_request open = leg_request(VITO_LEG_OPEN, "room", 200);
    open.leg.mode = VITO_VIDEO;
    open_month(driver, 1000);
    grant(driver, 200, 200);
    cr_assert_eq(ask(driver, &open).status, RT_OK);
    driver->restart(driver->self, NOON_MS);
    grant(driver, 300, 300);
    open_leg(driver, "1", 300);
    settle_leg(driver, "room", 450);
    struct vito_budget after = open_month(driver, 1000);
    cr_assert_eq(after.posted_nusd, 450);
    cr_assert_eq(after.reserved_nusd, 300, "what the other leg holds is there");
    driver->check(driver->self);
    settle_leg(driver, "1", 300);
    cr_assert_eq(open_month(driver, 1000).reserved_nusd, 0);
    driver->check(driver->self);
}

/* A gateway that others took for dead may still ask for it. */
void
store_suite_nothing_more_is_held_for_a_video_leg_of_a_former_life(const struct store_driver *driver)
{
    struct vito_adopted_leg room;
    struct vito_request open = leg_request(VITO_LEG_OPEN, "room", 200);
    open.leg.mode = VITO_VIDEO;
    open_month(driver, 1000);
    grant(driver, 200, 200);
    cr_assert_eq(ask(driver, &open).status, RT_OK);
    cr_assert_eq(extend_leg(driver, "room", 200), RT_OK);
    driver->restart(driver->self, NOON_MS);
    cr_assert_eq(extend_leg(driver, "room", 600), RT_NOT_FOUND);
    cr_assert_eq(list_adopted(driver, &room), 1);
    cr_assert_eq(room.leg.held_nusd, 200);
    driver->check(driver->self);
}

void
store_suite_a_restart_counts_what_open_legs_held_as_spent(const struct store_driver *driver)
{
    open_month(driver, 1000);
    grant(driver, 600, 600);
    open_leg(driver, "1", 100);
    cr_assert_eq(extend_leg(driver, "1", 180), RT_OK);
    cr_assert_eq(extend_leg(driver, "1", 20), RT_OK, "less is held: it may have been spent before");
    open_leg(driver, "2", 50);
    driver->restart(driver->self, NOON_MS + 5);

    struct vito_budget after = open_month(driver, 1000);
    cr_assert_eq(after.posted_nusd, 230);
    cr_assert_eq(after.reserved_nusd, 0);
    cr_assert_eq(after.tokens, 0);
    cr_assert_eq(list_audit(driver), 2);
    cr_assert_not_null(strstr(document, "\"cost_amount\":\"0.000000180\""));
    cr_assert_not_null(strstr(document, "\"outcome\":\"recovered\""));
    struct vito_stored late = settle_leg(driver, "2", 1);
    cr_assert(late.repeated, "a late settlement changes nothing");
    cr_assert_eq(late.cost_nusd, 50, "and is told so");
    driver->check(driver->self);
}

void
store_suite_a_restart_gives_the_rest_of_a_slice_back(const struct store_driver *driver)
{
    open_month(driver, 1000);
    grant(driver, 1000, 1000);
    open_leg(driver, "1", 300);
    settle_leg(driver, "1", 300);
    driver->restart(driver->self, NOON_MS);
    cr_assert_eq(open_month(driver, 1000).reserved_nusd, 0);
    cr_assert_eq(grant(driver, 1, 1000), 700);
    struct vito_stored stored = budget(driver, VITO_BUDGET_RETURN, 0, 0, 1000);
    cr_assert_eq(stored.budget.reserved_nusd, 0);
    for (int i = 0; i < 3; i++)
        driver->restart(driver->self, NOON_MS);
    cr_assert_eq(open_month(driver, 1000).posted_nusd, 300);
    driver->check(driver->self);
}

void
store_suite_a_leg_on_the_slice_of_an_earlier_life_is_denied(const struct store_driver *driver)
{
    int64_t life = open_month(driver, 1000).life;
    cr_assert_gt(life, 0);
    struct vito_stored granted = budget(driver, VITO_BUDGET_GRANT, 0, 100, 100);
    cr_assert_eq(granted.budget.life, life);
    cr_assert_eq(granted.budget.nodes, 1);
    struct vito_request request = leg_request(VITO_LEG_OPEN, "1", 10);
    request.life = life;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    driver->restart(driver->self, NOON_MS);
    struct vito_budget after = open_month(driver, 1000);
    cr_assert_gt(after.life, life);
    cr_assert_eq(after.slice_nusd, 0);
    request = leg_request(VITO_LEG_OPEN, "2", 10);
    request.life = life;
    cr_assert_eq(ask(driver, &request).status, RT_DENIED);
    cr_assert_eq(settle_leg(driver, "2", 0).status, RT_NOT_FOUND, "nothing was written");
    request.life = after.life;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    driver->check(driver->self);
}

static enum rt_status
append(const struct store_driver *driver, const char *id, const char *event, const char *details)
{
    struct vito_request request = request_of(VITO_AUDIT_APPEND, "cantor");
    snprintf(request.audit.id, sizeof(request.audit.id), "%s", id);
    snprintf(request.audit.event, sizeof(request.audit.event), "%s", event);
    snprintf(request.audit.session_id, sizeof(request.audit.session_id), "ses_2");
    request.audit.at_ms = NOON_MS + 7;
    if (details != NULL)
        request.document = rt_buffer_copy(details, strlen(details));
    return ask(driver, &request).status;
}

void
store_suite_the_audit_trail_is_listed_as_documented(const struct store_driver *driver)
{
    cr_assert_eq(list_audit(driver), 0);
    cr_assert_str_eq(document, "{\"entries\":[],\"next\":null}");
    open_month(driver, 1000);
    open_leg(driver, "1", 200);
    settle_leg(driver, "1", 150);
    append(driver, "aud_1", "ACCESS_REFUSED", "{\"reason\":\"forbidden_tenant\"}");
    cr_assert_eq(list_audit(driver), 2);
    cr_assert_str_eq(
        document,
        "{\"entries\":[{\"id\":\"leg_1\",\"at\":\"2026-11-21T12:00:00.001Z\","
        "\"event\":\"BILLING_EVENT\",\"session_id\":\"ses_1\",\"provider_id\":\"openai\","
        "\"cost_amount\":\"0.000000150\","
        "\"units\":{\"tokens\":7,\"media_ms\":1500,\"interactions\":1},"
        "\"decision_id\":\"dec_1\",\"policy_version\":\"sha256:1234\",\"mode\":\"voice\","
        "\"outcome\":\"completed\",\"cursor\":1},"
        "{\"id\":\"aud_1\",\"at\":\"2026-11-21T12:00:00.007Z\",\"event\":\"ACCESS_REFUSED\","
        "\"session_id\":\"ses_2\",\"details\":{\"reason\":\"forbidden_tenant\"},\"cursor\":2}],"
        "\"next\":null}");
}

void
store_suite_the_audit_trail_is_listed_in_pages_and_by_session(const struct store_driver *driver)
{
    for (int i = 0; i < 5; i++) {
        char id[16];
        snprintf(id, sizeof(id), "aud_%d", i);
        cr_assert_eq(append(driver, id, "TICK", NULL), RT_OK);
    }
    struct vito_request request = request_of(VITO_AUDIT_LIST, "cantor");
    request.query.limit = 2;
    int seen = 0;
    for (int pages = 0; pages < 3; pages++) {
        cr_assert_eq(ask(driver, &request).status, RT_OK);
        for (const char *at = document; (at = strstr(at, "\"id\":\"aud_")) != NULL; at++)
            cr_assert_eq(at[10], '0' + seen++, "each once, in order");
        const char *next = strstr(document, "\"next\":") + 7;
        cr_assert_eq(strcmp(next, "null}") == 0, pages == 2);
        if (pages < 2)
            cr_assert_eq(sscanf(next, "%ld", &request.query.after), 1);
    }
    cr_assert_eq(seen, 5);

    request.query.after = 0;
    snprintf(request.query.session_id, sizeof(request.query.session_id), "ses_1");
    ask(driver, &request);
    cr_assert_str_eq(document, "{\"entries\":[],\"next\":null}");
    open_month(driver, 10);
    open_leg(driver, "1", 0);
    settle_leg(driver, "1", 0);
    ask(driver, &request);
    cr_assert_not_null(strstr(document, "leg_1"));
    cr_assert_null(strstr(document, "aud_"));
    memcpy(request.tenant_id, "other", 6);
    ask(driver, &request);
    cr_assert_str_eq(document, "{\"entries\":[],\"next\":null}", "another tenant's");
}

void
store_suite_an_event_is_appended_once_and_must_be_sound(const struct store_driver *driver)
{
    cr_assert_eq(append(driver, "aud_1", "TICK", NULL), RT_OK);
    cr_assert_eq(append(driver, "aud_1", "TICK", NULL), RT_EXISTS);
    cr_assert_eq(append(driver, "aud_2", "TICK", "[]"), RT_INVALID);
    cr_assert_eq(append(driver, "aud_2", "TICK", "{"), RT_INVALID);
    cr_assert_eq(append(driver, "aud_2", "", "{}"), RT_INVALID);
    cr_assert_eq(append(driver, "", "TICK", "{}"), RT_INVALID);
    cr_assert_eq(append(driver, "leg_2", "TICK", "{}"), RT_INVALID, "a leg's place");
    cr_assert_eq(append(driver, "aud_2", "BILLING_EVENT", "{}"), RT_INVALID, "no leg");
    struct vito_request request = request_of(VITO_AUDIT_APPEND, "cantor");
    memcpy(request.audit.id, "aud_3", 6);
    memcpy(request.audit.event, "TICK", 5);
    request.document = rt_buffer_copy("{}\0}", 4);
    cr_assert_eq(ask(driver, &request).status, RT_INVALID);
    request.document = rt_buffer_create(1 << 20);
    memset(request.document->bytes, ' ', 1 << 20);
    memcpy(request.document->bytes, "{}", 2);
    cr_assert_eq(ask(driver, &request).status, RT_INVALID, "too long");
    request = request_of(VITO_AUDIT_LIST, "cantor");
    cr_assert_eq(ask(driver, &request).status, RT_INVALID, "a list of none");
    cr_assert_eq(append(driver, "aud_\"2\"", "\x01T\\K", NULL), RT_OK);
    cr_assert_eq(list_audit(driver), 2);
    cr_assert_not_null(strstr(document, "\"id\":\"aud_\\\"2\\\"\""));
    cr_assert_not_null(strstr(document, "\"event\":\"\\u0001T\\\\K\""));
    driver->check(driver->self);
}

void
store_suite_what_is_rolled_back_never_was(const struct store_driver *driver)
{
    open_month(driver, 1000);
    cr_assert_eq(driver->begin(driver->self), RT_OK);
    struct vito_request requests[] = {
        request_of(VITO_BUDGET_GRANT, "cantor"), leg_request(VITO_LEG_OPEN, "1", 10),
        leg_request(VITO_LEG_SETTLE, "1", 0), leg_request(VITO_LEG_OPEN, "2", 10)};
    requests[0].budget.want_nusd = 500;
    for (size_t i = 0; i < RT_COUNT_OF(requests); i++)
        cr_assert_eq(execute(driver, &requests[i]).status, RT_OK);
    driver->rollback(driver->self);
    cr_assert_eq(open_month(driver, 1000).reserved_nusd, 0);
    cr_assert_eq(settle_leg(driver, "1", 0).status, RT_NOT_FOUND);
    cr_assert_eq(settle_leg(driver, "2", 0).status, RT_NOT_FOUND);
    cr_assert_eq(list_audit(driver), 0);
    driver->check(driver->self);
}

void
store_suite_a_refused_request_leaves_the_rest_of_its_batch(const struct store_driver *driver)
{
    open_month(driver, 1000);
    grant(driver, 500, 500);
    open_leg(driver, "1", 10);
    cr_assert_eq(driver->begin(driver->self), RT_OK);
    struct vito_request requests[] = {
        leg_request(VITO_LEG_OPEN, "2", 10),   leg_request(VITO_LEG_OPEN, "1", 10),
        leg_request(VITO_LEG_SETTLE, "9", 10), leg_request(VITO_LEG_OPEN, "3", -1),
        request_of(VITO_TENANT_PUT, "cantor"), leg_request(VITO_LEG_OPEN, "4", 10)};
    static const enum rt_status wanted[] = {RT_OK,      RT_EXISTS,  RT_NOT_FOUND,
                                            RT_INVALID, RT_INVALID, RT_OK};
    for (size_t i = 0; i < RT_COUNT_OF(wanted); i++)
        cr_assert_eq(execute(driver, &requests[i]).status, wanted[i], "request %zu", i);
    cr_assert_eq(driver->commit(driver->self), RT_OK);
    cr_assert_eq(settle_leg(driver, "2", 1).status, RT_OK);
    cr_assert_eq(settle_leg(driver, "4", 1).status, RT_OK);
    cr_assert_eq(settle_leg(driver, "3", 1).status, RT_NOT_FOUND);
    driver->check(driver->self);
}

enum { LEGS = 40 };

/* What the store should hold of a month. */
struct model {
    int64_t limit, posted, slice;
    int64_t held[LEGS]; /* -1: not open */
    int legs_made, records;
    int leg_number[LEGS];
};

/* Of the slice, what no leg holds. */
static int64_t
free_of(const struct model *model)
{
    int64_t left = model->slice;
    for (int i = 0; i < LEGS; i++)
        left -= model->held[i] > 0 ? model->held[i] : 0;
    return left > 0 ? left : 0;
}

static void
compare(const struct store_driver *driver, const struct model *model)
{
    struct vito_budget figures = open_month(driver, model->limit);
    cr_assert_eq(figures.slice_nusd, free_of(model));
    cr_assert_eq(figures.posted_nusd, model->posted);
    cr_assert_eq(figures.reserved_nusd, model->slice);
}

static void
step_leg(const struct store_driver *driver, struct model *model, int i, int64_t amount)
{
    char id[16];
    if (model->held[i] < 0) {
        model->leg_number[i] = model->legs_made++;
        snprintf(id, sizeof(id), "%d", model->leg_number[i]);
        cr_assert_eq(open_leg(driver, id, amount), RT_OK);
        model->held[i] = amount;
        return;
    }
    snprintf(id, sizeof(id), "%d", model->leg_number[i]);
    if (amount % 3 == 0) {
        cr_assert_eq(extend_leg(driver, id, amount), RT_OK);
        model->held[i] = amount > model->held[i] ? amount : model->held[i];
        return;
    }
    cr_assert_eq(settle_leg(driver, id, amount).status, RT_OK);
    model->posted += amount;
    model->slice = model->slice > amount ? model->slice - amount : 0;
    model->held[i] = -1;
    model->records++;
}

static void
step_grant(const struct store_driver *driver, struct model *model, int64_t amount)
{
    int64_t left = model->limit - model->posted - model->slice;
    int64_t wanted = left < amount / 2 || left <= 0 ? 0 : left < amount ? left : amount;
    cr_assert_eq(grant(driver, amount / 2, amount), wanted);
    model->slice += wanted;
}

static void
step_return(const struct store_driver *driver, struct model *model, int64_t amount)
{
    budget(driver, VITO_BUDGET_RETURN, 0, 0, amount);
    model->slice -= amount < free_of(model) ? amount : free_of(model);
}

static void
step_restart(const struct store_driver *driver, struct model *model)
{
    driver->restart(driver->self, NOON_MS);
    for (int i = 0; i < LEGS; i++)
        if (model->held[i] >= 0) {
            model->posted += model->held[i];
            model->records++;
            model->held[i] = -1;
        }
    model->slice = 0;
}

void
store_suite_random_lives_keep_the_books_balanced(const struct store_driver *driver)
{
    struct rt_random random;
    rt_random_seed(&random, 9);
    struct model model = {.limit = 20000};
    for (int i = 0; i < LEGS; i++)
        model.held[i] = -1;
    open_month(driver, model.limit);
    for (int step = 0; step < 1000; step++) {
        int64_t amount = (int64_t)rt_random_below(&random, 60);
        uint64_t what = rt_random_below(&random, 100);
        if (what < 70)
            step_leg(driver, &model, (int)rt_random_below(&random, LEGS), amount);
        else if (what < 90)
            step_grant(driver, &model, amount * 4);
        else if (what < 99)
            step_return(driver, &model, amount);
        else
            step_restart(driver, &model);
        compare(driver, &model);
        if (step % 100 == 0)
            driver->check(driver->self);
    }
    step_restart(driver, &model);
    compare(driver, &model);
    cr_assert_leq(model.records, 1000);
    cr_assert_eq(list_audit(driver), model.records);
    driver->check(driver->self);
}
