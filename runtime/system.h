/*
 * runtime/system.h - one set of actors, its workers, and how they are started and stopped.
 *
 * A worker is a thread with a run queue, a wheel of timers and a libev loop. Sockets live on
 * the loop of one worker; actors move between workers unless they are pinned.
 */
#ifndef RUNTIME_SYSTEM_H
#define RUNTIME_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/actor.h"
#include "runtime/status.h"
#include "runtime/world.h"

struct ev_loop;
struct rt_system;

enum { RT_WORKERS_MAX = 64 };

struct rt_system_options {
    unsigned workers; /* threads; 1 … RT_WORKERS_MAX */
    const struct rt_world *world;
    uint32_t actors_max; /* alive at once; 0 means 1 << 20 */
};

/* Why a mailbox refused a message to its sender, and from which lane. */
enum rt_refusal {
    RT_REFUSED_MESSAGES, /* data: as many waited as may */
    RT_REFUSED_BYTES,    /* data: as much */
    RT_REFUSED_DEAD,     /* data, to an actor that is gone */
    RT_REFUSED_CONTROL,  /* control, to an actor that is gone: a living one takes it always */
    RT_REFUSALS,
};

/* "data" or "control"; "messages", "bytes" or "dead". */
const char *rt_refusal_lane(enum rt_refusal refusal);
const char *rt_refusal_reason(enum rt_refusal refusal);

struct rt_system_stats {
    uint64_t actors;       /* alive */
    uint64_t spawned;      /* ever */
    uint64_t dead_letters; /* messages nobody read: refused by the dead or left in their mailbox */
    uint64_t refused;      /* messages refused by a full mailbox */
    uint64_t refusals[RT_REFUSALS]; /* messages refused, by lane and reason */
    uint64_t failures;              /* rt_fail() calls */
    uint64_t restarts;
    uint64_t parked; /* messages that failed their actor and are not tried again */
};

/* Makes a system whose workers do not run yet. NULL when out of memory or file descriptors. */
struct rt_system *rt_system_create(const struct rt_system_options *options);

/* Starts the workers. RT_OK | RT_IO. One thread, once. */
RT_MUST_USE enum rt_status rt_system_start(struct rt_system *system);

/*
 * Stops the workers after their current turn; actors stay as they are. Then nothing of the
 * system runs any more. Blocks until the threads have ended. Not from a worker.
 */
void rt_system_stop(struct rt_system *system);

/* Ends all actors without letting them run, and frees the system. After rt_system_stop(). */
void rt_system_destroy(struct rt_system *system);

/* The loop of one worker. Touch it only on that worker's thread, or before rt_system_start(). */
struct ev_loop *rt_system_loop(struct rt_system *system, unsigned worker);

unsigned rt_system_workers(const struct rt_system *system);
const struct rt_world *rt_system_world(const struct rt_system *system);
struct rt_system_stats rt_system_stats(struct rt_system *system);

/* Shows refusals, dead letters and parked messages of all systems of the process in
 * rt_metrics_render(). Once. */
void rt_system_register_metrics(void);

/* The worker that calls this, or -1 on any other thread. */
int rt_system_worker_here(void);

/*
 * Something to do once at the end of the worker's present round: before it polls its loop
 * or sleeps. For corking writes. Embed it; zeroed means idle.
 */
struct rt_deferred {
    struct rt_deferred *next;
    void (*run)(struct rt_deferred *self);
    bool is_queued;
};

/* Queues it on the worker that calls this, unless it is queued already. Workers only. */
void rt_system_defer(struct rt_system *system, struct rt_deferred *deferred);

/* Takes it back, if it is queued on the worker that calls this. */
void rt_system_undefer(struct rt_system *system, struct rt_deferred *deferred);

/* One line of a listing. */
struct rt_actor_info {
    uint64_t id;
    const char *kind;
    uint32_t waiting;  /* data messages in its mailbox */
    uint32_t messages; /* handled, wraps */
};

/*
 * Calls `visit` for each living actor, while they go on working: a snapshot of no one moment.
 * Threads: any.
 */
void rt_system_visit(struct rt_system *system,
                     void (*visit)(void *context, const struct rt_actor_info *info), void *context);

/* A message nobody read. */
struct rt_dead_letter {
    uint64_t target_id, from_id; /* from_id 0: from outside the actors */
    uint32_t kind;
};

enum { RT_DEAD_LETTERS_KEPT = 64 };

/* Copies the latest dead letters, oldest first. Returns how many. Threads: any. */
unsigned rt_system_dead_letters(struct rt_system *system,
                                struct rt_dead_letter letters_out[RT_DEAD_LETTERS_KEPT]);

/* A message that failed its actor, for good. Its contents are not kept. */
struct rt_parked {
    uint64_t actor;
    const char *kind;      /* of the actor */
    uint32_t message_kind; /* of the message … */
    uint32_t times;        /* … and how often its handling failed the actor */
};

enum { RT_PARKED_KEPT = 64 };

/* Copies the latest parked messages, oldest first. Returns how many. Threads: any. */
unsigned rt_system_parked(struct rt_system *system, struct rt_parked parked_out[RT_PARKED_KEPT]);

#endif
