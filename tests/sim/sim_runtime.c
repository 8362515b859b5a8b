/* The simulated world itself: a crowd of actors that talk, set timers, fail and die. The same
 * seed must give the same trace; other seeds must not all give the same one. */
#include <stdint.h>

#include "runtime/pool.h"
#include "runtime/sim.h"
#include "tests/stress/stress.h"

enum { CROWD = 50, SEEDS = 50 };
enum kind { KIND_GOSSIP = RT_KIND_USER, KIND_ASK };

struct gossip {
    struct rt_timer timer;
    unsigned heard;
};

static struct rt_address crowd[CROWD];

static void
gossip_tell(struct rt_actor *self)
{
    uint64_t dice[2];
    rt_random(self, dice, sizeof(dice));
    struct rt_address to = crowd[dice[0] % CROWD];
    if (dice[1] % 17 == 0)
        rt_link(self, to);
    else if (dice[1] % 19 == 0)
        rt_unlink(self, to);
    if (dice[1] % 3 == 0)
        rt_request(self, to, rt_message_create(KIND_ASK, 0), 1 + dice[1] % 1000);
    else
        rt_send(self, to, rt_message_create(KIND_GOSSIP, dice[1] % 500));
}

static void
gossip_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct gossip *gossip = state;
    uint64_t dice;
    rt_random(self, &dice, sizeof(dice));
    switch (message->kind) {
    case RT_KIND_START:
    case RT_KIND_TIMER:
        gossip_tell(self);
        rt_timer_set(self, &gossip->timer, dice % (5 * RT_NS_PER_MS));
        break;
    case KIND_GOSSIP:
        if (++gossip->heard % 50 == 0)
            rt_fail(self, "tired");
        else
            gossip_tell(self);
        break;
    case KIND_ASK:
        if (dice % 200 == 0)
            rt_stop(self, RT_EXIT_NORMAL); /* and every question gets its FAILED */
        break;
    default:
        break;
    }
}

/* Two of three trap the ends of others, which would else be an end of all very soon. */
static const struct rt_behaviour gossiping[] = {{.name = "gossip",
                                                 .state_bytes = sizeof(struct gossip),
                                                 .limits = {20, 8192},
                                                 .handle = gossip_handle},
                                                {.name = "trapper",
                                                 .state_bytes = sizeof(struct gossip),
                                                 .limits = {20, 8192},
                                                 .traps_links = true,
                                                 .handle = gossip_handle}};

static uint64_t
run(uint64_t seed)
{
    struct rt_sim *sim = rt_sim_create(&(struct rt_sim_options){.seed = seed, .workers = 3});
    CHECK(sim != NULL);
    for (int i = 0; i < CROWD; i++) {
        struct rt_spawn_options options = {.behaviour = &gossiping[i % 3 > 0],
                                           .worker = i % 5 == 0 ? i % 3 : RT_ANY_WORKER,
                                           .restarts_max = 3,
                                           .restart_window_ms = 50,
                                           .restart_backoff_ms = 2,
                                           .message_tries_max = i % 2 == 0 ? RT_MESSAGE_TRIES : 0};
        CHECK(rt_spawn(rt_sim_system(sim), &options, &crowd[i]) == RT_OK);
    }
    rt_sim_run_until(sim, 2 * RT_NS_PER_S);
    uint64_t hash = rt_sim_hash(sim);
    CHECK(rt_sim_steps(sim) > 1000);
    rt_sim_destroy(sim);
    return hash;
}

int
main(void)
{
    unsigned distinct = 0;
    uint64_t before = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t hash = run(seed);
        uint64_t again = run(seed);
        if (hash != again) {
            fprintf(stderr, "seed %lu gave %016lx, then %016lx\n", seed, hash, again);
            return 1;
        }
        distinct += hash != before;
        before = hash;
    }
    CHECK(distinct == SEEDS);
    rt_pool_thread_end();
    printf("%d seeds, each twice, same trace\n", SEEDS);
    return 0;
}
