/* Links between actors of four workers, made and undone while ends go round: a ring falls as one,
 * who traps hears of it once, and nobody is left over. */
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "runtime/pool.h"
#include "runtime/system.h"
#include "tests/stress/stress.h"

enum { RING = 64, ROUNDS = 300, KIND_LINK = RT_KIND_USER, KIND_WAVER };

static atomic_uint linked, told, ended_otherwise;

/* Links to, or links to and parts from, the actor that is named. */
static void
member_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)state;
    if (message->kind != KIND_LINK && message->kind != KIND_WAVER)
        return;
    struct rt_address other = *(struct rt_address *)rt_message_payload(message);
    rt_link(self, other);
    if (message->kind == KIND_WAVER)
        rt_unlink(self, other);
    atomic_fetch_add(&linked, 1);
}

static void
member_stop(struct rt_actor *self, void *state, enum rt_exit_reason reason)
{
    (void)self, (void)state;
    atomic_fetch_add(&ended_otherwise, reason != RT_EXIT_KILLED);
}

static void
watcher_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    member_handle(self, state, message);
    if (message->kind != RT_KIND_LINK_BROKEN)
        return;
    CHECK(((struct rt_down *)rt_message_payload(message))->reason == RT_EXIT_KILLED);
    atomic_fetch_add(&told, 1);
    rt_stop(self, RT_EXIT_NORMAL);
}

static const struct rt_behaviour member = {
    .name = "member", .limits = {100, 1 << 16}, .handle = member_handle, .stop = member_stop};
static const struct rt_behaviour watcher = {
    .name = "watcher", .limits = {100, 1 << 16}, .traps_links = true, .handle = watcher_handle};

static struct rt_address
spawn(struct rt_system *system, const struct rt_behaviour *behaviour)
{
    struct rt_spawn_options options = {.behaviour = behaviour, .worker = RT_ANY_WORKER};
    struct rt_address address;
    CHECK(rt_spawn(system, &options, &address) == RT_OK);
    return address;
}

static void
tell(struct rt_system *system, struct rt_address who, uint32_t kind, struct rt_address about)
{
    struct rt_message *message = rt_message_create(kind, sizeof(about));
    *(struct rt_address *)rt_message_payload(message) = about;
    CHECK(rt_post(system, who, message) == RT_OK);
}

/* A ring of links, across it links that are undone at once, from both sides; then one is killed. */
static void
one_round(struct rt_system *system, unsigned round)
{
    struct rt_address ring[RING], observer = spawn(system, &watcher);
    for (unsigned i = 0; i < RING; i++)
        ring[i] = spawn(system, &member);
    unsigned wanted = atomic_load(&linked) + 2 * RING + 1;
    for (unsigned i = 0; i < RING; i++) {
        tell(system, ring[i], KIND_LINK, ring[(i + 1) % RING]);
        tell(system, ring[i], KIND_WAVER, ring[(i + RING / 2) % RING]);
    }
    tell(system, observer, KIND_LINK, ring[round % RING]);
    while (atomic_load(&linked) < wanted)
        usleep(10);
    rt_exit(system, ring[round * 7 % RING], RT_EXIT_KILLED);
    while (rt_system_stats(system).actors > 0)
        usleep(10);
    CHECK(atomic_load(&told) == round + 1);
}

int
main(void)
{
    struct rt_system_options options = {.workers = 4, .world = rt_world_real()};
    struct rt_system *system = rt_system_create(&options);
    CHECK(system != NULL);
    CHECK(rt_system_start(system) == RT_OK);
    for (unsigned round = 0; round < ROUNDS; round++)
        one_round(system, round);
    rt_system_stop(system);
    rt_system_destroy(system);
    rt_pool_thread_end();
    CHECK(atomic_load(&ended_otherwise) == 0);
    printf("%d rings of %d fell as one\n", ROUNDS, RING);
    return 0;
}
