/* What the machine promises to an actor that fails: a fresh state with its address and its mail,
 * without any memory, and not for ever. */
#include "tests/unit/runtime/actor_box.h"

TestSuite(restart, .init = setup, .fini = teardown, .timeout = 60);

static void
fail(struct rt_actor *self, struct probe *probe)
{
    (void)probe;
    rt_fail(self, "test");
}

Test(restart, a_failed_actor_starts_afresh_with_its_address_and_mail)
{
    struct rt_address a;
    struct rt_spawn_options options = {.behaviour = &main_behaviour,
                                       .worker = RT_ANY_WORKER,
                                       .restarts_max = 2,
                                       .restart_window_ms = 1000,
                                       .restart_backoff_ms = 10};
    cr_assert_eq(rt_spawn(runtime, &options, &a), RT_OK);
    run();
    tell(a, fail);
    rt_post(runtime, a, rt_message_create(KIND_NOTE, 0));
    run();
    cr_assert_eq(seen.count, 2, "a new state");
    cr_assert(seen.kinds[0] == RT_KIND_START || seen.kinds[1] == RT_KIND_START);

    tell(a, fail); /* the second in the window: after the back-off */
    run();
    memset(&seen, 0, sizeof(seen));
    rt_post(runtime, a, rt_message_create(KIND_NOTE, 0));
    run();
    cr_assert_eq(seen.count, 0, "nothing is handled in the pause");
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + 20 * RT_NS_PER_MS);
    cr_assert_eq(rt_system_stats(runtime).restarts, 2);
    cr_assert_eq(seen.count, 2);

    tell(a, fail); /* the third: over the limit */
    run();
    cr_assert_eq(rt_system_stats(runtime).actors, 0);
    cr_assert_eq(tell(a, fail), RT_CLOSED);
}

/* The linker puts it in the pool's place. */
void *__real_rt_pool_take(size_t size_bytes);

void *__wrap_rt_pool_take(size_t size_bytes);

static bool no_memory;

void *
__wrap_rt_pool_take(size_t size_bytes)
{
    return no_memory ? NULL : __real_rt_pool_take(size_bytes);
}

static unsigned refusals; /* of init, still to come */

static uint64_t numbers_from; /* of the last life that began */

static enum rt_status
reluctant_init(struct rt_actor *self, void *state, const void *args)
{
    (void)state, (void)args;
    numbers_from = rt_numbers_from(self);
    if (refusals == 0)
        return RT_OK;
    refusals--;
    return RT_NO_MEMORY;
}

static const struct rt_behaviour reluctant_behaviour = {
    .name = "reluctant",
    .state_bytes = sizeof(struct probe),
    .limits = {.messages_max = 4, .bytes_max = 1 << 16},
    .init = reluctant_init,
    .handle = main_handle,
};

static struct rt_address
spawn_with_restarts(uint32_t restarts_max)
{
    struct rt_address a;
    struct rt_spawn_options options = {.behaviour = &reluctant_behaviour,
                                       .worker = RT_ANY_WORKER,
                                       .restarts_max = restarts_max,
                                       .restart_window_ms = 1000,
                                       .restart_backoff_ms = 10};
    cr_assert_eq(rt_spawn(runtime, &options, &a), RT_OK);
    run();
    return a;
}

Test(restart, a_restart_needs_no_memory)
{
    struct rt_address a = spawn_with_restarts(1);
    rt_exit(runtime, a, RT_EXIT_FAILED);
    no_memory = true;
    run();
    no_memory = false;
    cr_assert_eq(rt_system_stats(runtime).restarts, 1);
    cr_assert_eq(rt_post(runtime, a, rt_message_create(KIND_NOTE, 0)), RT_OK);
}

Test(restart, a_life_numbers_its_questions_beyond_those_of_the_life_before)
{
    enum { QUESTIONS = 1000000 };
    struct rt_address a = spawn_with_restarts(2);
    cr_assert_eq(numbers_from, 0);
    for (int i = 0; i < 2; i++) {
        uint64_t before = numbers_from;
        rt_exit(runtime, a, RT_EXIT_FAILED);
        rt_sim_run_until(sim, rt_sim_now_ns(sim) + RT_NS_PER_S / 2);
        cr_assert_gt(numbers_from, before + QUESTIONS);
    }
}

Test(restart, one_that_cannot_begin_again_tries_once_more_after_the_back_off)
{
    struct rt_address a = spawn_with_restarts(3);
    refusals = 2;
    rt_exit(runtime, a, RT_EXIT_FAILED);
    rt_post(runtime, a, rt_message_create(KIND_NOTE, 0));
    run();
    cr_assert_eq(refusals, 1, "at once");
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + 10 * RT_NS_PER_MS);
    cr_assert_eq(refusals, 0);
    memset(&seen, 0, sizeof(seen));
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + 20 * RT_NS_PER_MS);
    cr_assert_eq(rt_system_stats(runtime).restarts, 1);
    cr_assert_eq(seen.count, 2, "START, and the note that had waited");
}

Test(restart, one_that_can_never_begin_again_ends)
{
    struct rt_address a = spawn_with_restarts(3);
    refusals = 100;
    rt_exit(runtime, a, RT_EXIT_FAILED);
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + RT_NS_PER_S);
    cr_assert_eq(refusals, 97);
    cr_assert_eq(rt_post(runtime, a, rt_message_create(KIND_NOTE, 0)), RT_CLOSED);
}
