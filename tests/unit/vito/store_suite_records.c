/*
 * The audit trail's records.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/vito/store_suite.h"
#include "tests/unit/vito/store_suite_kit.h"

static enum rt_status
append(const struct store_driver *driver, const char *id, const char *event, const char *details)
{
    struct vito_request request = suite_request_of(VITO_AUDIT_APPEND, "cantor");
    snprintf(request.audit.id, sizeof(request.audit.id), "%s", id);
    snprintf(request.audit.event, sizeof(request.audit.event), "%s", event);
    snprintf(request.audit.session_id, sizeof(request.audit.session_id), "ses_2");
    request.audit.at_ms = NOON_MS + 7;
    if (details != NULL)
        request.document = rt_buffer_copy(details, strlen(details));
    return suite_ask(driver, &request).status;
}

void
store_suite_the_audit_trail_is_listed_as_documented(const struct store_driver *driver)
{
    cr_assert_eq(suite_list_audit(driver), 0);
    cr_assert_str_eq(suite_document, "{\"entries\":[],\"next\":null}");
    suite_open_month(driver, 1000);
    suite_open_leg(driver, "1", 200);
    suite_settle_leg(driver, "1", 150);
    append(driver, "aud_1", "ACCESS_REFUSED", "{\"reason\":\"forbidden_tenant\"}");
    cr_assert_eq(suite_list_audit(driver), 2);
    cr_assert_str_eq(
        suite_document,
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
    struct vito_request request = suite_request_of(VITO_AUDIT_LIST, "cantor");
    request.query.limit = 2;
    int seen = 0;
    for (int pages = 0; pages < 3; pages++) {
        cr_assert_eq(suite_ask(driver, &request).status, RT_OK);
        for (const char *at = suite_document; (at = strstr(at, "\"id\":\"aud_")) != NULL; at++)
            cr_assert_eq(at[10], '0' + seen++, "each once, in order");
        const char *next = strstr(suite_document, "\"next\":") + 7;
        cr_assert_eq(strcmp(next, "null}") == 0, pages == 2);
        if (pages < 2)
            cr_assert_eq(sscanf(next, "%ld", &request.query.after), 1);
    }
    cr_assert_eq(seen, 5);

    request.query.after = 0;
    snprintf(request.query.session_id, sizeof(request.query.session_id), "ses_1");
    suite_ask(driver, &request);
    cr_assert_str_eq(suite_document, "{\"entries\":[],\"next\":null}");
    suite_open_month(driver, 10);
    suite_open_leg(driver, "1", 0);
    suite_settle_leg(driver, "1", 0);
    suite_ask(driver, &request);
    cr_assert_not_null(strstr(suite_document, "leg_1"));
    cr_assert_null(strstr(suite_document, "aud_"));
    memcpy(request.tenant_id, "other", 6);
    suite_ask(driver, &request);
    cr_assert_str_eq(suite_document, "{\"entries\":[],\"next\":null}", "another tenant's");
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
    struct vito_request request = suite_request_of(VITO_AUDIT_APPEND, "cantor");
    memcpy(request.audit.id, "aud_3", 6);
    memcpy(request.audit.event, "TICK", 5);
    request.document = rt_buffer_copy("{}\0}", 4);
    cr_assert_eq(suite_ask(driver, &request).status, RT_INVALID);
    request.document = rt_buffer_create(1 << 20);
    memset(request.document->bytes, ' ', 1 << 20);
    memcpy(request.document->bytes, "{}", 2);
    cr_assert_eq(suite_ask(driver, &request).status, RT_INVALID, "too long");
    request = suite_request_of(VITO_AUDIT_LIST, "cantor");
    cr_assert_eq(suite_ask(driver, &request).status, RT_INVALID, "a list of none");
    cr_assert_eq(append(driver, "aud_\"2\"", "\x01T\\K", NULL), RT_OK);
    cr_assert_eq(suite_list_audit(driver), 2);
    cr_assert_not_null(strstr(suite_document, "\"id\":\"aud_\\\"2\\\"\""));
    cr_assert_not_null(strstr(suite_document, "\"event\":\"\\u0001T\\\\K\""));
    driver->check(driver->self);
}
