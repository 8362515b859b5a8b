/*
 * Months: their figures, and what is granted of them.
 */
#include <criterion/criterion.h>

#include "tests/unit/vito/store_suite.h"
#include "tests/unit/vito/store_suite_kit.h"
#include "vito/money.h"

void
store_suite_a_month_is_opened_once_and_keeps_its_figures(const struct store_driver *driver)
{
    cr_assert_eq(suite_budget(driver, VITO_BUDGET_GRANT, 0, 1, 1).status, RT_NOT_FOUND);
    cr_assert_eq(suite_budget(driver, VITO_BUDGET_RETURN, 0, 0, 1).status, RT_NOT_FOUND);
    struct vito_budget fresh = suite_open_month(driver, 1000);
    cr_assert_eq(fresh.posted_nusd, 0);
    cr_assert_eq(fresh.reserved_nusd, 0);
    cr_assert_eq(suite_grant(driver, 100, 100), 100);
    struct vito_budget again = suite_open_month(driver, 2000);
    cr_assert_eq(again.reserved_nusd, 100);
    cr_assert_eq(again.granted_nusd, 0, "only a grant grants");
    driver->check(driver->self);
}

void
store_suite_a_grant_is_what_is_left_and_never_less_than_the_need(const struct store_driver *driver)
{
    suite_open_month(driver, 1000);
    cr_assert_eq(suite_grant(driver, 100, 700), 700);
    cr_assert_eq(suite_grant(driver, 100, 700), 300, "what is left");
    cr_assert_eq(suite_grant(driver, 1, 700), 0, "nothing is left");
    suite_open_month(driver, 1500);
    cr_assert_eq(suite_grant(driver, 501, 501), 0, "less than the need is nothing");
    cr_assert_eq(suite_grant(driver, 500, 0), 500, "at least the need");
    struct vito_stored stored = suite_budget(driver, VITO_BUDGET_GRANT, 0, 0, 0);
    cr_assert_eq(stored.budget.granted_nusd, 0);
    cr_assert_eq(stored.budget.reserved_nusd, 1500);
    driver->check(driver->self);
}

void
store_suite_a_dollar_is_granted_in_exactly_a_hundred_cents(const struct store_driver *driver)
{
    int64_t cent = VITO_NUSD_PER_USD / 100;
    suite_open_month(driver, VITO_NUSD_PER_USD);
    int granted = 0;
    for (int i = 0; i < 150; i++)
        granted += suite_grant(driver, cent, cent) == cent;
    cr_assert_eq(granted, 100);
}

void
store_suite_what_is_returned_can_be_granted_again(const struct store_driver *driver)
{
    suite_open_month(driver, 1000);
    suite_grant(driver, 1000, 1000);
    struct vito_stored stored = suite_budget(driver, VITO_BUDGET_RETURN, 0, 0, 400);
    cr_assert_eq(stored.budget.reserved_nusd, 600);
    cr_assert_eq(suite_grant(driver, 1, 1000), 400);
    stored = suite_budget(driver, VITO_BUDGET_RETURN, 0, 0, 5000);
    cr_assert_eq(stored.budget.reserved_nusd, 0, "no more than there is");
    stored = suite_budget(driver, VITO_BUDGET_RETURN, 0, 0, 1);
    cr_assert_eq(stored.status, RT_OK);
    cr_assert_eq(stored.budget.reserved_nusd, 0);
    stored = suite_budget(driver, VITO_BUDGET_RETURN, 0, 0, -5);
    cr_assert_eq(stored.budget.reserved_nusd, 0, "nor less than nothing");
    driver->check(driver->self);
}

void
store_suite_a_lowered_limit_grants_nothing_more(const struct store_driver *driver)
{
    suite_open_month(driver, 1000);
    suite_grant(driver, 600, 600);
    suite_open_month(driver, 500);
    cr_assert_eq(suite_grant(driver, 1, 1), 0);
    suite_open_month(driver, 601);
    cr_assert_eq(suite_grant(driver, 1, 1), 1);
    driver->check(driver->self);
}

void
store_suite_a_month_counted_in_another_zone_takes_over_what_was_spent(
    const struct store_driver *driver)
{
    suite_open_month(driver, 1000);
    suite_grant(driver, 600, 600);
    suite_open_leg(driver, "1", 200);
    suite_settle_leg(driver, "1", 200);

    struct vito_request madrid = suite_request_of(VITO_BUDGET_OPEN, "cantor");
    madrid.period_start_ms -= 3600000;
    madrid.period_end_ms -= 3600000;
    madrid.budget.limit_nusd = 1000;
    struct vito_stored stored = suite_ask(driver, &madrid);
    cr_assert_eq(stored.budget.posted_nusd, 600, "what was spent and what still may be");
    cr_assert_eq(stored.budget.tokens, 7);
    cr_assert_eq(suite_grant(driver, 1, 1), 0, "the month before grants no more");
    driver->check(driver->self);

    struct vito_stored back = suite_budget(driver, VITO_BUDGET_OPEN, 1000, 0, 0);
    cr_assert_eq(back.budget.posted_nusd, 600, "nor is there more by going back");
    struct vito_request next = suite_request_of(VITO_BUDGET_OPEN, "cantor");
    next.period_start_ms = DECEMBER_MS;
    next.period_end_ms = DECEMBER_MS + 31 * INT64_C(86400000);
    next.budget.limit_nusd = 1000;
    cr_assert_eq(suite_ask(driver, &next).budget.posted_nusd, 0, "the next month is another one");
    driver->check(driver->self);
}
