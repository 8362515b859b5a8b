#include "runtime/scheduler.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/assert.h"
#include "runtime/pool.h"

enum {
    NEXT_STREAK_MAX = 16,   /* uses of the next slot before the ring gets its turn */
    ROUNDS_PER_INJECT = 61, /* look at the inject list first once in so many rounds */
    TURNS_PER_POLL = 64,    /* poll the loop at least once in so many turns … */
    POLL_TIME_MAX_US = 200, /* … or after this time */
    STEAL_MAX = 32,         /* actors taken at once */
    STEAL_PATIENCE_US = 50, /* how long an actor must have waited for its ring to be stolen from */
    WATCH_MAX_US = 400,     /* between two looks of a watcher, at most */
    TURN_MESSAGES_MAX = 100,
    TURN_TIME_MAX_US = 200,
};

static struct rt_scheduler *
scheduler_of(struct rt_system *system)
{
    return system->scheduler;
}

/* The thread of this worker of `scheduler`, or NULL: another thread of the process. */
static struct rt_thread *
thread_here(const struct rt_scheduler *scheduler)
{
    struct rt_worker *worker = rt_worker_here;
    if (worker == NULL || worker->system != &scheduler->system)
        return NULL;
    return RT_CONTAINER_OF(worker, struct rt_thread, worker);
}

static void
wake_somebody(struct rt_scheduler *scheduler)
{
    int worker = rt_idle_pick(&scheduler->idle);
    if (worker >= 0)
        rt_loop_wake(scheduler->threads[worker]);
}

static void
inject(struct rt_scheduler *scheduler, struct rt_actor *actor)
{
    actor->run_next = NULL;
    pthread_mutex_lock(&scheduler->inject_mutex);
    if (scheduler->inject_last == NULL)
        scheduler->inject_first = actor;
    else
        scheduler->inject_last->run_next = actor;
    scheduler->inject_last = actor;
    pthread_mutex_unlock(&scheduler->inject_mutex);
    /* Before the look at the sleepers (idle.h). */
    atomic_fetch_add_explicit(&scheduler->inject_count, 1, memory_order_seq_cst);
    wake_somebody(scheduler);
}

static struct rt_actor *
take_injected(struct rt_scheduler *scheduler)
{
    if (atomic_load_explicit(&scheduler->inject_count, memory_order_seq_cst) == 0)
        return NULL;
    pthread_mutex_lock(&scheduler->inject_mutex);
    struct rt_actor *actor = scheduler->inject_first;
    if (actor != NULL) {
        scheduler->inject_first = actor->run_next;
        if (scheduler->inject_first == NULL)
            scheduler->inject_last = NULL;
    }
    pthread_mutex_unlock(&scheduler->inject_mutex);
    if (actor != NULL)
        atomic_fetch_sub_explicit(&scheduler->inject_count, 1, memory_order_relaxed);
    return actor;
}

/* To the back of this worker's ring; what does not fit goes to everybody. Of a group: only one that
 * represents it. */
static void
push_entry(struct rt_thread *thread, struct rt_actor *actor)
{
    struct rt_scheduler *scheduler = thread->scheduler;
    if (!rt_run_queue_push(&thread->ring, actor))
        inject(scheduler, actor);
    else if (!rt_idle_is_watched(&scheduler->idle))
        wake_somebody(scheduler);
}

/* Whether a runnable actor goes to a run queue; or it waits for its group's turn. */
static bool
is_entry(struct rt_actor *actor)
{
    return actor->group == RT_NO_GROUP || rt_group_enter(&actor->system->groups, actor);
}

static void
push_ring(struct rt_thread *thread, struct rt_actor *actor)
{
    if (is_entry(actor))
        push_entry(thread, actor);
}

/* What came out of a run queue; the next one of its group takes its place at the back. */
static struct rt_actor *
take_entry(struct rt_thread *thread, struct rt_actor *actor)
{
    if (actor == NULL || actor->group == RT_NO_GROUP)
        return actor;
    struct rt_actor *next = rt_group_leave(&actor->system->groups, actor);
    if (next != NULL)
        push_entry(thread, next);
    return actor;
}

static void
push_pinned(struct rt_thread *thread, struct rt_actor *actor)
{
    struct rt_line *line = actor->flags & RT_ACTOR_AHEAD ? &thread->ahead : &thread->pinned;
    actor->run_next = NULL;
    if (line->last == NULL)
        line->first = actor;
    else
        line->last->run_next = actor;
    line->last = actor;
}

static void
push_inbox(struct rt_thread *thread, struct rt_actor *actor)
{
    struct rt_actor *newest = atomic_load_explicit(&thread->inbox, memory_order_relaxed);
    do {
        actor->run_next = newest;
        /* Release half pairs with the exchange in drain_inbox(). */
    } while (!atomic_compare_exchange_weak_explicit(&thread->inbox, &newest, actor,
                                                    memory_order_seq_cst, memory_order_relaxed));
    if (rt_idle_is_asleep(&thread->scheduler->idle, thread->worker.index))
        rt_loop_wake(thread);
}

void
rt_scheduler_add(struct rt_actor *actor)
{
    struct rt_scheduler *scheduler = scheduler_of(actor->system);
    if (RT_UNLIKELY(atomic_load_explicit(&scheduler->stopping, memory_order_relaxed)))
        return; /* nothing runs any more */
    struct rt_thread *here = thread_here(scheduler);
    if (actor->worker != RT_ANY_WORKER) {
        struct rt_thread *home = scheduler->threads[actor->worker];
        if (home == here)
            push_pinned(home, actor);
        else
            push_inbox(home, actor);
        return;
    }
    if (here == NULL) {
        if (is_entry(actor))
            inject(scheduler, actor);
        return;
    }
    struct rt_actor *displaced = here->next;
    here->next = actor;
    if (displaced != NULL)
        push_ring(here, displaced);
}

/* Moves what others have woken for this worker to its own list, oldest first. */
static void
drain_inbox(struct rt_thread *thread)
{
    if (atomic_load_explicit(&thread->inbox, memory_order_relaxed) == NULL)
        return;
    struct rt_actor *newest = atomic_exchange_explicit(&thread->inbox, NULL, memory_order_acquire);
    struct rt_actor *oldest = NULL;
    while (newest != NULL) {
        struct rt_actor *older = newest->run_next;
        newest->run_next = oldest;
        oldest = newest;
        newest = older;
    }
    while (oldest != NULL) {
        struct rt_actor *younger = oldest->run_next;
        push_pinned(thread, oldest);
        oldest = younger;
    }
}

static struct rt_actor *
take_from(struct rt_line *line)
{
    struct rt_actor *actor = line->first;
    if (actor != NULL) {
        line->first = actor->run_next;
        if (line->first == NULL)
            line->last = NULL;
    }
    return actor;
}

static bool
has_pinned(const struct rt_thread *thread)
{
    return thread->pinned.first != NULL || thread->ahead.first != NULL;
}

/* The two lines take turns, so that neither waits for all of the other. */
static struct rt_actor *
take_pinned(struct rt_thread *thread)
{
    if (thread->ahead.first == NULL)
        thread->was_ahead = false;
    else
        thread->was_ahead = !thread->was_ahead || thread->pinned.first == NULL;
    return take_from(thread->was_ahead ? &thread->ahead : &thread->pinned);
}

static struct rt_actor *
take_next(struct rt_thread *thread)
{
    struct rt_actor *actor = thread->next;
    if (actor == NULL)
        return NULL;
    if (thread->next_streak >= NEXT_STREAK_MAX &&
        (has_pinned(thread) || rt_run_queue_count(&thread->ring) > 0)) {
        thread->next_streak = 0;
        thread->next = NULL;
        push_ring(thread, actor);
        return NULL;
    }
    thread->next_streak++;
    thread->next = NULL;
    return actor;
}

/* Work that lies at hand, without stealing. */
static struct rt_actor *
take_local(struct rt_thread *thread)
{
    thread->round++;
    drain_inbox(thread);
    struct rt_actor *actor;
    if (thread->round % ROUNDS_PER_INJECT == 0 &&
        (actor = take_injected(thread->scheduler)) != NULL)
        return take_entry(thread, actor);
    if ((actor = take_next(thread)) != NULL)
        return actor;
    thread->next_streak = 0;
    bool ring_first = thread->round % 2 == 0;
    if (ring_first && (actor = rt_run_queue_pop(&thread->ring)) != NULL)
        return take_entry(thread, actor);
    if ((actor = take_pinned(thread)) != NULL)
        return actor;
    if (!ring_first && (actor = rt_run_queue_pop(&thread->ring)) != NULL)
        return take_entry(thread, actor);
    return take_entry(thread, take_injected(thread->scheduler));
}

static unsigned
choose(struct rt_thread *thread, unsigned bound)
{
    thread->random = thread->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(thread->random >> 33) % bound;
}

/* Whether an actor in the victim's ring has waited there for long enough: all that was in it when
 * we saw it last has not been run since. */
static bool
has_waited(struct rt_thread *thread, const struct rt_thread *victim, uint64_t now_ns)
{
    unsigned index = victim->worker.index;
    unsigned head = atomic_load_explicit(&victim->ring.head, memory_order_relaxed);
    unsigned tail = atomic_load_explicit(&victim->ring.tail, memory_order_relaxed);
    if (head == tail) {
        thread->seen[index].since_ns = 0;
        return false;
    }
    if (thread->seen[index].since_ns == 0 || (int)(head - thread->seen[index].tail) >= 0) {
        thread->seen[index].tail = tail;
        thread->seen[index].since_ns = now_ns;
        return false;
    }
    return now_ns - thread->seen[index].since_ns >= STEAL_PATIENCE_US * RT_NS_PER_US;
}

/* Takes half of the ring of somebody who does not keep up: the first to run, the rest to our
 * own. */
static struct rt_actor *
steal(struct rt_thread *thread)
{
    struct rt_scheduler *scheduler = thread->scheduler;
    unsigned count = scheduler->system.worker_count;
    unsigned start = choose(thread, count);
    uint64_t now_ns = rt_worker_read_clock(&thread->worker);
    for (unsigned i = 0; i < count; i++) {
        struct rt_thread *victim = scheduler->threads[(start + i) % count];
        if (victim == thread || !has_waited(thread, victim, now_ns))
            continue;
        struct rt_actor *loot[STEAL_MAX];
        unsigned taken = rt_run_queue_steal(&victim->ring, loot, STEAL_MAX);
        thread->seen[victim->worker.index].since_ns = 0;
        if (taken == 0)
            continue;
        for (unsigned j = 1; j < taken; j++)
            if (!rt_run_queue_push(&thread->ring, loot[j]))
                inject(scheduler, loot[j]);
        thread->watch_ns = 0;
        return take_entry(thread, loot[0]);
    }
    return NULL;
}

/* After prepare: is there anything this worker must do? What waits in rings is left to their own
 * workers for a while: it only sets *rings_out. */
static bool
has_work(struct rt_thread *thread, bool *rings_out)
{
    struct rt_scheduler *scheduler = thread->scheduler;
    if (atomic_load_explicit(&scheduler->stopping, memory_order_seq_cst) ||
        atomic_load_explicit(&scheduler->inject_count, memory_order_seq_cst) > 0 ||
        atomic_load_explicit(&thread->inbox, memory_order_seq_cst) != NULL)
        return true;
    *rings_out = false;
    for (unsigned i = 0; i < scheduler->system.worker_count; i++)
        *rings_out |= rt_run_queue_count(&scheduler->threads[i]->ring) > 0;
    return false;
}

static void
stop_searching(struct rt_thread *thread, bool found)
{
    if (!thread->searching)
        return;
    thread->searching = false;
    if (rt_idle_search_end(&thread->scheduler->idle) && found)
        wake_somebody(thread->scheduler);
}

/* Sleeps until it is time to look at the rings again: longer each time it was for nothing. */
static void
watch(struct rt_thread *thread)
{
    struct rt_idle *idle = &thread->scheduler->idle;
    if (!rt_idle_watch_begin(idle)) { /* somebody else does */
        rt_loop_sleep(thread, RT_WHEEL_NEVER);
        return;
    }
    if (thread->watch_ns == 0)
        thread->watch_ns = STEAL_PATIENCE_US * RT_NS_PER_US;
    rt_loop_sleep(thread, rt_worker_read_clock(&thread->worker) + thread->watch_ns);
    if (thread->watch_ns < WATCH_MAX_US * RT_NS_PER_US)
        thread->watch_ns *= 2;
    rt_idle_watch_end(idle);
}

static void
sleep_until_needed(struct rt_thread *thread)
{
    struct rt_idle *idle = &thread->scheduler->idle;
    bool rings;
    stop_searching(thread, false);
    rt_idle_prepare(idle, thread->worker.index);
    bool found = has_work(thread, &rings);
    if (!found && rings) {
        watch(thread);
    } else if (!found) {
        thread->watch_ns = 0;
        rt_loop_sleep(thread, RT_WHEEL_NEVER);
    }
    if (rt_idle_wake_self(idle, thread->worker.index)) {
        thread->searching = true; /* the waker counted us */
    } else if (found) {
        thread->searching = true; /* who added that saw us search: wake the next for the rest */
        rt_idle_search_begin(idle);
    }
}

static struct rt_actor *
find_work(struct rt_thread *thread)
{
    struct rt_actor *actor = take_local(thread);
    if (actor == NULL && thread->scheduler->system.worker_count > 1) {
        if (!thread->searching) {
            thread->searching = true;
            rt_idle_search_begin(&thread->scheduler->idle);
        }
        actor = steal(thread);
    }
    if (actor != NULL)
        stop_searching(thread, true);
    return actor;
}

/* Whether this worker has nothing to run. */
static bool
is_alone(const struct rt_thread *thread)
{
    return thread->next == NULL && !has_pinned(thread) && rt_run_queue_count(&thread->ring) == 0;
}

static void
run(struct rt_thread *thread, struct rt_actor *actor)
{
    static const struct rt_turn_limits limits = {
        .messages_max = TURN_MESSAGES_MAX,
        .time_max_ns = TURN_TIME_MAX_US * RT_NS_PER_US,
    };
    if (rt_turn_run(actor, &limits) != RT_TURN_AGAIN)
        return;
    if (actor->worker != RT_ANY_WORKER)
        push_pinned(thread, actor);
    else if (is_alone(thread))
        thread->next = actor; /* in the ring it would only wake somebody to steal it */
    else
        push_ring(thread, actor);
}

static void
poll(struct rt_thread *thread)
{
    rt_worker_run_deferred(&thread->worker);
    rt_loop_poll(thread);
}

static void *
worker_main(void *context)
{
    struct rt_thread *thread = context;
    struct rt_scheduler *scheduler = thread->scheduler;
    struct rt_worker *worker = &thread->worker;
    rt_worker_here = worker;
    unsigned turns = 0;
    uint64_t polled_ns = rt_worker_read_clock(worker);
    while (!atomic_load_explicit(&scheduler->stopping, memory_order_relaxed)) {
        struct rt_actor *actor = find_work(thread);
        if (actor == NULL) {
            rt_worker_run_deferred(worker);
            if (is_alone(thread)) /* or what was deferred has woken one of ours */
                sleep_until_needed(thread);
            continue;
        }
        run(thread, actor);
        if (++turns % TURNS_PER_POLL == 0 ||
            worker->clock_ns - polled_ns >= POLL_TIME_MAX_US * RT_NS_PER_US) {
            poll(thread);
            polled_ns = worker->clock_ns;
        }
    }
    rt_worker_here = NULL;
    rt_pool_thread_end();
    return NULL;
}

static struct rt_thread *
create_thread(struct rt_scheduler *scheduler, unsigned index)
{
    struct rt_thread *thread = aligned_alloc(RT_CACHE_LINE_BYTES, sizeof(*thread));
    if (thread == NULL)
        return NULL;
    *thread = (struct rt_thread){.scheduler = scheduler, .random = index + 1};
    rt_worker_init(&thread->worker, &scheduler->system, index);
    rt_run_queue_init(&thread->ring);
    if (rt_loop_open(thread) != RT_OK) {
        rt_worker_deinit(&thread->worker);
        free(thread);
        return NULL;
    }
    return thread;
}

struct rt_system *
rt_system_create(const struct rt_system_options *options)
{
    RT_ASSERT(options->workers >= 1);
    RT_ASSERT(options->workers <= RT_WORKERS_MAX);
    struct rt_scheduler *scheduler = calloc(1, sizeof(*scheduler));
    if (scheduler == NULL || rt_message_reserve() != RT_OK) {
        free(scheduler);
        return NULL;
    }
    rt_system_init(&scheduler->system, options->world, options->workers, options->actors_max);
    scheduler->system.scheduler = scheduler;
    pthread_mutex_init(&scheduler->inject_mutex, NULL);
    for (unsigned i = 0; i < options->workers; i++) {
        scheduler->threads[i] = create_thread(scheduler, i);
        if (scheduler->threads[i] == NULL) {
            scheduler->system.worker_count = i;
            rt_system_destroy(&scheduler->system);
            return NULL;
        }
    }
    return &scheduler->system;
}

enum rt_status
rt_system_start(struct rt_system *system)
{
    struct rt_scheduler *scheduler = scheduler_of(system);
    for (unsigned i = 0; i < system->worker_count; i++) {
        struct rt_thread *thread = scheduler->threads[i];
        if (pthread_create(&thread->id, NULL, worker_main, thread) != 0) {
            rt_system_stop(system);
            return RT_IO;
        }
        thread->is_running = true;
        char name[32];
        snprintf(name, sizeof(name), "twin-worker-%u", i % 100); /* the kernel keeps 15 bytes */
        pthread_setname_np(thread->id, name);
    }
    return RT_OK;
}

void
rt_system_stop(struct rt_system *system)
{
    struct rt_scheduler *scheduler = scheduler_of(system);
    atomic_store_explicit(&scheduler->stopping, true, memory_order_seq_cst);
    for (unsigned i = 0; i < system->worker_count; i++)
        rt_loop_wake(scheduler->threads[i]);
    for (unsigned i = 0; i < system->worker_count; i++) {
        struct rt_thread *thread = scheduler->threads[i];
        if (thread->is_running)
            pthread_join(thread->id, NULL);
        thread->is_running = false;
    }
}

void
rt_system_destroy(struct rt_system *system)
{
    struct rt_scheduler *scheduler = scheduler_of(system);
    rt_system_deinit(system);
    for (unsigned i = 0; i < RT_WORKERS_MAX; i++) {
        struct rt_thread *thread = scheduler->threads[i];
        if (thread == NULL)
            continue;
        rt_loop_close(thread);
        rt_worker_deinit(&thread->worker);
        free(thread);
    }
    pthread_mutex_destroy(&scheduler->inject_mutex);
    free(scheduler);
}

struct ev_loop *
rt_system_loop(struct rt_system *system, unsigned worker)
{
    RT_ASSERT(worker < system->worker_count);
    return scheduler_of(system)->threads[worker]->loop;
}
