/* Links: an end takes the others along with its reason, unless they trap it, and nothing that
 * crosses on its way leaves one half of a link at work. In the simulated world, over many seeds
 * where the order matters. */
#include <criterion/criterion.h>

#include "runtime/pool.h"
#include "runtime/sim.h"

enum { KIND_LINK = RT_KIND_USER, KIND_UNLINK, KIND_FAIL };

/* What the actors have seen, by the number each was spawned with. */
enum { ACTORS = 4 };
static struct {
    bool is_alive;
    bool has_unlinked, told_after_unlink;
    unsigned starts, broken;
    enum rt_exit_reason ended, told;
} seen[ACTORS];

static struct rt_sim *sim;
static struct rt_system *runtime;
static struct rt_address actors[ACTORS];
static const unsigned numbers[ACTORS] = {0, 1, 2, 3};

static enum rt_status
linked_init(struct rt_actor *self, void *state, const void *args)
{
    (void)self;
    *(unsigned *)state = *(const unsigned *)args;
    seen[*(unsigned *)state].is_alive = true;
    return RT_OK;
}

static void
linked_stop(struct rt_actor *self, void *state, enum rt_exit_reason reason)
{
    (void)self;
    seen[*(unsigned *)state].is_alive = false;
    seen[*(unsigned *)state].ended = reason;
}

static void
linked_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    unsigned number = *(unsigned *)state;
    switch (message->kind) {
    case RT_KIND_START:
        seen[number].starts++;
        break;
    case KIND_LINK:
        rt_link(self, *(struct rt_address *)rt_message_payload(message));
        break;
    case KIND_UNLINK:
        rt_unlink(self, *(struct rt_address *)rt_message_payload(message));
        seen[number].has_unlinked = true;
        break;
    case KIND_FAIL:
        rt_fail(self, "test");
        break;
    case RT_KIND_LINK_BROKEN:
        seen[number].broken++;
        seen[number].told_after_unlink |= seen[number].has_unlinked;
        seen[number].told = ((struct rt_down *)rt_message_payload(message))->reason;
        break;
    default:
        cr_assert_fail("kind %u", message->kind);
    }
}

static const struct rt_behaviour linked = {.name = "linked",
                                           .state_bytes = sizeof(unsigned),
                                           .limits = {10, 1 << 16},
                                           .init = linked_init,
                                           .handle = linked_handle,
                                           .stop = linked_stop};
static const struct rt_behaviour trapping = {.name = "trapping",
                                             .state_bytes = sizeof(unsigned),
                                             .limits = {10, 1 << 16},
                                             .traps_links = true,
                                             .init = linked_init,
                                             .handle = linked_handle,
                                             .stop = linked_stop};

static void
start(uint64_t seed)
{
    memset(seen, 0, sizeof(seen));
    sim = rt_sim_create(&(struct rt_sim_options){.seed = seed, .workers = 2});
    runtime = rt_sim_system(sim);
}

static void
setup(void)
{
    start(1);
}

static void
teardown(void)
{
    rt_sim_destroy(sim);
}

TestSuite(links, .init = setup, .fini = teardown, .timeout = 60);

static void
spawn(unsigned number, const struct rt_behaviour *behaviour, uint32_t restarts_max)
{
    struct rt_spawn_options options = {.behaviour = behaviour,
                                       .args = &numbers[number],
                                       .worker = RT_ANY_WORKER,
                                       .restarts_max = restarts_max,
                                       .restart_window_ms = 1000};
    cr_assert_eq(rt_spawn(runtime, &options, &actors[number]), RT_OK);
}

static void
run(void)
{
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + RT_NS_PER_MS);
}

/* Has `from` link to, or part from, `to`; when it gets a turn. */
static void
tell(unsigned from, uint32_t kind, unsigned to)
{
    struct rt_message *message = rt_message_create(kind, sizeof(struct rt_address));
    *(struct rt_address *)rt_message_payload(message) = actors[to];
    cr_assert_eq(rt_post(runtime, actors[from], message), RT_OK);
}

static void
spawn_linked(void)
{
    spawn(0, &linked, 0);
    spawn(1, &linked, 0);
    tell(0, KIND_LINK, 1);
    run();
}

Test(links, an_end_takes_the_linked_one_along_with_its_reason)
{
    spawn_linked();
    rt_exit(runtime, actors[1], RT_EXIT_KILLED);
    run();
    cr_assert_not(seen[0].is_alive);
    cr_assert_eq(seen[0].ended, RT_EXIT_KILLED);
    cr_assert_eq(rt_system_stats(runtime).actors, 0);
}

Test(links, a_link_works_the_other_way_too)
{
    spawn_linked();
    rt_exit(runtime, actors[0], RT_EXIT_SHUTDOWN);
    run();
    cr_assert_not(seen[1].is_alive);
    cr_assert_eq(seen[1].ended, RT_EXIT_SHUTDOWN);
}

Test(links, an_end_goes_through_a_chain_of_links)
{
    spawn_linked();
    spawn(2, &linked, 0);
    spawn(3, &linked, 0);
    tell(2, KIND_LINK, 1);
    tell(2, KIND_LINK, 3);
    run();
    rt_exit(runtime, actors[0], RT_EXIT_KILLED);
    run();
    cr_assert_eq(seen[3].ended, RT_EXIT_KILLED);
    cr_assert_eq(rt_system_stats(runtime).actors, 0);
}

Test(links, a_normal_end_leaves_the_linked_one_alone)
{
    spawn_linked();
    rt_exit(runtime, actors[0], RT_EXIT_NORMAL);
    run();
    cr_assert_not(seen[0].is_alive);
    cr_assert(seen[1].is_alive);
}

Test(links, who_traps_is_told_of_every_end_and_goes_on)
{
    static const enum rt_exit_reason reasons[] = {RT_EXIT_NORMAL, RT_EXIT_SHUTDOWN, RT_EXIT_KILLED,
                                                  RT_EXIT_FAILED};
    spawn(0, &trapping, 0);
    for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        spawn(1, &linked, 0);
        tell(0, KIND_LINK, 1);
        run();
        rt_exit(runtime, actors[1], reasons[i]);
        run();
        cr_assert_eq(seen[0].broken, i + 1);
        cr_assert_eq(seen[0].told, reasons[i]);
        cr_assert(seen[0].is_alive);
    }
}

Test(links, a_link_to_the_dead_breaks_at_once)
{
    spawn(0, &trapping, 0);
    spawn(1, &linked, 0);
    spawn(2, &linked, 0);
    rt_exit(runtime, actors[2], RT_EXIT_NORMAL);
    run();
    tell(0, KIND_LINK, 2);
    tell(1, KIND_LINK, 2);
    run();
    cr_assert_eq(seen[0].broken, 1);
    cr_assert_eq(seen[0].told, RT_EXIT_NOBODY);
    cr_assert_not(seen[1].is_alive);
    cr_assert_eq(seen[1].ended, RT_EXIT_FAILED);
}

Test(links, after_unlink_neither_end_means_anything)
{
    for (unsigned by = 0; by < 2; by++) {
        spawn_linked();
        tell(by, KIND_UNLINK, 1 - by);
        run();
        rt_exit(runtime, actors[1], RT_EXIT_KILLED);
        run();
        cr_assert(seen[0].is_alive);
        rt_exit(runtime, actors[0], RT_EXIT_NORMAL);
        run();
    }
}

Test(links, links_made_twice_and_from_both_sides_are_one)
{
    spawn_linked();
    tell(0, KIND_LINK, 1);
    tell(1, KIND_LINK, 0);
    run();
    tell(1, KIND_UNLINK, 0);
    run();
    rt_exit(runtime, actors[1], RT_EXIT_KILLED);
    run();
    cr_assert(seen[0].is_alive);
}

Test(links, a_link_to_oneself_is_none)
{
    spawn(0, &trapping, 1);
    tell(0, KIND_LINK, 0);
    run();
    tell(0, KIND_FAIL, 0);
    run();
    cr_assert_eq(seen[0].starts, 2);
    cr_assert_eq(seen[0].broken, 0);
}

Test(links, a_failure_breaks_them_also_when_the_actor_is_restarted)
{
    spawn(0, &linked, 5);
    spawn(1, &trapping, 0);
    tell(1, KIND_LINK, 0);
    run();
    tell(0, KIND_FAIL, 0);
    run();
    cr_assert_eq(seen[0].starts, 2);
    cr_assert_eq(seen[1].told, RT_EXIT_FAILED);
    rt_exit(runtime, actors[0], RT_EXIT_KILLED);
    run();
    cr_assert_eq(seen[1].broken, 1, "the new state is not linked");
}

Test(links, who_is_linked_to_a_failure_fails_and_is_restarted_within_its_own_limits)
{
    spawn(0, &linked, 0);
    spawn(1, &linked, 1);
    tell(0, KIND_LINK, 1);
    run();
    tell(0, KIND_FAIL, 0);
    run();
    cr_assert_not(seen[0].is_alive);
    cr_assert_eq(seen[1].starts, 2);
    cr_assert(seen[1].is_alive);
}

/* Whoever is first: an end that was sent before the unlink, and comes after it, is not heeded. */
Test(links, an_end_under_way_means_nothing_after_unlink)
{
    bool crossed = false;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        teardown();
        start(seed);
        spawn(0, &trapping, 0);
        spawn(1, &linked, 0);
        tell(0, KIND_LINK, 1);
        run();
        rt_exit(runtime, actors[1], RT_EXIT_KILLED);
        tell(0, KIND_UNLINK, 1);
        run();
        cr_assert_not(seen[0].told_after_unlink, "seed %lu", seed);
        crossed |= seen[0].broken == 0;
    }
    cr_assert(crossed, "some seeds unlink first");
}

Test(links, links_undone_leave_nothing_behind_with_the_other_one)
{
    spawn(0, &linked, 0);
    uint64_t before = 0;
    for (unsigned i = 0; i < 20000; i++) {
        if (i == 1000)
            before = rt_pool_stats().live_bytes;
        spawn(1, &linked, 0);
        tell(1, KIND_LINK, 0);
        tell(1, KIND_UNLINK, 0);
        run();
        rt_exit(runtime, actors[1], RT_EXIT_NORMAL);
        run();
    }
    cr_assert_eq(rt_pool_stats().live_bytes, before);
}

/* Who links and who unlinks at the same time, in any order: either both are linked or neither is.
 */
Test(links, what_crosses_on_its_way_leaves_no_half_of_a_link)
{
    unsigned linked_seeds = 0;
    enum { SEEDS = 300 };
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        for (unsigned killed = 0; killed < 2; killed++) {
            teardown();
            start(seed);
            spawn(0, &trapping, 0);
            spawn(1, &trapping, 0);
            tell(0, KIND_LINK, 1);
            tell(1, KIND_LINK, 0);
            tell(0, KIND_UNLINK, 1);
            run();
            rt_exit(runtime, actors[killed], RT_EXIT_KILLED);
            run();
            unsigned told = seen[1 - killed].broken;
            static unsigned told_before;
            if (killed == 1)
                cr_assert_eq(told, told_before, "seed %lu", seed);
            told_before = told;
            linked_seeds += told;
        }
    }
    cr_assert_lt(linked_seeds, 2 * SEEDS);
}
