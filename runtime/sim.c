#include "runtime/sim.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/assert.h"
#include "runtime/internal.h"

enum {
    BATCH_MAX = 100, /* messages a turn at most, as in the real scheduler */
    RUNNABLE_ROOM_FIRST = 64,
    STALLS_MAX = 16, /* actors that stand still at once */
};

/* An actor that is not scheduled for a while. */
struct stall {
    uint64_t actor_id;
    uint64_t until_ns;
};

struct event {
    uint64_t at_ns;
    uint64_t sequence;
    void (*run)(void *context);
    void *context;
};

struct rt_sim {
    struct rt_system system; /* first: actors point at it */
    struct rt_world world;
    struct rt_random random;
    uint64_t now_ns;
    uint64_t suspended_ns; /* in all: what the boot clock is ahead */
    int64_t start_wall_ms;
    int64_t wall_step_ms; /* in all: what somebody has set the wall clock ahead */
    uint64_t hash;
    uint64_t steps;
    bool ending;

    struct rt_worker workers[RT_WORKERS_MAX];
    uint64_t worker_until_ns[RT_WORKERS_MAX]; /* it stands still until then */
    struct stall stalls[STALLS_MAX];

    struct rt_actor **runnable;
    size_t runnable_count, runnable_room;

    struct event *events; /* a binary heap, soonest first */
    size_t event_count, event_room;
    uint64_t event_sequence;
};

static struct rt_sim *
sim_of(struct rt_system *system)
{
    return system->sim;
}

static uint64_t
sim_now_ns(void *self)
{
    return ((struct rt_sim *)self)->now_ns;
}

static uint64_t
sim_boot_ns(void *self)
{
    struct rt_sim *sim = self;
    return sim->now_ns + sim->suspended_ns;
}

static int64_t
sim_wall_ms(void *self)
{
    struct rt_sim *sim = self;
    return sim->start_wall_ms + sim->wall_step_ms + (int64_t)(sim_boot_ns(sim) / RT_NS_PER_MS);
}

static void
sim_random_bytes(void *self, void *bytes_out, size_t size_bytes)
{
    rt_random_bytes(&((struct rt_sim *)self)->random, bytes_out, size_bytes);
}

void
rt_sim_trace(struct rt_sim *sim, uint64_t value)
{
    /* FNV-1a over words: cheap, and any difference in order or value shows. */
    sim->hash = (sim->hash ^ value) * UINT64_C(0x100000001b3);
    sim->hash ^= sim->hash >> 29;
}

static bool
is_before(const struct event *a, const struct event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->sequence < b->sequence;
}

static bool
grow(void **array, size_t *room, size_t item_bytes)
{
    size_t bigger = *room == 0 ? RUNNABLE_ROOM_FIRST : *room * 2;
    void *moved = realloc(*array, bigger * item_bytes);
    if (moved == NULL)
        return false;
    *array = moved;
    *room = bigger;
    return true;
}

bool
rt_sim_after(struct rt_sim *sim, uint64_t delay_ns, void (*run)(void *context), void *context)
{
    if (sim->event_count == sim->event_room &&
        !grow((void **)&sim->events, &sim->event_room, sizeof(*sim->events)))
        return false;
    struct event event = {sim->now_ns + delay_ns, ++sim->event_sequence, run, context};
    size_t at = sim->event_count++;
    while (at > 0 && is_before(&event, &sim->events[(at - 1) / 2])) {
        sim->events[at] = sim->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    sim->events[at] = event;
    return true;
}

static struct event
take_event(struct rt_sim *sim)
{
    struct event first = sim->events[0];
    struct event last = sim->events[--sim->event_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= sim->event_count)
            break;
        if (child + 1 < sim->event_count && is_before(&sim->events[child + 1], &sim->events[child]))
            child++;
        if (!is_before(&sim->events[child], &last))
            break;
        sim->events[at] = sim->events[child];
        at = child;
    }
    sim->events[at] = last;
    return first;
}

void
rt_sim_add(struct rt_actor *actor)
{
    struct rt_sim *sim = sim_of(actor->system);
    if (sim->ending)
        return;
    if (sim->runnable_count == sim->runnable_room) {
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): it is a list of pointers */
        bool grown = grow((void **)&sim->runnable, &sim->runnable_room, sizeof(sim->runnable[0]));
        RT_ASSERT(grown);
    }
    sim->runnable[sim->runnable_count++] = actor;
}

/* Until when an actor stands still: itself, or the worker that it is pinned to. */
static uint64_t
held_until_ns(const struct rt_sim *sim, const struct rt_actor *actor)
{
    uint64_t until_ns = actor->worker == RT_ANY_WORKER ? 0 : sim->worker_until_ns[actor->worker];
    for (size_t i = 0; i < STALLS_MAX; i++)
        if (sim->stalls[i].actor_id == rt_actor_id(actor) && sim->stalls[i].until_ns > until_ns)
            until_ns = sim->stalls[i].until_ns;
    return until_ns;
}

static void
release(void *actor)
{
    rt_sim_add(actor);
}

static unsigned
choose_worker(struct rt_sim *sim, const struct rt_actor *actor)
{
    if (actor->worker != RT_ANY_WORKER)
        return (unsigned)actor->worker;
    unsigned count = sim->system.worker_count;
    unsigned worker = (unsigned)rt_random_below(&sim->random, count);
    for (unsigned i = 0; i < count && sim->worker_until_ns[worker] > sim->now_ns; i++)
        worker = (worker + 1) % count;
    return worker;
}

static void
run_some_actor(struct rt_sim *sim)
{
    size_t index = rt_random_below(&sim->random, sim->runnable_count);
    struct rt_actor *actor = sim->runnable[index];
    sim->runnable[index] = sim->runnable[--sim->runnable_count];
    uint64_t held_ns = held_until_ns(sim, actor);
    if (held_ns > sim->now_ns) {
        bool kept = rt_sim_after(sim, held_ns - sim->now_ns, release, actor);
        RT_ASSERT(kept);
        return;
    }

    unsigned worker = choose_worker(sim, actor);
    /* Mostly short turns: they interleave actors more. */
    uint64_t bound = rt_random_chance(&sim->random, 700) ? 4 : BATCH_MAX;
    struct rt_turn_limits limits = {
        .messages_max = 1 + (unsigned)rt_random_below(&sim->random, bound),
        .time_max_ns = UINT64_MAX,
    };
    rt_sim_trace(sim, rt_actor_id(actor));
    rt_sim_trace(sim, sim->now_ns);
    rt_sim_trace(sim, rt_mailbox_depth(&actor->mailbox));
    rt_worker_here = &sim->workers[worker];
    enum rt_turn end = rt_turn_run(actor, &limits);
    rt_worker_run_deferred(rt_worker_here);
    rt_worker_here = NULL;
    if (end == RT_TURN_AGAIN)
        rt_sim_add(actor);
}

static uint64_t
next_timer_ns(struct rt_sim *sim)
{
    uint64_t next_ns = RT_WHEEL_NEVER;
    for (unsigned i = 0; i < sim->system.worker_count; i++) {
        uint64_t ns = rt_timers_next_ns(&sim->workers[i].timers);
        if (ns < sim->worker_until_ns[i])
            ns = sim->worker_until_ns[i];
        if (ns < next_ns)
            next_ns = ns;
    }
    return next_ns;
}

/* When the next event or timer is due. */
static uint64_t
next_wait_ns(struct rt_sim *sim)
{
    uint64_t timer_ns = next_timer_ns(sim);
    uint64_t event_ns = sim->event_count > 0 ? sim->events[0].at_ns : RT_WHEEL_NEVER;
    return timer_ns < event_ns ? timer_ns : event_ns;
}

static void
fire_timers(struct rt_sim *sim)
{
    for (unsigned i = 0; i < sim->system.worker_count; i++)
        if (sim->worker_until_ns[i] <= sim->now_ns)
            rt_timers_fire(&sim->system, &sim->workers[i].timers, sim->now_ns);
}

static void
run_event(struct rt_sim *sim)
{
    struct event event = take_event(sim);
    rt_sim_trace(sim, event.sequence);
    event.run(event.context);
}

void
rt_sim_call(struct rt_sim *sim, unsigned worker, void (*run)(void *context), void *context)
{
    RT_ASSERT(rt_worker_here == NULL);
    RT_ASSERT(worker < sim->system.worker_count);
    rt_worker_here = &sim->workers[worker];
    run(context);
    rt_worker_run_deferred(rt_worker_here);
    rt_worker_here = NULL;
}

bool
rt_sim_step(struct rt_sim *sim, uint64_t until_ns)
{
    sim->steps++;
    /* An event that is due may come before or after the actors that are runnable. */
    bool event_due = sim->event_count > 0 && sim->events[0].at_ns <= sim->now_ns;
    if (event_due && (sim->runnable_count == 0 || rt_random_chance(&sim->random, 300))) {
        run_event(sim);
        return true;
    }
    if (sim->runnable_count > 0) {
        run_some_actor(sim);
        return true;
    }
    uint64_t next_ns = next_wait_ns(sim);
    if (next_ns > until_ns) {
        rt_sim_advance(sim, until_ns);
        return false;
    }
    rt_sim_advance(sim, next_ns);
    fire_timers(sim);
    return true;
}

uint64_t
rt_sim_next_ns(struct rt_sim *sim)
{
    uint64_t next_ns = sim->runnable_count > 0 ? sim->now_ns : next_wait_ns(sim);
    return next_ns > sim->now_ns ? next_ns : sim->now_ns;
}

void
rt_sim_advance(struct rt_sim *sim, uint64_t now_ns)
{
    if (sim->now_ns < now_ns)
        sim->now_ns = now_ns;
}

void
rt_sim_run_until(struct rt_sim *sim, uint64_t until_ns)
{
    while (rt_sim_step(sim, until_ns))
        ;
}

void
rt_sim_stall(struct rt_sim *sim, struct rt_address who, uint64_t duration_ns)
{
    struct stall *oldest = &sim->stalls[0];
    for (size_t i = 1; i < STALLS_MAX; i++)
        if (sim->stalls[i].until_ns < oldest->until_ns)
            oldest = &sim->stalls[i];
    *oldest = (struct stall){who.id, sim->now_ns + duration_ns};
}

void
rt_sim_stall_worker(struct rt_sim *sim, unsigned worker, uint64_t duration_ns)
{
    RT_ASSERT(worker < sim->system.worker_count);
    sim->worker_until_ns[worker] = sim->now_ns + duration_ns;
}

void
rt_sim_pause(struct rt_sim *sim, uint64_t duration_ns, bool suspended)
{
    if (suspended)
        sim->suspended_ns += duration_ns;
    else
        sim->now_ns += duration_ns;
}

void
rt_sim_step_wall(struct rt_sim *sim, int64_t step_ms)
{
    sim->wall_step_ms += step_ms;
}

bool
rt_sim_pick(struct rt_sim *sim, const char *kind, struct rt_address *who_out)
{
    unsigned chunks = atomic_load_explicit(&sim->system.slab.chunk_count, memory_order_relaxed);
    uint64_t found = 0;
    for (unsigned i = 0; i < chunks * RT_SLAB_CHUNK_ACTORS; i++) {
        struct rt_actor *chunk = atomic_load_explicit(
            &sim->system.slab.chunks[i / RT_SLAB_CHUNK_ACTORS], memory_order_relaxed);
        const struct rt_actor *actor = &chunk[i % RT_SLAB_CHUNK_ACTORS];
        if (rt_actor_id(actor) == 0 || strcmp(rt_behaviour_of(actor)->name, kind) != 0)
            continue;
        if (rt_random_below(&sim->random, ++found) == 0) /* each with the same chance */
            *who_out = rt_self(actor);
    }
    return found > 0;
}

struct rt_sim *
rt_sim_create(const struct rt_sim_options *options)
{
    RT_ASSERT(options->workers >= 1);
    RT_ASSERT(options->workers <= RT_WORKERS_MAX);
    struct rt_sim *sim = calloc(1, sizeof(*sim));
    if (sim == NULL || rt_message_reserve() != RT_OK) {
        free(sim);
        return NULL;
    }
    sim->world = (struct rt_world){
        .self = sim,
        .now_ns = sim_now_ns,
        .boot_ns = sim_boot_ns,
        .wall_ms = sim_wall_ms,
        .random = sim_random_bytes,
    };
    sim->start_wall_ms = options->start_wall_ms;
    sim->now_ns = RT_NS_PER_S; /* zero would hide a forgotten initialisation */
    sim->hash = UINT64_C(0xcbf29ce484222325);
    rt_random_seed(&sim->random, options->seed);
    rt_system_init(&sim->system, &sim->world, options->workers, options->actors_max);
    sim->system.sim = sim;
    for (unsigned i = 0; i < options->workers; i++)
        rt_worker_init(&sim->workers[i], &sim->system, i);
    return sim;
}

void
rt_sim_destroy(struct rt_sim *sim)
{
    sim->ending = true;
    rt_system_deinit(&sim->system);
    for (unsigned i = 0; i < sim->system.worker_count; i++)
        rt_worker_deinit(&sim->workers[i]);
    free(sim->runnable);
    free(sim->events);
    free(sim);
}

struct rt_system *
rt_sim_system(struct rt_sim *sim)
{
    return &sim->system;
}

const struct rt_world *
rt_sim_world(struct rt_sim *sim)
{
    return &sim->world;
}

struct rt_random *
rt_sim_random(struct rt_sim *sim)
{
    return &sim->random;
}

uint64_t
rt_sim_now_ns(const struct rt_sim *sim)
{
    return sim->now_ns;
}

uint64_t
rt_sim_hash(const struct rt_sim *sim)
{
    return sim->hash;
}

uint64_t
rt_sim_steps(const struct rt_sim *sim)
{
    return sim->steps;
}
