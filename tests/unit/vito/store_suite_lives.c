/*
 * What a life of the store leaves to the next one; and random lives, beside a model.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "runtime/random.h"
#include "tests/unit/vito/store_suite.h"
#include "tests/unit/vito/store_suite_kit.h"

static size_t
list_adopted(const struct store_driver *driver, struct vito_adopted_leg *first)
{
    struct vito_request list = suite_request_of(VITO_LEG_LIST_ADOPTED, "");
    cr_assert_eq(suite_ask(driver, &list).status, RT_OK);
    if (suite_document_bytes >= sizeof(*first))
        memcpy(first, suite_document, sizeof(*first));
    return suite_document_bytes / sizeof(*first);
}

void
store_suite_a_restart_keeps_what_video_legs_hold_until_they_are_settled(
    const struct store_driver *driver)
{
    struct vito_adopted_leg room;
    struct vito_request open = suite_leg_request(VITO_LEG_OPEN, "room", 200);
    open.leg.mode = VITO_VIDEO;
    suite_open_month(driver, 1000);
    cr_assert_eq(list_adopted(driver, &room), 0);
    suite_grant(driver, 600, 600);
    cr_assert_eq(suite_ask(driver, &open).status, RT_OK);
    suite_open_leg(driver, "1", 100);
    cr_assert_eq(list_adopted(driver, &room), 0, "it is this life's own");
    for (int life = 0; life < 3; life++) {
        driver->restart(driver->self, NOON_MS + life);
        cr_assert_eq(list_adopted(driver, &room), 1);
        struct vito_budget budget = suite_open_month(driver, 1000);
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
    struct vito_request others = suite_request_of(VITO_LEG_LIST, "cantor");
    cr_assert_eq(suite_ask(driver, &others).status, RT_OK);
    cr_assert_eq(suite_document_bytes, 0, "its tenant has nothing to do with it");
    suite_settle_leg(driver, "room", 150);
    cr_assert_eq(list_adopted(driver, &room), 0);
    struct vito_budget after = suite_open_month(driver, 1000);
    cr_assert_eq(after.slice_nusd, 0, "the rest is nobody's");
    cr_assert_eq(after.reserved_nusd, 0);
    cr_assert_eq(after.posted_nusd, 250);
    driver->check(driver->self);
}

static enum rt_status
name_leg(const struct store_driver *driver, const char *id, const char *ref)
{
    struct vito_request request = suite_leg_request(VITO_LEG_REF, id, 0);
    request.document = ref == NULL ? NULL : rt_buffer_copy(ref, strlen(ref));
    return suite_ask(driver, &request).status;
}

void
store_suite_a_video_leg_is_listed_by_the_name_that_its_vendor_gave_it(
    const struct store_driver *driver)
{
    struct vito_adopted_leg room;
    char longest[VITO_VENDOR_REF_BYTES], too_long[VITO_VENDOR_REF_BYTES + 1];
    struct vito_request open = suite_leg_request(VITO_LEG_OPEN, "room", 200);
    open.leg.mode = VITO_VIDEO;
    suite_open_month(driver, 1000);
    suite_grant(driver, 200, 200);
    cr_assert_eq(name_leg(driver, "room", "c1"), RT_NOT_FOUND);
    cr_assert_eq(suite_ask(driver, &open).status, RT_OK);
    driver->restart(driver->self, NOON_MS);
    cr_assert_eq(list_adopted(driver, &room), 1);
    cr_assert_str_empty(room.vendor_ref);
    memset(longest, '~', sizeof(longest) - 1);
    memset(too_long, '~', sizeof(too_long) - 1);
    longest[sizeof(longest) - 1] = too_long[sizeof(too_long) - 1] = '\0';
    const char *wrong[] = {NULL, "", "with space", "caf\xc3\xa9", "\x7f", too_long};
    for (size_t i = 0; i < RT_COUNT_OF(wrong); i++)
        cr_expect_eq(name_leg(driver, "room", wrong[i]), RT_INVALID, "%zu", i);
    const char *right[] = {"c1", "c'2;--", longest};
    for (size_t i = 0; i < RT_COUNT_OF(right); i++) {
        cr_assert_eq(name_leg(driver, "room", right[i]), RT_OK);
        driver->restart(driver->self, NOON_MS);
        cr_assert_eq(list_adopted(driver, &room), 1);
        cr_expect_str_eq(room.vendor_ref, right[i]);
    }
    suite_settle_leg(driver, "room", 150);
    cr_assert_eq(name_leg(driver, "room", "c3"), RT_NOT_FOUND);
    driver->check(driver->self);
}

void
store_suite_a_video_leg_that_ran_on_after_a_crash_takes_nothing_from_others(
    const struct store_driver *driver)
{
    struct vito_request open = suite_leg_request(VITO_LEG_OPEN, "room", 200);
    open.leg.mode = VITO_VIDEO;
    suite_open_month(driver, 1000);
    suite_grant(driver, 200, 200);
    cr_assert_eq(suite_ask(driver, &open).status, RT_OK);
    driver->restart(driver->self, NOON_MS);
    suite_grant(driver, 300, 300);
    suite_open_leg(driver, "1", 300);
    suite_settle_leg(driver, "room", 450);
    struct vito_budget after = suite_open_month(driver, 1000);
    cr_assert_eq(after.posted_nusd, 450);
    cr_assert_eq(after.reserved_nusd, 300, "what the other leg holds is there");
    driver->check(driver->self);
    suite_settle_leg(driver, "1", 300);
    cr_assert_eq(suite_open_month(driver, 1000).reserved_nusd, 0);
    driver->check(driver->self);
}

/* A gateway that others took for dead may still ask for it. */
void
store_suite_nothing_more_is_held_for_a_video_leg_of_a_former_life(const struct store_driver *driver)
{
    struct vito_adopted_leg room;
    struct vito_request open = suite_leg_request(VITO_LEG_OPEN, "room", 200);
    open.leg.mode = VITO_VIDEO;
    suite_open_month(driver, 1000);
    suite_grant(driver, 200, 200);
    cr_assert_eq(suite_ask(driver, &open).status, RT_OK);
    cr_assert_eq(suite_extend_leg(driver, "room", 200), RT_OK);
    driver->restart(driver->self, NOON_MS);
    cr_assert_eq(suite_extend_leg(driver, "room", 600), RT_NOT_FOUND);
    cr_assert_eq(list_adopted(driver, &room), 1);
    cr_assert_eq(room.leg.held_nusd, 200);
    driver->check(driver->self);
}

void
store_suite_a_restart_counts_what_open_legs_held_as_spent(const struct store_driver *driver)
{
    suite_open_month(driver, 1000);
    suite_grant(driver, 600, 600);
    suite_open_leg(driver, "1", 100);
    cr_assert_eq(suite_extend_leg(driver, "1", 180), RT_OK);
    cr_assert_eq(suite_extend_leg(driver, "1", 20), RT_OK,
                 "less is held: it may have been spent before");
    suite_open_leg(driver, "2", 50);
    driver->restart(driver->self, NOON_MS + 5);

    struct vito_budget after = suite_open_month(driver, 1000);
    cr_assert_eq(after.posted_nusd, 230);
    cr_assert_eq(after.reserved_nusd, 0);
    cr_assert_eq(after.tokens, 0);
    cr_assert_eq(suite_list_audit(driver), 2);
    cr_assert_not_null(strstr(suite_document, "\"cost_amount\":\"0.000000180\""));
    cr_assert_not_null(strstr(suite_document, "\"outcome\":\"recovered\""));
    struct vito_stored late = suite_settle_leg(driver, "2", 1);
    cr_assert(late.repeated, "a late settlement changes nothing");
    cr_assert_eq(late.cost_nusd, 50, "and is told so");
    driver->check(driver->self);
}

void
store_suite_a_restart_gives_the_rest_of_a_slice_back(const struct store_driver *driver)
{
    suite_open_month(driver, 1000);
    suite_grant(driver, 1000, 1000);
    suite_open_leg(driver, "1", 300);
    suite_settle_leg(driver, "1", 300);
    driver->restart(driver->self, NOON_MS);
    cr_assert_eq(suite_open_month(driver, 1000).reserved_nusd, 0);
    cr_assert_eq(suite_grant(driver, 1, 1000), 700);
    struct vito_stored stored = suite_budget(driver, VITO_BUDGET_RETURN, 0, 0, 1000);
    cr_assert_eq(stored.budget.reserved_nusd, 0);
    for (int i = 0; i < 3; i++)
        driver->restart(driver->self, NOON_MS);
    cr_assert_eq(suite_open_month(driver, 1000).posted_nusd, 300);
    driver->check(driver->self);
}

void
store_suite_a_leg_on_the_slice_of_an_earlier_life_is_denied(const struct store_driver *driver)
{
    int64_t life = suite_open_month(driver, 1000).life;
    cr_assert_gt(life, 0);
    struct vito_stored granted = suite_budget(driver, VITO_BUDGET_GRANT, 0, 100, 100);
    cr_assert_eq(granted.budget.life, life);
    cr_assert_eq(granted.budget.nodes, 1);
    struct vito_request request = suite_leg_request(VITO_LEG_OPEN, "1", 10);
    request.life = life;
    cr_assert_eq(suite_ask(driver, &request).status, RT_OK);
    driver->restart(driver->self, NOON_MS);
    struct vito_budget after = suite_open_month(driver, 1000);
    cr_assert_gt(after.life, life);
    cr_assert_eq(after.slice_nusd, 0);
    request = suite_leg_request(VITO_LEG_OPEN, "2", 10);
    request.life = life;
    cr_assert_eq(suite_ask(driver, &request).status, RT_DENIED);
    cr_assert_eq(suite_settle_leg(driver, "2", 0).status, RT_NOT_FOUND, "nothing was written");
    request.life = after.life;
    cr_assert_eq(suite_ask(driver, &request).status, RT_OK);
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
    struct vito_budget figures = suite_open_month(driver, model->limit);
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
        cr_assert_eq(suite_open_leg(driver, id, amount), RT_OK);
        model->held[i] = amount;
        return;
    }
    snprintf(id, sizeof(id), "%d", model->leg_number[i]);
    if (amount % 3 == 0) {
        cr_assert_eq(suite_extend_leg(driver, id, amount), RT_OK);
        model->held[i] = amount > model->held[i] ? amount : model->held[i];
        return;
    }
    cr_assert_eq(suite_settle_leg(driver, id, amount).status, RT_OK);
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
    cr_assert_eq(suite_grant(driver, amount / 2, amount), wanted);
    model->slice += wanted;
}

static void
step_return(const struct store_driver *driver, struct model *model, int64_t amount)
{
    suite_budget(driver, VITO_BUDGET_RETURN, 0, 0, amount);
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
    suite_open_month(driver, model.limit);
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
    cr_assert_eq(suite_list_audit(driver), model.records);
    driver->check(driver->self);
}
