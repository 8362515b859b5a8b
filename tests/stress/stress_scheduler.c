/* The real scheduler under load from inside and outside: tokens on a ring, many to one, actors
 * that are born and die while others still send to them, timers set and cancelled on wandering
 * actors, and messages posted at the end of a worker's round, when it has nothing else to do. Every
 * count must come out exactly; a lost wake-up hangs and is ended by the
 * test's timeout. */
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "runtime/pool.h"
#include "runtime/system.h"
#include "tests/stress/stress.h"

enum { WORKERS = 4, RING = 100, TOKENS = 20, HOPS = 20000 };
enum kind { KIND_TOKEN = RT_KIND_USER, KIND_NEXT, KIND_ITEM, KIND_ASK, KIND_ANSWER };

static struct rt_system *runtime;
static atomic_uint_fast64_t done;

static void
await(uint64_t wanted)
{
    while (atomic_load(&done) < wanted)
        usleep(1000);
    usleep(20000);
    CHECK(atomic_load(&done) == wanted);
    atomic_store(&done, 0);
}

static struct rt_address
spawn(const struct rt_behaviour *behaviour, int worker)
{
    struct rt_address address;
    struct rt_spawn_options options = {.behaviour = behaviour, .worker = worker};
    CHECK(rt_spawn(runtime, &options, &address) == RT_OK);
    return address;
}

struct ring_state {
    struct rt_address next;
};

static void
ring_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct ring_state *ring = state;
    if (message->kind == KIND_NEXT) {
        ring->next = *(struct rt_address *)rt_message_payload(message);
    } else if (message->kind == KIND_TOKEN) {
        uint64_t left = *(uint64_t *)rt_message_payload(message);
        if (left == 0) {
            atomic_fetch_add(&done, 1);
            return;
        }
        struct rt_message *token = rt_message_create(KIND_TOKEN, sizeof(uint64_t));
        *(uint64_t *)rt_message_payload(token) = left - 1;
        CHECK(rt_send(self, ring->next, token) == RT_OK);
    }
}

static void
test_ring(void)
{
    static const struct rt_behaviour behaviour = {.name = "ring",
                                                  .state_bytes = sizeof(struct ring_state),
                                                  .limits = {1 << 10, 1 << 20},
                                                  .handle = ring_handle};
    struct rt_address ring[RING];
    for (int i = 0; i < RING; i++)
        ring[i] = spawn(&behaviour, i % 3 == 0 ? i % WORKERS : RT_ANY_WORKER);
    for (int i = 0; i < RING; i++) {
        struct rt_message *message = rt_message_create(KIND_NEXT, sizeof(struct rt_address));
        *(struct rt_address *)rt_message_payload(message) = ring[(i + 1) % RING];
        rt_post(runtime, ring[i], message);
    }
    for (int i = 0; i < TOKENS; i++) {
        struct rt_message *token = rt_message_create(KIND_TOKEN, sizeof(uint64_t));
        *(uint64_t *)rt_message_payload(token) = HOPS;
        rt_post(runtime, ring[i], token);
    }
    await(TOKENS);
    for (int i = 0; i < RING; i++)
        rt_exit(runtime, ring[i], RT_EXIT_NORMAL);
}

enum { PRODUCERS = 8, ITEMS = 20000 };
static struct rt_address consumer;
static atomic_uint_fast64_t accepted;

static void
consumer_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)self, (void)state;
    if (message->kind == KIND_ITEM)
        atomic_fetch_add(&done, 1);
}

static void
producer_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    uint64_t *sent = state;
    if (message->kind >= RT_KIND_USER || message->kind == RT_KIND_START) {
        for (int i = 0; i < 100 && *sent < ITEMS; i++, ++*sent)
            if (rt_send(self, consumer, rt_message_create(KIND_ITEM, 0)) == RT_OK)
                atomic_fetch_add(&accepted, 1);
        if (*sent < ITEMS)
            rt_send(self, rt_self(self), rt_message_create(KIND_NEXT, 0));
        else
            rt_stop(self, RT_EXIT_NORMAL);
    }
}

static void
test_fan_in(void)
{
    static const struct rt_behaviour consuming = {
        .name = "consumer", .limits = {1000, 1 << 20}, .handle = consumer_handle};
    static const struct rt_behaviour producing = {.name = "producer",
                                                  .state_bytes = sizeof(uint64_t),
                                                  .limits = {10, 1 << 16},
                                                  .handle = producer_handle};
    consumer = spawn(&consuming, RT_ANY_WORKER);
    for (int i = 0; i < PRODUCERS; i++)
        spawn(&producing, RT_ANY_WORKER);
    while (rt_system_stats(runtime).actors > 1)
        usleep(1000);
    uint64_t refused = rt_system_stats(runtime).refused;
    CHECK(atomic_load(&accepted) + refused == (uint64_t)PRODUCERS * ITEMS);
    await(atomic_load(&accepted));
    rt_exit(runtime, consumer, RT_EXIT_NORMAL);
}

enum { ASKERS = 8, QUESTIONS = 5000 };

static void
mortal_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    unsigned *answered = state;
    if (message->kind != KIND_ASK)
        return;
    if (*answered % 3 != 0)
        rt_answer(self, message, rt_message_create(KIND_ANSWER, 0));
    else if (rt_owe(self, message) == NULL)
        CHECK(!"memory");
    if (++*answered == 5)
        rt_stop(self, RT_EXIT_NORMAL);
}

static const struct rt_behaviour mortal = {.name = "mortal",
                                           .state_bytes = sizeof(unsigned),
                                           .limits = {100, 1 << 20},
                                           .handle = mortal_handle};

struct asker {
    struct rt_address server;
    uint64_t asked, answers;
    struct rt_timer patience;
};

static void
asker_ask(struct rt_actor *self, struct asker *asker)
{
    if (asker->asked % 4 == 0) {
        struct rt_spawn_options options = {.behaviour = &mortal, .worker = RT_ANY_WORKER};
        CHECK(rt_spawn_child(self, &options, &asker->server) == RT_OK);
        rt_monitor(self, asker->server);
    }
    rt_timer_set(self, &asker->patience, asker->asked % 2 == 0 ? 50000 : RT_NS_PER_S);
    for (int i = 0; i < 3; i++)
        rt_request(self, asker->server, rt_message_create(KIND_ASK, 0), ++asker->asked);
}

static void
asker_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct asker *asker = state;
    switch (message->kind) {
    case RT_KIND_START:
        asker_ask(self, asker);
        break;
    case KIND_ANSWER:
    case RT_KIND_FAILED:
        CHECK(message->flags & RT_MESSAGE_ANSWER);
        asker->answers++;
        CHECK(asker->answers <= asker->asked);
        if (asker->asked >= QUESTIONS && asker->answers == asker->asked) {
            atomic_fetch_add(&done, 1);
            rt_stop(self, RT_EXIT_NORMAL);
        } else if (asker->answers + 3 >= asker->asked && asker->asked < QUESTIONS) {
            asker_ask(self, asker);
        }
        break;
    default: /* RT_KIND_TIMER and RT_KIND_DOWN; owed answers come when the mortal dies */
        if (message->kind == RT_KIND_TIMER && asker->server.id != 0)
            rt_exit(runtime, asker->server, RT_EXIT_KILLED);
        break;
    }
}

static void
test_death(void)
{
    static const struct rt_behaviour asking = {.name = "asker",
                                               .state_bytes = sizeof(struct asker),
                                               .limits = {1000, 1 << 20},
                                               .handle = asker_handle};
    for (int i = 0; i < ASKERS; i++)
        spawn(&asking, RT_ANY_WORKER);
    await(ASKERS);
    while (rt_system_stats(runtime).actors > 0)
        usleep(1000);
}

/* Goes on by a message that the end of the worker's round brings, as a socket's does. */
struct rounds {
    struct rt_deferred end;
    struct rt_address self;
    uint64_t left;
};

enum { ROUNDS = 2000 };

static void
round_ends(struct rt_deferred *end)
{
    struct rounds *rounds = RT_CONTAINER_OF(end, struct rounds, end);
    CHECK(rt_post(runtime, rounds->self, rt_message_create(KIND_TOKEN, 0)) == RT_OK);
}

static void
rounds_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct rounds *rounds = state;
    if (message->kind == RT_KIND_START)
        *rounds =
            (struct rounds){.end = {.run = round_ends}, .self = rt_self(self), .left = ROUNDS};
    if (rounds->left-- > 0)
        rt_system_defer(runtime, &rounds->end);
    else
        atomic_fetch_add(&done, 1);
}

static void
test_rounds(int worker)
{
    static const struct rt_behaviour going = {.name = "rounds",
                                              .state_bytes = sizeof(struct rounds),
                                              .limits = {10, 1 << 16},
                                              .handle = rounds_handle};
    spawn(&going, worker);
    await(1);
}

int
main(void)
{
    runtime =
        rt_system_create(&(struct rt_system_options){.workers = WORKERS, .world = rt_world_real()});
    CHECK(runtime != NULL);
    CHECK(rt_system_start(runtime) == RT_OK);
    test_ring();
    test_fan_in();
    test_death();
    test_rounds(0);
    test_rounds(RT_ANY_WORKER);
    rt_system_stop(runtime);
    rt_system_destroy(runtime);
    rt_pool_thread_end();
    puts("ring, fan-in, death and rounds: every count exact");
    return 0;
}
