/* What the wheel promises: no timer is early, none is late, none is lost, whatever the
 * distance; and the next wake-up it asks for is never after the first deadline. */
#include <criterion/criterion.h>

#include "runtime/random.h"
#include "runtime/timer_wheel.h"
#include "runtime/world.h"

static struct rt_wheel wheel;

static void
setup(void)
{
    rt_wheel_init(&wheel, 5 * RT_NS_PER_S);
}

TestSuite(timer_wheel, .init = setup, .timeout = 60);

Test(timer_wheel, an_empty_wheel_asks_for_no_wake_up)
{
    cr_assert_eq(rt_wheel_next_ns(&wheel), RT_WHEEL_NEVER);
    cr_assert_null(rt_wheel_expire(&wheel, 500 * RT_NS_PER_S));
}

Test(timer_wheel, a_timer_fires_at_its_deadline_and_not_a_nanosecond_before)
{
    struct rt_wheel_entry entry = {0};
    uint64_t at = 5 * RT_NS_PER_S + 1234567;
    rt_wheel_insert(&wheel, &entry, at);
    cr_assert_eq(rt_wheel_next_ns(&wheel), at);
    cr_assert_null(rt_wheel_expire(&wheel, at - 1));
    cr_assert_eq(rt_wheel_expire(&wheel, at), &entry);
    cr_assert_not(rt_wheel_entry_is_set(&entry));
}

Test(timer_wheel, a_deadline_in_the_past_fires_at_once)
{
    struct rt_wheel_entry entry = {0};
    rt_wheel_insert(&wheel, &entry, 1);
    cr_assert_eq(rt_wheel_expire(&wheel, 5 * RT_NS_PER_S), &entry);
}

Test(timer_wheel, a_removed_timer_never_fires)
{
    struct rt_wheel_entry entries[3] = {0};
    for (int i = 0; i < 3; i++)
        rt_wheel_insert(&wheel, &entries[i], 6 * RT_NS_PER_S);
    rt_wheel_remove(&wheel, &entries[1]);
    rt_wheel_remove(&wheel, &entries[1]);
    cr_assert_eq(rt_wheel_expire(&wheel, 7 * RT_NS_PER_S), &entries[0]);
    cr_assert_eq(rt_wheel_expire(&wheel, 7 * RT_NS_PER_S), &entries[2]);
    cr_assert_null(rt_wheel_expire(&wheel, 7 * RT_NS_PER_S));
    cr_assert_eq(rt_wheel_next_ns(&wheel), RT_WHEEL_NEVER);
}

Test(timer_wheel, a_deadline_beyond_the_last_wheel_is_carried_along)
{
    struct rt_wheel_entry entry = {0};
    uint64_t at = UINT64_C(40) * 3600 * RT_NS_PER_S + 77;
    rt_wheel_insert(&wheel, &entry, at);
    for (uint64_t now = 0; (now = rt_wheel_next_ns(&wheel)) < at;)
        cr_assert_null(rt_wheel_expire(&wheel, now));
    cr_assert_null(rt_wheel_expire(&wheel, at - 1));
    cr_assert_eq(rt_wheel_expire(&wheel, at), &entry);
}

enum { TIMERS = 500, ROUNDS = 3000 };

/* Against a plain array: random sets, cancels and steps of time. */
static void
run_against_model(uint64_t seed)
{
    static struct rt_wheel_entry entries[TIMERS];
    memset(entries, 0, sizeof(entries));
    struct rt_random random;
    rt_random_seed(&random, seed);
    uint64_t now = 5 * RT_NS_PER_S;
    rt_wheel_init(&wheel, now);
    for (int round = 0; round < ROUNDS; round++) {
        struct rt_wheel_entry *entry = &entries[rt_random_below(&random, TIMERS)];
        rt_wheel_remove(&wheel, entry);
        if (rt_random_chance(&random, 900)) {
            uint64_t magnitude = rt_random_below(&random, 46);
            rt_wheel_insert(&wheel, entry,
                            now + rt_random_below(&random, UINT64_C(1) << magnitude));
        }
        uint64_t earliest = RT_WHEEL_NEVER;
        for (int i = 0; i < TIMERS; i++)
            if (rt_wheel_entry_is_set(&entries[i]) && entries[i].deadline_ns < earliest)
                earliest = entries[i].deadline_ns;
        cr_assert_leq(rt_wheel_next_ns(&wheel), earliest);
        if (rt_random_chance(&random, 500))
            now += rt_random_below(&random, UINT64_C(1) << rt_random_below(&random, 42));
        else if (rt_wheel_next_ns(&wheel) != RT_WHEEL_NEVER && rt_wheel_next_ns(&wheel) > now)
            now = rt_wheel_next_ns(&wheel);
        for (struct rt_wheel_entry *due; (due = rt_wheel_expire(&wheel, now)) != NULL;)
            cr_assert_leq(due->deadline_ns, now, "early");
        for (int i = 0; i < TIMERS; i++)
            cr_assert(!rt_wheel_entry_is_set(&entries[i]) || entries[i].deadline_ns > now, "late");
    }
}

Test(timer_wheel, random_sets_cancels_and_steps_agree_with_a_plain_list)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        run_against_model(seed);
}
