#include "runtime/system.h"

#include "runtime/assert.h"
#include "runtime/internal.h"
#include "runtime/scheduler.h"
#include "runtime/sim.h"

enum {
    ACTORS_MAX_DEFAULT = 1 << 20,
    CLOCK_STRIDE_US = 50, /* messages that take longer together are timed one by one */
};

void
rt_system_init(struct rt_system *system, const struct rt_world *world, unsigned workers,
               uint32_t actors_max)
{
    system->world = world;
    system->worker_count = workers;
    rt_slab_init(&system->slab, actors_max == 0 ? ACTORS_MAX_DEFAULT : actors_max);
    rt_groups_init(&system->groups);
    pthread_mutex_init(&system->dead_letters.mutex, NULL);
    rt_parking_init(&system->parking);
}

/* Ends every actor that is still alive, on this thread, as `worker`. */
static void
end_all(struct rt_system *system)
{
    unsigned chunks = atomic_load_explicit(&system->slab.chunk_count, memory_order_acquire);
    for (unsigned i = 0; i < chunks; i++) {
        struct rt_actor *chunk =
            atomic_load_explicit(&system->slab.chunks[i], memory_order_relaxed);
        for (unsigned j = 0; j < RT_SLAB_CHUNK_ACTORS; j++) {
            if (rt_actor_id(&chunk[j]) == 0)
                continue;
            rt_worker_here->turn = (struct rt_turn_state){0};
            rt_actor_end(&chunk[j], NULL, false, RT_EXIT_SHUTDOWN);
        }
    }
}

void
rt_system_deinit(struct rt_system *system)
{
    struct rt_worker last = {0};
    rt_worker_init(&last, system, 0);
    struct rt_worker *before = rt_worker_here;
    rt_worker_here = &last;
    end_all(system);
    rt_worker_here = before;
    rt_worker_deinit(&last);
    pthread_mutex_destroy(&system->dead_letters.mutex);
    rt_parking_deinit(&system->parking);
    rt_groups_deinit(&system->groups);
    rt_slab_deinit(&system->slab);
}

void
rt_worker_init(struct rt_worker *worker, struct rt_system *system, unsigned index)
{
    *worker =
        (struct rt_worker){.system = system, .index = index, .clock_left = 1, .clock_stride = 1};
    worker->deferred_end = &worker->deferred_first;
    rt_timers_init(&worker->timers, system->world->now_ns(system->world->self));
    system->recorders[index] = &worker->recorder;
}

uint64_t
rt_worker_read_clock(struct rt_worker *worker)
{
    const struct rt_world *world = worker->system->world;
    uint64_t now_ns = world->now_ns(world->self);
    unsigned stride = worker->clock_stride * 2;
    if (now_ns - worker->clock_ns > CLOCK_STRIDE_US * RT_NS_PER_US)
        stride = 1;
    else if (stride > RT_CLOCK_STRIDE_MAX)
        stride = RT_CLOCK_STRIDE_MAX;
    worker->clock_stride = stride;
    worker->clock_left = stride;
    worker->clock_ns = now_ns;
    return now_ns;
}

void
rt_worker_deinit(struct rt_worker *worker)
{
    rt_timers_deinit(&worker->timers);
}

unsigned
rt_system_workers(const struct rt_system *system)
{
    return system->worker_count;
}

const struct rt_world *
rt_system_world(const struct rt_system *system)
{
    return system->world;
}

void
rt_schedule(struct rt_actor *actor)
{
    if (RT_UNLIKELY(actor->system->sim != NULL))
        rt_sim_add(actor);
    else
        rt_scheduler_add(actor);
}

int
rt_system_worker_here(void)
{
    return rt_worker_here == NULL ? -1 : (int)rt_worker_here->index;
}

void
rt_system_defer(struct rt_system *system, struct rt_deferred *deferred)
{
    struct rt_worker *worker = rt_worker_here;
    RT_ASSERT(worker != NULL && worker->system == system);
    if (deferred->is_queued)
        return;
    deferred->is_queued = true;
    deferred->next = NULL;
    *worker->deferred_end = deferred;
    worker->deferred_end = &deferred->next;
}

void
rt_system_undefer(struct rt_system *system, struct rt_deferred *deferred)
{
    struct rt_worker *worker = rt_worker_here;
    if (!deferred->is_queued)
        return;
    RT_ASSERT(worker != NULL && worker->system == system);
    struct rt_deferred **at = &worker->deferred_first;
    while (*at != deferred) {
        RT_ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    *at = deferred->next;
    if (worker->deferred_end == &deferred->next)
        worker->deferred_end = at;
    deferred->is_queued = false;
}

void
rt_worker_run_deferred(struct rt_worker *worker)
{
    while (worker->deferred_first != NULL) {
        struct rt_deferred *deferred = worker->deferred_first;
        worker->deferred_first = deferred->next;
        if (worker->deferred_first == NULL)
            worker->deferred_end = &worker->deferred_first;
        deferred->is_queued = false;
        deferred->run(deferred);
    }
}

struct rt_system_stats
rt_system_stats(struct rt_system *system)
{
    struct rt_system_stats stats = {
        .actors = rt_slab_alive(&system->slab),
        .spawned = atomic_load_explicit(&system->next_id, memory_order_relaxed),
        .failures = atomic_load_explicit(&system->failures, memory_order_relaxed),
        .restarts = atomic_load_explicit(&system->restarts, memory_order_relaxed),
    };
    for (unsigned i = 0; i < RT_REFUSALS; i++)
        stats.refusals[i] = atomic_load_explicit(&system->refusals[i], memory_order_relaxed);
    stats.refused = stats.refusals[RT_REFUSED_MESSAGES] + stats.refusals[RT_REFUSED_BYTES];
    pthread_mutex_lock(&system->dead_letters.mutex);
    stats.dead_letters = system->dead_letters.count;
    pthread_mutex_unlock(&system->dead_letters.mutex);
    stats.parked = rt_parking_count(&system->parking);
    return stats;
}

void
rt_system_visit(struct rt_system *system,
                void (*visit)(void *context, const struct rt_actor_info *info), void *context)
{
    /* Acquire pairs with the release in slab.c: the chunks below that count are filled. */
    unsigned chunks = atomic_load_explicit(&system->slab.chunk_count, memory_order_acquire);
    for (unsigned i = 0; i < chunks; i++) {
        struct rt_actor *chunk =
            atomic_load_explicit(&system->slab.chunks[i], memory_order_relaxed);
        for (unsigned j = 0; j < RT_SLAB_CHUNK_ACTORS; j++) {
            const struct rt_behaviour *behaviour = rt_behaviour_of(&chunk[j]);
            uint64_t id = rt_actor_id(&chunk[j]);
            if (id == 0)
                continue;
            struct rt_actor_info info = {
                .id = id,
                .kind = behaviour == NULL ? "" : behaviour->name,
                .waiting = rt_mailbox_depth(&chunk[j].mailbox),
                .messages = atomic_load_explicit(&chunk[j].messages, memory_order_relaxed),
            };
            visit(context, &info);
        }
    }
}

unsigned
rt_system_dead_letters(struct rt_system *system,
                       struct rt_dead_letter letters_out[RT_DEAD_LETTERS_KEPT])
{
    struct rt_dead_letters *letters = &system->dead_letters;
    pthread_mutex_lock(&letters->mutex);
    unsigned kept = letters->count < RT_DEAD_LETTERS_KEPT ? (unsigned)letters->count
                                                          : (unsigned)RT_DEAD_LETTERS_KEPT;
    for (unsigned i = 0; i < kept; i++)
        letters_out[i] = letters->ring[(letters->count - kept + i) % RT_DEAD_LETTERS_KEPT];
    pthread_mutex_unlock(&letters->mutex);
    return kept;
}
