/* What a run queue promises: first in first out, a bound, and thieves that take the older half. */
#include <criterion/criterion.h>

#include "runtime/run_queue.h"

static struct rt_run_queue queue;

/* The queue only carries pointers. */
static struct rt_actor *
actor(uintptr_t number)
{
    return (struct rt_actor *)(number * 64);
}

static void
setup(void)
{
    rt_run_queue_init(&queue);
}

TestSuite(run_queue, .init = setup, .timeout = 60);

Test(run_queue, an_empty_queue_gives_nothing)
{
    struct rt_actor *loot[4];
    cr_assert_null(rt_run_queue_pop(&queue));
    cr_assert_eq(rt_run_queue_steal(&queue, loot, 4), 0);
}

Test(run_queue, the_oldest_comes_first_also_after_many_rounds_of_the_ring)
{
    for (uintptr_t i = 1; i < 5 * RT_RUN_QUEUE_SLOTS; i++) {
        cr_assert(rt_run_queue_push(&queue, actor(i)));
        cr_assert_eq(rt_run_queue_pop(&queue), actor(i));
    }
}

Test(run_queue, a_full_queue_refuses)
{
    for (uintptr_t i = 1; i <= RT_RUN_QUEUE_SLOTS; i++)
        cr_assert(rt_run_queue_push(&queue, actor(i)));
    cr_assert_not(rt_run_queue_push(&queue, actor(999)));
    cr_assert_eq(rt_run_queue_count(&queue), RT_RUN_QUEUE_SLOTS);
}

Test(run_queue, a_thief_takes_the_older_half)
{
    struct rt_actor *loot[32];
    for (uintptr_t i = 1; i <= 7; i++)
        cr_assert(rt_run_queue_push(&queue, actor(i)));
    cr_assert_eq(rt_run_queue_steal(&queue, loot, 32), 4);
    for (uintptr_t i = 0; i < 4; i++)
        cr_assert_eq(loot[i], actor(i + 1));
    cr_assert_eq(rt_run_queue_pop(&queue), actor(5));
}

Test(run_queue, of_one_a_thief_takes_that_one)
{
    struct rt_actor *loot[32];
    cr_assert(rt_run_queue_push(&queue, actor(1)));
    cr_assert_eq(rt_run_queue_steal(&queue, loot, 32), 1);
    cr_assert_eq(rt_run_queue_count(&queue), 0);
}
