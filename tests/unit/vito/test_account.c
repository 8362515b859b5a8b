/* What an account promises: nothing is held that is not there, every amount is in one place only,
 * and a settled hold opens nothing. */
#include <criterion/criterion.h>
#include <string.h>

#include "runtime/random.h"
#include "vito/account.h"
#include "vito/money.h"

TestSuite(account, .timeout = 60);

static const struct vito_use nothing;

/* An account of $1.00 with some of it in its slice. */
static struct vito_account
account_with(int64_t slice_nusd)
{
    return (struct vito_account){.limit_nusd = VITO_NUSD_PER_USD, .slice_nusd = slice_nusd};
}

static struct vito_hold *
hold_of(struct vito_account *account, int64_t amount_nusd)
{
    struct vito_hold *hold = NULL;
    cr_assert_eq(
        vito_account_hold(account, "cantor", "leg_1", VITO_VOICE, amount_nusd, 5000, &hold), RT_OK);
    return hold;
}

Test(account, a_hold_comes_out_of_what_is_free)
{
    struct vito_account account = account_with(100);
    struct vito_hold *hold = hold_of(&account, 60);
    cr_assert_eq(vito_account_free(&account), 40);
    cr_assert_eq(vito_hold_amount(hold), 60);
    cr_assert_eq(vito_hold_media_ms(hold), 5000);
    cr_assert_eq(vito_hold_mode(hold), VITO_VOICE);
    cr_assert_str_eq(vito_hold_leg_id(hold), "leg_1");
    cr_assert_str_eq(vito_hold_tenant_id(hold), "cantor");
    cr_assert_eq(account.media_held_ms[VITO_VOICE], 5000);
    cr_assert_eq(account.opened_count, 1);
    vito_hold_release(hold);
}

Test(account, what_is_not_there_cannot_be_held)
{
    struct vito_account account = account_with(100);
    struct vito_hold *hold = hold_of(&account, 60), *more = NULL;
    cr_assert_eq(vito_account_hold(&account, "cantor", "leg_2", VITO_TEXT, 41, 0, &more), RT_FULL);
    cr_assert_null(more);
    cr_assert_eq(vito_account_extend(&account, hold, 41, 0), RT_FULL);
    cr_assert_eq(vito_hold_amount(hold), 60);
    cr_assert_eq(vito_account_extend(&account, hold, 40, 1000), RT_OK);
    cr_assert_eq(vito_hold_amount(hold), 100);
    cr_assert_eq(vito_account_free(&account), 0);
    cr_assert_eq(account.media_held_ms[VITO_VOICE], 6000);
    vito_hold_release(hold);
}

Test(account, settling_posts_the_cost_and_frees_the_rest)
{
    struct vito_account account = account_with(100);
    struct vito_hold *hold = hold_of(&account, 60);
    struct vito_use use = {.tokens = 7, .media_ms = 4000, .interactions = 1};
    cr_assert(vito_account_settle(&account, hold, 45, &use));
    cr_assert_eq(account.posted_nusd, 45);
    cr_assert_eq(account.slice_nusd, 55);
    cr_assert_eq(vito_account_free(&account), 55);
    cr_assert_eq(account.tokens, 7);
    cr_assert_eq(account.interactions, 1);
    cr_assert_eq(account.media_ms[VITO_VOICE], 4000);
    cr_assert_eq(account.media_held_ms[VITO_VOICE], 0);
    cr_assert_eq(account.overrun_nusd, 0);
    vito_hold_release(hold);
}

Test(account, a_settled_hold_opens_nothing_and_settles_nothing)
{
    struct vito_account account = account_with(100);
    struct vito_hold *hold = hold_of(&account, 60);
    cr_assert(vito_hold_is_open(hold));
    cr_assert(vito_account_settle(&account, hold, 45, &nothing));
    cr_assert_not(vito_hold_is_open(hold));
    cr_assert_not(vito_account_settle(&account, hold, 45, &nothing));
    cr_assert_eq(account.posted_nusd, 45);
    cr_assert_eq(vito_account_extend(&account, hold, 1, 0), RT_CLOSED);
    cr_assert_eq(vito_hold_amount(hold), 0);
    vito_hold_release(hold);
    cr_assert_not(vito_hold_is_open(NULL));
    cr_assert_eq(vito_hold_amount(NULL), 0);
    cr_assert_eq(vito_hold_media_ms(NULL), 0);
}

Test(account, a_hold_lives_until_its_last_owner_lets_go)
{
    struct vito_account account = account_with(100);
    struct vito_hold *hold = hold_of(&account, 60);
    cr_assert_eq(vito_hold_acquire(hold), hold);
    vito_account_settle(&account, hold, 0, &nothing);
    vito_hold_release(hold);
    cr_assert_str_eq(vito_hold_leg_id(hold), "leg_1", "still ours");
    vito_hold_release(hold);
    vito_hold_release(NULL);
}

Test(account, a_touched_hold_stays_touched)
{
    struct vito_account account = account_with(100);
    struct vito_hold *hold = hold_of(&account, 60);
    cr_assert_not(vito_hold_is_touched(hold));
    vito_hold_touch(hold);
    cr_assert(vito_hold_is_touched(hold));
    vito_account_settle(&account, hold, 0, &nothing);
    cr_assert(vito_hold_is_touched(hold));
    cr_assert_not(vito_hold_is_touched(NULL));
    vito_hold_release(hold);
}

Test(account, a_cost_beyond_its_hold_is_posted_in_full_and_blocks_new_holds)
{
    struct vito_account account = account_with(100);
    struct vito_hold *a = hold_of(&account, 50), *b = hold_of(&account, 50), *c = NULL;
    vito_account_settle(&account, a, 70, &nothing);
    cr_assert_eq(account.posted_nusd, 70);
    cr_assert_eq(account.slice_nusd, 30);
    cr_assert_eq(account.overrun_nusd, 20);
    cr_assert_eq(vito_account_free(&account), -20);
    cr_assert_eq(vito_account_hold(&account, "cantor", "leg_2", VITO_TEXT, 0, 0, &c), RT_FULL);
    vito_account_settle(&account, b, 200, &nothing);
    cr_assert_eq(account.posted_nusd, 270);
    cr_assert_eq(account.slice_nusd, 0);
    cr_assert_eq(account.held_nusd, 0);
    vito_hold_release(a);
    vito_hold_release(b);
}

Test(account, nonsense_from_a_vendor_stays_within_numbers)
{
    struct vito_account account = account_with(100);
    const struct vito_use huge = {INT64_MAX, INT64_MAX, INT64_MAX};
    const struct vito_use below = {INT64_MIN, -1, -1};
    const struct vito_price_list prices = {1, 1, 1};
    for (int i = 0; i < 3; i++) {
        struct vito_hold *hold = hold_of(&account, 0);
        vito_account_settle(&account, hold, INT64_MAX, i < 2 ? &huge : &below);
        vito_hold_release(hold);
    }
    cr_assert_eq(account.posted_nusd, INT64_MAX);
    cr_assert_eq(account.tokens, INT64_MAX);
    cr_assert_eq(account.media_ms[VITO_VOICE], INT64_MAX);
    cr_assert_eq(vito_account_remaining(&account), 0);
    cr_assert_eq(vito_account_grantable(&account), 0);
    cr_assert_eq(vito_use_price(&huge, &prices), INT64_MAX);
    cr_assert_eq(vito_use_price(&below, &prices), 0);
}

Test(account, a_leg_costs_each_meter_rounded_up_by_itself)
{
    const struct vito_price_list prices = {
        .interaction_nusd = 10000000, .token_1k_nusd = 1, .minute_nusd = 45000001};
    const struct vito_use use = {.tokens = 1, .media_ms = 1, .interactions = 2};
    cr_assert_eq(vito_use_price(&use, &prices), 20000000 + 1 + 751);
    cr_assert_eq(vito_use_price(&nothing, &prices), 0);
}

Test(account, what_is_left_counts_holds_and_other_nodes)
{
    struct vito_account account = {.limit_nusd = 1000,
                                   .posted_nusd = 300,
                                   .reserved_nusd = 200,
                                   .slice_nusd = 100,
                                   .held_nusd = 60};
    cr_assert_eq(vito_account_remaining(&account), 440);
    cr_assert_eq(vito_account_grantable(&account), 400);
    account.limit_nusd = 100; /* lowered below what was spent */
    cr_assert_eq(vito_account_remaining(&account), 0);
    cr_assert_eq(vito_account_grantable(&account), 0);
}

Test(account, a_grant_asked_for_is_guided_by_use_and_by_what_is_left)
{
    struct vito_account account = {.limit_nusd = 1000000};
    cr_assert_eq(vito_account_ask(&account, 10, 100000, 1), 400000, "seconds of use");
    cr_assert_eq(vito_account_ask(&account, 10, 1000000, 1), 500000, "half of what is left");
    cr_assert_eq(vito_account_ask(&account, 10, 1000000, 5), 100000, "a node's share of it");
    cr_assert_eq(vito_account_ask(&account, 10, 0, 1), 80, "a few steps, at first");
    account.posted_nusd = 999985;
    cr_assert_eq(vito_account_ask(&account, 10, 1000000, 1), 10, "the need, near the limit");
    cr_assert_eq(vito_account_ask(&account, 20, 1000000, 1), 20, "even when it is not there");
    cr_assert_eq(vito_account_ask(&account, 0, INT64_MAX, 1), 7);
}

Test(account, the_next_slice_is_due_when_less_than_30_percent_of_one_are_left)
{
    struct vito_account account = {.limit_nusd = 1000000};
    cr_assert_eq(vito_account_refill(&account, 300, 10, 250, 1), 0, "30 % of four seconds' use");
    cr_assert_eq(vito_account_refill(&account, 299, 10, 250, 1), 1000);
    cr_assert_eq(vito_account_refill(&account, 240, 100, 0, 1), 0, "30 % of eight steps");
    cr_assert_eq(vito_account_refill(&account, 239, 100, 0, 1), 800);
    cr_assert_eq(vito_account_refill(&account, -1, 100, 0, 1), 800, "a vendor took too much");
}

Test(account, near_the_limit_no_slice_is_asked_for_ahead)
{
    struct vito_account account = {.limit_nusd = 10000, .posted_nusd = 8000};
    cr_assert_eq(vito_account_refill(&account, 0, 10, 250, 1), 1000, "half of what is left");
    cr_assert_eq(vito_account_refill(&account, 0, 10, 251, 1), 0);
    cr_assert_eq(vito_account_refill(&account, 0, 10, 250, 2), 0, "a node's share is less");
    account.posted_nusd = 8001;
    cr_assert_eq(vito_account_refill(&account, 0, 10, 250, 1), 0);
    account.posted_nusd = 10000;
    cr_assert_eq(vito_account_refill(&account, 0, 1, 0, 1), 0);
    cr_assert_eq(vito_account_refill(&account, 0, INT64_MAX, INT64_MAX, 1), 0);
}

/* A dollar in cents: each step holds one, spends one, and asks the store when it must. */
Test(account, a_dollar_pays_for_exactly_a_hundred_cents)
{
    enum { CENT = 10000000 };
    struct vito_account account = account_with(0);
    int served = 0;
    for (int i = 0; i < 200; i++) {
        int64_t missing = CENT - vito_account_free(&account);
        if (missing > 0) {
            int64_t wanted = vito_account_ask(&account, missing, served * INT64_C(1000000), 1);
            int64_t left = account.limit_nusd - account.posted_nusd - account.slice_nusd;
            if (left >= missing)
                account.slice_nusd += wanted < left ? wanted : left;
        }
        struct vito_hold *hold;
        if (vito_account_hold(&account, "cantor", "leg", VITO_TEXT, CENT, 0, &hold) != RT_OK)
            continue;
        vito_account_settle(&account, hold, CENT, &nothing);
        vito_hold_release(hold);
        served++;
    }
    cr_assert_eq(served, 100);
    cr_assert_eq(account.posted_nusd, VITO_NUSD_PER_USD);
}

enum { HOLDS = 32 };

struct model {
    struct vito_hold *holds[HOLDS];
    int64_t amounts[HOLDS];
    int64_t posted, slice, overrun;
};

static void
compare(const struct vito_account *account, const struct model *model)
{
    int64_t held = 0;
    for (int i = 0; i < HOLDS; i++)
        if (model->holds[i] != NULL) {
            held += model->amounts[i];
            cr_assert_eq(vito_hold_amount(model->holds[i]), model->amounts[i]);
            cr_assert(vito_hold_is_open(model->holds[i]));
        }
    cr_assert_eq(account->held_nusd, held);
    cr_assert_eq(account->posted_nusd, model->posted);
    cr_assert_eq(account->slice_nusd, model->slice);
    cr_assert_eq(account->overrun_nusd, model->overrun);
    vito_account_check(account);
}

static void
step_hold(struct vito_account *account, struct model *model, int i, int64_t amount)
{
    bool fits = amount <= vito_account_free(account);
    enum rt_status status;
    if (model->holds[i] == NULL)
        status = vito_account_hold(account, "cantor", "leg", (enum vito_mode)(i % VITO_MODE_COUNT),
                                   amount, amount, &model->holds[i]);
    else
        status = vito_account_extend(account, model->holds[i], amount, amount);
    cr_assert_eq(status, fits ? RT_OK : RT_FULL);
    model->amounts[i] += fits ? amount : 0;
}

static void
step_settle(struct vito_account *account, struct model *model, int i, int64_t cost)
{
    if (model->holds[i] == NULL)
        return;
    cr_assert(vito_account_settle(account, model->holds[i], cost, &nothing));
    vito_hold_release(model->holds[i]);
    model->posted += cost;
    model->slice = model->slice > cost ? model->slice - cost : 0;
    model->overrun += cost > model->amounts[i] ? cost - model->amounts[i] : 0;
    model->holds[i] = NULL;
    model->amounts[i] = 0;
}

static void
step_grant(struct vito_account *account, struct model *model, int64_t want)
{
    int64_t grantable = vito_account_grantable(account);
    int64_t granted = want < grantable ? want : grantable;
    account->slice_nusd += granted;
    model->slice += granted;
}

Test(account, random_lives_keep_every_amount_in_one_place)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct rt_random random;
        rt_random_seed(&random, seed);
        struct vito_account account = {.limit_nusd = 100000};
        struct model model = {0};
        bool overruns = seed % 2 == 0;
        for (int step = 0; step < 2000; step++) {
            int i = (int)rt_random_below(&random, HOLDS);
            int64_t amount = (int64_t)rt_random_below(&random, 300);
            if (rt_random_chance(&random, 500))
                step_hold(&account, &model, i, amount);
            else if (rt_random_chance(&random, 700))
                step_settle(&account, &model, i,
                            overruns || amount < model.amounts[i] ? amount : model.amounts[i]);
            else
                step_grant(&account, &model, amount * 5);
            compare(&account, &model);
            if (!overruns)
                cr_assert_leq(account.posted_nusd + account.slice_nusd, account.limit_nusd);
        }
        for (int i = 0; i < HOLDS; i++)
            step_settle(&account, &model, i, 0);
        cr_assert_eq(account.held_nusd, 0);
        for (int mode = 0; mode < VITO_MODE_COUNT; mode++)
            cr_assert_eq(account.media_held_ms[mode], 0);
    }
}
