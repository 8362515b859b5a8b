/* Actors of one worker that go ahead: beside a crowd of a hundred that only this worker may run,
 * all always busy, the two that go ahead have every second turn between them, and each of the crowd
 * its share of the rest. Counted, not timed. */
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "runtime/pool.h"
#include "runtime/system.h"
#include "tests/stress/stress.h"

enum { CROWD = 100, AHEAD = 2, ALL = CROWD + AHEAD, TURNS = 40000, KIND_WORK = RT_KIND_USER };

static atomic_uint had[ALL], turns;

static void
handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    unsigned *number = state;
    if (message->kind != KIND_WORK)
        return;
    if (*number == 0)
        *number = 1 + *(unsigned *)rt_message_payload(message);
    if (atomic_fetch_add(&turns, 1) >= TURNS) {
        rt_stop(self, RT_EXIT_NORMAL);
        return;
    }
    atomic_fetch_add(&had[*number - 1], 1);
    struct rt_message *next = rt_message_create(KIND_WORK, sizeof(unsigned));
    *(unsigned *)rt_message_payload(next) = *number - 1;
    rt_send(self, rt_self(self), next); /* one a turn */
}

static void
spawn(struct rt_system *system, unsigned number)
{
    static const struct rt_behaviour working = {.name = "worker",
                                                .state_bytes = sizeof(unsigned),
                                                .limits = {10, 1 << 16},
                                                .handle = handle};
    struct rt_spawn_options options = {
        .behaviour = &working, .worker = 0, .goes_ahead = number >= CROWD};
    struct rt_address address;
    CHECK(rt_spawn(system, &options, &address) == RT_OK);
    struct rt_message *first = rt_message_create(KIND_WORK, sizeof(number));
    *(unsigned *)rt_message_payload(first) = number;
    CHECK(rt_post(system, address, first) == RT_OK);
}

static bool
is_about(unsigned turns_had, unsigned wanted)
{
    return turns_had > wanted * 9 / 10 && turns_had < wanted * 11 / 10;
}

int
main(void)
{
    struct rt_system_options options = {.workers = 1, .world = rt_world_real()};
    struct rt_system *system = rt_system_create(&options);
    CHECK(system != NULL);
    for (unsigned number = 0; number < ALL; number++)
        spawn(system, number);
    CHECK(rt_system_start(system) == RT_OK);
    while (rt_system_stats(system).actors > 0)
        usleep(1000);
    rt_system_stop(system);
    rt_system_destroy(system);
    printf("ahead %u and %u, the first of the crowd %u turns\n", had[CROWD], had[CROWD + 1],
           had[0]);
    for (unsigned number = CROWD; number < ALL; number++)
        CHECK(is_about(had[number], TURNS / 2 / AHEAD));
    for (unsigned number = 0; number < CROWD; number++)
        CHECK(is_about(had[number], TURNS / 2 / CROWD));
    rt_pool_thread_end();
    return 0;
}
