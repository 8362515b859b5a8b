/*
 * runtime/scheduler.h - the real scheduler: threads, run queues, stealing, sleep.
 *
 * Where a woken actor goes:
 *
 *   pinned ──────────────► the list of its worker (or that worker's inbox, from another thread)
 *   sent by a worker ────► that worker's `next` slot; who was there moves to its ring
 *   sent from elsewhere ─► the inject list, for any worker
 *
 * Ring and inject list hold a few of each group of actors at a time (group.h).
 *
 * The next slot is never stolen, so two actors that talk to each other stay on one core; it
 * is used a limited number of times in a row, so that they do not starve the ring. A ring is
 * not stolen from at first sight either, but when somebody in it has waited for some time:
 * moving an actor, and its messages from core to core, costs more than a short wait.
 */
#ifndef RUNTIME_SCHEDULER_H
#define RUNTIME_SCHEDULER_H

#include <ev.h>
#include <pthread.h>

#include "runtime/idle.h"
#include "runtime/internal.h"
#include "runtime/run_queue.h"

/* Actors one behind the other. */
struct rt_line {
    struct rt_actor *first, *last;
};

struct rt_thread {
    struct rt_worker worker; /* first: rt_worker_here is cast back */
    struct rt_scheduler *scheduler;
    pthread_t id;
    bool is_running;

    struct rt_run_queue ring;
    struct rt_actor *next;            /* own worker only */
    unsigned next_streak;             /* how often in a row the slot was used */
    struct rt_line pinned, ahead;     /* the second of those that go ahead */
    bool was_ahead;                   /* the last that was taken out of the two */
    _Atomic(struct rt_actor *) inbox; /* pinned actors woken by others, newest first */
    unsigned round;
    uint64_t random; /* for the choice of victims */
    bool searching;
    struct { /* how far each victim's ring was filled when last seen, for patience */
        unsigned tail;
        uint64_t since_ns; /* 0: it was empty */
    } seen[RT_WORKERS_MAX];
    uint64_t watch_ns; /* how long to sleep before the next look at the rings */

    struct ev_loop *loop;
    ev_async wake;
    ev_io alarm; /* on a timerfd: libev's own timeouts are whole milliseconds */
    int alarm_fd;
    uint64_t alarm_ns; /* what it is set to, RT_WHEEL_NEVER when it is not */
};

struct rt_scheduler {
    struct rt_system system; /* first */
    struct rt_idle idle;
    pthread_mutex_t inject_mutex;
    struct rt_actor *inject_first, *inject_last;
    atomic_uint inject_count;
    atomic_bool stopping;
    struct rt_thread *threads[RT_WORKERS_MAX];
};

/* Queues a woken actor. */
void rt_scheduler_add(struct rt_actor *actor);

/* Makes `thread`'s loop and alarm. RT_OK | RT_IO. (loop.c) */
enum rt_status rt_loop_open(struct rt_thread *thread);
void rt_loop_close(struct rt_thread *thread);

/* Runs what is ready on the loop: sockets, wake-ups, due timers. Does not wait. */
void rt_loop_poll(struct rt_thread *thread);

/* Waits for the first of: a socket, a wake-up, a timer, `until_ns`. */
void rt_loop_sleep(struct rt_thread *thread, uint64_t until_ns);

/* Ends a sleep of `thread`, or the next one. Threads: any. */
void rt_loop_wake(struct rt_thread *thread);

#endif
