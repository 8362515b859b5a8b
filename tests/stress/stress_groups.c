/* Turns go round by groups first: two crowds and a single actor, all always busy. Counted, not
 * timed: on one worker the single actor gets as many turns as the crowd of its weight, and the
 * crowd of twice the weight gets twice as many; in each crowd all get their share. On four workers,
 * where shares are the cores', nobody is lost: each of them comes to its end. */
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "runtime/pool.h"
#include "runtime/system.h"
#include "tests/stress/stress.h"

enum { CROWD = 100, ROUNDS = 4000, SHARES = 3, KIND_WORK = RT_KIND_USER, KIND_GROW };

struct share {
    unsigned weight, actors;
};

static const struct share shares[SHARES] = {{1, 1}, {1, CROWD}, {2, CROWD}};
static atomic_uint_fast64_t turns[SHARES];
static atomic_uint had[SHARES][CROWD + 1], born[SHARES];
static atomic_bool stopping;

struct worker {
    unsigned share, number;
};

static void
worker_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct worker *worker = state;
    if (message->kind != KIND_WORK)
        return;
    if (worker->number == 0) {
        worker->share = *(unsigned *)rt_message_payload(message);
        worker->number = 1 + atomic_fetch_add(&born[worker->share], 1);
    }
    if (atomic_load(&stopping)) {
        rt_stop(self, RT_EXIT_NORMAL);
        return;
    }
    atomic_fetch_add(&turns[worker->share], 1);
    atomic_fetch_add(&had[worker->share][worker->number], 1);
    if (worker->share == 0 && atomic_load(&turns[0]) == ROUNDS)
        atomic_store(&stopping, true);
    rt_send(self, rt_self(self), rt_message_create(KIND_WORK, 0)); /* one a turn */
}

static const struct rt_behaviour working = {.name = "worker",
                                            .state_bytes = sizeof(struct worker),
                                            .limits = {10, 1 << 16},
                                            .handle = worker_handle};

/* Leads a group and fills it; it works no more itself. */
static void
leader_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    if (message->kind == RT_KIND_DOWN && atomic_fetch_sub(&born[*(unsigned *)state], 1) == 1)
        rt_stop(self, RT_EXIT_NORMAL);
    if (message->kind != KIND_GROW)
        return;
    unsigned share = *(unsigned *)state = *(unsigned *)rt_message_payload(message);
    for (unsigned i = 0; i < shares[share].actors; i++) {
        struct rt_spawn_options options = {.behaviour = &working, .worker = RT_ANY_WORKER};
        struct rt_address child;
        CHECK(rt_spawn_child(self, &options, &child) == RT_OK);
        struct rt_message *first = rt_message_create(KIND_WORK, sizeof(share));
        *(unsigned *)rt_message_payload(first) = share;
        CHECK(rt_send(self, child, first) == RT_OK);
    }
}

static void
run(unsigned workers)
{
    static const struct rt_behaviour leading = {.name = "leader",
                                                .state_bytes = sizeof(unsigned),
                                                .limits = {10, 1 << 16},
                                                .handle = leader_handle};
    struct rt_system_options options = {.workers = workers, .world = rt_world_real()};
    struct rt_system *system = rt_system_create(&options);
    CHECK(system != NULL);
    atomic_store(&stopping, false);
    for (unsigned share = SHARES; share-- > 0;) { /* the single one comes last */
        struct rt_spawn_options leader = {
            .behaviour = &leading, .worker = RT_ANY_WORKER, .group_weight = shares[share].weight};
        struct rt_address address;
        CHECK(rt_spawn(system, &leader, &address) == RT_OK);
        struct rt_message *grow = rt_message_create(KIND_GROW, sizeof(share));
        *(unsigned *)rt_message_payload(grow) = share;
        CHECK(rt_post(system, address, grow) == RT_OK);
        atomic_store(&turns[share], 0);
        atomic_store(&born[share], 0);
    }
    CHECK(rt_system_start(system) == RT_OK);
    while (rt_system_stats(system).actors > 0)
        usleep(1000);
    rt_system_stop(system);
    rt_system_destroy(system);
}

static bool
is_about(uint64_t turns_had, uint64_t wanted)
{
    return turns_had > wanted * 8 / 10 && turns_had < wanted * 12 / 10;
}

int
main(void)
{
    run(1);
    printf("alone %lu, a crowd %lu, one of twice the weight %lu turns\n", turns[0], turns[1],
           turns[2]);
    CHECK(is_about(turns[1], ROUNDS));
    CHECK(is_about(turns[2], 2 * ROUNDS));
    for (unsigned share = 1; share < SHARES; share++)
        for (unsigned i = 1; i <= CROWD; i++)
            CHECK(is_about(had[share][i], ROUNDS * shares[share].weight / CROWD));
    run(4);
    rt_pool_thread_end();
    return 0;
}
