/*
 * Many requests in one transaction.
 */
#include <criterion/criterion.h>

#include "tests/unit/vito/store_suite.h"
#include "tests/unit/vito/store_suite_kit.h"

void
store_suite_what_is_rolled_back_never_was(const struct store_driver *driver)
{
    suite_open_month(driver, 1000);
    cr_assert_eq(driver->begin(driver->self), RT_OK);
    struct vito_request requests[] = {
        suite_request_of(VITO_BUDGET_GRANT, "cantor"), suite_leg_request(VITO_LEG_OPEN, "1", 10),
        suite_leg_request(VITO_LEG_SETTLE, "1", 0), suite_leg_request(VITO_LEG_OPEN, "2", 10)};
    requests[0].budget.want_nusd = 500;
    for (size_t i = 0; i < RT_COUNT_OF(requests); i++)
        cr_assert_eq(suite_execute(driver, &requests[i]).status, RT_OK);
    driver->rollback(driver->self);
    cr_assert_eq(suite_open_month(driver, 1000).reserved_nusd, 0);
    cr_assert_eq(suite_settle_leg(driver, "1", 0).status, RT_NOT_FOUND);
    cr_assert_eq(suite_settle_leg(driver, "2", 0).status, RT_NOT_FOUND);
    cr_assert_eq(suite_list_audit(driver), 0);
    driver->check(driver->self);
}

void
store_suite_a_refused_request_leaves_the_rest_of_its_batch(const struct store_driver *driver)
{
    suite_open_month(driver, 1000);
    suite_grant(driver, 500, 500);
    suite_open_leg(driver, "1", 10);
    cr_assert_eq(driver->begin(driver->self), RT_OK);
    struct vito_request requests[] = {
        suite_leg_request(VITO_LEG_OPEN, "2", 10),   suite_leg_request(VITO_LEG_OPEN, "1", 10),
        suite_leg_request(VITO_LEG_SETTLE, "9", 10), suite_leg_request(VITO_LEG_OPEN, "3", -1),
        suite_request_of(VITO_TENANT_PUT, "cantor"), suite_leg_request(VITO_LEG_OPEN, "4", 10)};
    static const enum rt_status wanted[] = {RT_OK,      RT_EXISTS,  RT_NOT_FOUND,
                                            RT_INVALID, RT_INVALID, RT_OK};
    for (size_t i = 0; i < RT_COUNT_OF(wanted); i++)
        cr_assert_eq(suite_execute(driver, &requests[i]).status, wanted[i], "request %zu", i);
    cr_assert_eq(driver->commit(driver->self), RT_OK);
    cr_assert_eq(suite_settle_leg(driver, "2", 1).status, RT_OK);
    cr_assert_eq(suite_settle_leg(driver, "4", 1).status, RT_OK);
    cr_assert_eq(suite_settle_leg(driver, "3", 1).status, RT_NOT_FOUND);
    driver->check(driver->self);
}
