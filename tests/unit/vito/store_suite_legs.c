/*
 * Legs while their gateway lives: opened, extended, settled, listed.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/vito/store_suite.h"
#include "tests/unit/vito/store_suite_kit.h"
#include "vito/money.h"

void
store_suite_a_leg_is_opened_once_and_only_in_a_month_that_is(const struct store_driver *driver)
{
    cr_assert_eq(suite_open_leg(driver, "1", 10), RT_NOT_FOUND);
    suite_open_month(driver, 1000);
    cr_assert_eq(suite_open_leg(driver, "1", 10), RT_OK);
    cr_assert_eq(suite_open_leg(driver, "1", 10), RT_EXISTS);
    cr_assert_eq(suite_open_leg(driver, "2", -1), RT_INVALID);
    struct vito_request request = suite_leg_request(VITO_LEG_OPEN, "3", 1);
    request.leg.id[0] = 'L';
    cr_assert_eq(suite_ask(driver, &request).status, RT_INVALID, "ids of legs begin with leg_");
    cr_assert_eq(suite_list_audit(driver), 0, "an intent is no event");
}

void
store_suite_settling_posts_the_cost_and_writes_one_record(const struct store_driver *driver)
{
    suite_open_month(driver, 1000);
    suite_grant(driver, 600, 600);
    suite_open_leg(driver, "1", 200);
    struct vito_stored stored = suite_settle_leg(driver, "1", 150);
    cr_assert_eq(stored.status, RT_OK);
    cr_assert_not(stored.repeated);
    cr_assert_eq(stored.budget.posted_nusd, 150);
    cr_assert_eq(stored.budget.reserved_nusd, 450);
    cr_assert_eq(stored.budget.tokens, 7);
    cr_assert_eq(stored.budget.interactions, 1);
    cr_assert_eq(stored.budget.media_ms[VITO_VOICE], 1500);
    cr_assert_eq(stored.budget.media_ms[VITO_VIDEO], 0);
    cr_assert_eq(suite_list_audit(driver), 1);
    driver->check(driver->self);
}

void
store_suite_settling_again_changes_nothing(const struct store_driver *driver)
{
    suite_open_month(driver, 1000);
    suite_grant(driver, 600, 600);
    suite_open_leg(driver, "1", 200);
    suite_settle_leg(driver, "1", 150);
    struct vito_stored again = suite_settle_leg(driver, "1", 600);
    cr_assert_eq(again.status, RT_OK);
    cr_assert(again.repeated);
    cr_assert_eq(again.cost_nusd, 150, "what was recorded the first time");
    cr_assert_eq(again.budget.posted_nusd, 150);
    cr_assert_eq(again.budget.reserved_nusd, 450);
    cr_assert_eq(suite_list_audit(driver), 1);
    driver->restart(driver->self, NOON_MS);
    cr_assert(suite_settle_leg(driver, "1", 150).repeated, "also in a later life");
    cr_assert_eq(suite_list_audit(driver), 1);
    driver->check(driver->self);
}

void
store_suite_only_a_tenants_own_open_legs_can_be_extended_or_settled(
    const struct store_driver *driver)
{
    suite_open_month(driver, 1000);
    cr_assert_eq(suite_extend_leg(driver, "1", 10), RT_NOT_FOUND);
    cr_assert_eq(suite_settle_leg(driver, "1", 10).status, RT_NOT_FOUND);
    suite_open_leg(driver, "1", 10);
    struct vito_request other = suite_leg_request(VITO_LEG_SETTLE, "1", 0);
    memcpy(other.tenant_id, "other", 6);
    cr_assert_eq(suite_ask(driver, &other).status, RT_NOT_FOUND);
    other.op = VITO_LEG_EXTEND;
    cr_assert_eq(suite_ask(driver, &other).status, RT_NOT_FOUND);
    cr_assert_eq(suite_settle_leg(driver, "1", 0).status, RT_OK);
    cr_assert_eq(suite_extend_leg(driver, "1", 20), RT_NOT_FOUND, "it is settled");
}

void
store_suite_a_cost_beyond_the_slice_is_posted_in_full(const struct store_driver *driver)
{
    suite_open_month(driver, 1000);
    suite_grant(driver, 100, 100);
    suite_open_leg(driver, "1", 100);
    struct vito_stored stored = suite_settle_leg(driver, "1", 250);
    cr_assert_eq(stored.budget.posted_nusd, 250);
    cr_assert_eq(stored.budget.reserved_nusd, 0);
    cr_assert_eq(suite_grant(driver, 1, 5000), 750, "the limit counts what was posted");
    suite_open_leg(driver, "2", 0);
    cr_assert_eq(suite_settle_leg(driver, "2", 0).budget.posted_nusd, 250,
                 "free legs cost nothing");
    driver->check(driver->self);
}

void
store_suite_nonsense_from_a_vendor_stays_within_numbers(const struct store_driver *driver)
{
    suite_open_month(driver, 1000);
    for (int i = 0; i < 3; i++) {
        struct vito_request request = suite_leg_request(VITO_LEG_OPEN,
                                                        i == 0   ? "0"
                                                        : i == 1 ? "1"
                                                                 : "2",
                                                        0);
        cr_assert_eq(suite_ask(driver, &request).status, RT_OK);
        request.op = VITO_LEG_SETTLE;
        request.leg.cost_nusd = i == 0 ? INT64_MIN : INT64_MAX;
        request.leg.use = i == 0 ? (struct vito_use){INT64_MIN, -1, -1}
                                 : (struct vito_use){INT64_MAX, INT64_MAX, INT64_MAX};
        struct vito_stored stored = suite_ask(driver, &request);
        cr_assert_eq(stored.status, RT_OK);
        cr_assert_eq(stored.budget.posted_nusd, i * VITO_NUSD_MAX);
        cr_assert_eq(suite_grant(driver, 1, 1) > 0, i == 0, "beyond every limit");
    }
    driver->check(driver->self);
}

static struct vito_open_leg
open_leg_at(size_t index)
{
    struct vito_open_leg leg;
    cr_assert_leq((index + 1) * sizeof(leg), suite_document_bytes);
    memcpy(&leg, suite_document + index * sizeof(leg), sizeof(leg));
    return leg;
}

void
store_suite_a_gateways_own_open_legs_are_listed(const struct store_driver *driver)
{
    struct vito_request list = suite_request_of(VITO_LEG_LIST, "cantor");
    suite_open_month(driver, 1000);
    cr_assert_eq(suite_ask(driver, &list).status, RT_OK);
    cr_assert_eq(suite_document_bytes, 0);
    suite_grant(driver, 600, 600);
    suite_open_leg(driver, "1", 100);
    suite_open_leg(driver, "2", 50);
    suite_open_leg(driver, "3", 60);
    suite_extend_leg(driver, "3", 90);
    suite_settle_leg(driver, "2", 10);
    cr_assert_eq(suite_ask(driver, &list).status, RT_OK);
    cr_assert_eq(suite_document_bytes, 2 * sizeof(struct vito_open_leg));
    cr_assert_eq(open_leg_at(0).held_nusd, 100);
    cr_assert_eq(open_leg_at(1).held_nusd, 90);
    cr_assert_eq(open_leg_at(1).period_start_ms, NOVEMBER_MS);
    cr_assert_not_null(strstr(open_leg_at(1).id, "leg_"));
    struct vito_request others = suite_request_of(VITO_LEG_LIST, "fernandez");
    cr_assert_eq(suite_ask(driver, &others).status, RT_OK);
    cr_assert_eq(suite_document_bytes, 0, "they are another tenant's");
    driver->restart(driver->self, NOON_MS);
    cr_assert_eq(suite_ask(driver, &list).status, RT_OK);
    cr_assert_eq(suite_document_bytes, 0, "what a former life left open is settled");
}
