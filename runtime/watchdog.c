/*
 * The thread that sees when a worker is stuck in one turn.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/assert.h"
#include "runtime/flight.h"
#include "runtime/internal.h"
#include "runtime/log.h"

enum { LOOKS_PER_STALL = 10, TURNS_LOGGED = 16 };

struct rt_watchdog {
    struct rt_system *system;
    uint64_t stall_ns;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t ends;
    bool is_ending;
    struct {
        uint64_t seen, logged; /* numbers of turns */
        uint64_t seen_ns;      /* when `seen` was seen first */
    } workers[RT_WORKERS_MAX];
};

static atomic_uint_fast64_t stalls;

/* What log_before() needs to know. */
struct stalled {
    unsigned worker;
    uint64_t number;
};

static void
log_before(void *context, const struct rt_flight_turn *turn)
{
    const struct stalled *stalled = context;
    if (turn->worker != stalled->worker || turn->number >= stalled->number ||
        stalled->number - turn->number > TURNS_LOGGED)
        return;
    rt_log(RT_LOG_WARN, "flight.turn", RT_U64("worker", turn->worker),
           RT_U64("number", turn->number), RT_U64("since_ns", turn->since_ns),
           RT_U64("actor", turn->actor), RT_STR("kind", turn->kind),
           RT_U64("message", turn->message_kind), RT_U64("messages", turn->messages));
}

static void
log_stall(struct rt_system *system, const struct rt_flight_turn *turn, uint64_t ran_ns)
{
    char place[RT_FLIGHT_PLACE_BYTES];
    rt_flight_place(system, turn->worker, turn->number, place);
    atomic_fetch_add_explicit(&stalls, 1, memory_order_relaxed);
    rt_log(RT_LOG_ERROR, "worker.stalled", RT_U64("worker", turn->worker),
           RT_U64("number", turn->number), RT_U64("ran_ms", ran_ns / RT_NS_PER_MS),
           RT_U64("actor", turn->actor), RT_STR("kind", turn->kind),
           RT_U64("message", turn->message_kind), RT_STR("place", place));
    struct stalled stalled = {turn->worker, turn->number};
    rt_flight_visit(system, log_before, &stalled);
}

static void
look_at(struct rt_watchdog *watchdog, unsigned worker)
{
    struct rt_system *system = watchdog->system;
    struct rt_flight_turn turn;
    if (!rt_flight_last(system, worker, &turn) || turn.is_over)
        return;
    uint64_t now_ns = system->world->now_ns(system->world->self);
    if (turn.number != watchdog->workers[worker].seen) {
        watchdog->workers[worker].seen = turn.number;
        watchdog->workers[worker].seen_ns = now_ns;
        return;
    }
    rt_flight_ask(system, worker); /* a long one: where is it? */
    uint64_t ran_ns = now_ns - watchdog->workers[worker].seen_ns;
    if (ran_ns < watchdog->stall_ns || watchdog->workers[worker].logged == turn.number)
        return;
    watchdog->workers[worker].logged = turn.number;
    log_stall(system, &turn, ran_ns);
}

/* Waits for the next look; false when it is time to end. */
static bool
wait_for_look(struct rt_watchdog *watchdog)
{
    const struct rt_world *world = watchdog->system->world;
    uint64_t ns = world->now_ns(world->self) + watchdog->stall_ns / LOOKS_PER_STALL;
    struct timespec until = {.tv_sec = (time_t)(ns / RT_NS_PER_S),
                             .tv_nsec = (long)(ns % RT_NS_PER_S)};
    pthread_mutex_lock(&watchdog->mutex);
    int failed = 0;
    while (!watchdog->is_ending && failed == 0)
        failed = pthread_cond_timedwait(&watchdog->ends, &watchdog->mutex, &until);
    bool goes_on = !watchdog->is_ending;
    pthread_mutex_unlock(&watchdog->mutex);
    return goes_on;
}

static void *
watchdog_main(void *context)
{
    struct rt_watchdog *watchdog = context;
    while (wait_for_look(watchdog))
        for (unsigned i = 0; i < watchdog->system->worker_count; i++)
            look_at(watchdog, i);
    return NULL;
}

enum rt_status
rt_watchdog_start(struct rt_system *system, uint32_t stall_ms, struct rt_watchdog **watchdog_out)
{
    RT_ASSERT(stall_ms >= LOOKS_PER_STALL);
    struct rt_watchdog *watchdog = calloc(1, sizeof(*watchdog));
    if (watchdog == NULL)
        return RT_NO_MEMORY;
    watchdog->system = system;
    watchdog->stall_ns = stall_ms * RT_NS_PER_MS;
    pthread_mutex_init(&watchdog->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watchdog->ends, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&watchdog->thread, NULL, watchdog_main, watchdog) != 0) {
        pthread_cond_destroy(&watchdog->ends);
        pthread_mutex_destroy(&watchdog->mutex);
        free(watchdog);
        return RT_IO;
    }
    pthread_setname_np(watchdog->thread, "twin-watchdog");
    *watchdog_out = watchdog;
    return RT_OK;
}

void
rt_watchdog_stop(struct rt_watchdog *watchdog)
{
    if (watchdog == NULL)
        return;
    pthread_mutex_lock(&watchdog->mutex);
    watchdog->is_ending = true;
    pthread_cond_signal(&watchdog->ends);
    pthread_mutex_unlock(&watchdog->mutex);
    pthread_join(watchdog->thread, NULL);
    pthread_cond_destroy(&watchdog->ends);
    pthread_mutex_destroy(&watchdog->mutex);
    free(watchdog);
}

uint64_t
rt_watchdog_stalls(void)
{
    return atomic_load_explicit(&stalls, memory_order_relaxed);
}
