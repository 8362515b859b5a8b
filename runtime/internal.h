/*
 * runtime/internal.h - what the parts of the runtime know of each other. Nobody else
 * includes this.
 */
#ifndef RUNTIME_INTERNAL_H
#define RUNTIME_INTERNAL_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/actor.h"
#include "runtime/group.h"
#include "runtime/mailbox.h"
#include "runtime/recorder.h"
#include "runtime/run_queue.h"
#include "runtime/slab.h"
#include "runtime/system.h"
#include "runtime/timer_wheel.h"

struct rt_peer;

enum rt_actor_flag {
    RT_ACTOR_RENEW = 1 << 0, /* has no state: the next turn begins with a new one */
    RT_ACTOR_AHEAD = 1 << 1, /* goes ahead of others on its worker; for life */
};

/* The means to begin again. */
struct rt_restart {
    const void *args;
    uint32_t max, window_ms, backoff_ms;
    uint32_t count; /* within the window */
    uint64_t lives; /* in all, before this one */
    uint64_t window_start_ns;
    struct rt_timer backoff;  /* its firing ends the pause; START follows */
    struct rt_message *retry; /* to be tried again behind START, or NULL */
    uint8_t message_tries_max;
};

/*
 * One actor. Lives in a slab whose memory is never used for anything else, so that a sender
 * with an old address always finds a mailbox (closed, or of a stranger who bounces it).
 */
struct rt_actor {
    /* senders and the running worker */
    alignas(RT_CACHE_LINE_BYTES) struct rt_mailbox mailbox;

    /* the running worker only, handed on by the mailbox and the run queue */
    _Atomic uint64_t id; /* 0: free. Atomic for visits and late senders; stored by the spawner */
    _Atomic(const struct rt_behaviour *) behaviour;
    struct rt_system *system;
    void *state;
    struct rt_actor *run_next; /* in a linked run queue (inject, pinned) or the free list */
    struct rt_address parent;
    struct rt_peer *peers;      /* watchers, watched, children and linked */
    struct rt_owed *owed;       /* answers owed */
    struct rt_timer *timers;    /* that may be set */
    struct rt_stash *stash;     /* messages put aside, newest first */
    struct rt_restart *restart; /* NULL: never restarted */
    atomic_uint messages;       /* handled, wraps; stored by the running worker */
    uint16_t group;             /* or RT_NO_GROUP; set by the spawner, for life */
    int8_t worker;              /* the only one that may run it, or RT_ANY_WORKER */
    uint8_t flags;              /* enum rt_actor_flag */
};

_Static_assert(RT_WORKERS_MAX <= INT8_MAX, "a worker's number fits into `worker`");
_Static_assert(sizeof(struct rt_actor) <= 192, "DESIGN: at most 192 bytes a header");

static inline uint64_t
rt_actor_id(const struct rt_actor *actor)
{
    return atomic_load_explicit(&actor->id, memory_order_relaxed);
}

static inline const struct rt_behaviour *
rt_behaviour_of(const struct rt_actor *actor)
{
    return atomic_load_explicit(&actor->behaviour, memory_order_relaxed);
}

/* What a turn leaves behind. */
enum rt_turn {
    RT_TURN_PARKED, /* no longer ours */
    RT_TURN_AGAIN,  /* more to do: back to the queue */
    RT_TURN_GONE,   /* ended, or waiting for its restart */
};

/* The turn in progress, for the calls that take `self`. */
struct rt_turn_state {
    const struct rt_message *message; /* being handled */
    bool taken;
    bool answered; /* or owed */
    bool stopping;
    bool failing;
    enum rt_exit_reason reason;
    const char *why; /* of a failure */
};

struct rt_timers {
    pthread_mutex_t mutex; /* set by its worker; cancelled from any */
    struct rt_wheel wheel;
};

enum { RT_OUTBOX_MESSAGES_MAX = 64 };

/*
 * What a handler sends to one actor in a row. The first goes at once; those behind it are kept
 * and go together, when the handler returns, sends to somebody else, or has kept so many. So
 * they keep their order, and the mailbox's cache line travels once. (send.c)
 */
struct rt_outbox {
    const struct rt_actor *sender; /* whose handler runs; NULL: nothing is kept */
    struct rt_actor *to;           /* of the last message that handler sent */
    struct rt_mailbox_chain chain;
};

/* What a worker is to the actors it runs. The scheduler and the simulator embed it. */
struct rt_worker {
    struct rt_system *system;
    unsigned index;
    struct rt_turn_state turn;
    struct rt_outbox outbox;
    struct rt_timers timers;
    uint64_t sequence;     /* last one given out here */
    uint64_t clock_ns;     /* the time, when it was last read */
    unsigned clock_left;   /* messages to go before it is read again … */
    unsigned clock_stride; /* … of so many: fewer where they take long */
    struct rt_deferred *deferred_first, **deferred_end;
    struct rt_recorder recorder;
};

/* The worker whose turn this thread runs, or NULL. */
extern _Thread_local struct rt_worker *rt_worker_here;

static inline struct rt_turn_state *
rt_turn_of(const struct rt_actor *self)
{
    (void)self;
    return &rt_worker_here->turn;
}

static inline struct rt_timers *
rt_timers_of(const struct rt_actor *self)
{
    (void)self;
    return &rt_worker_here->timers;
}

/* A number no other call in this system returns. */
static inline uint64_t
rt_next_sequence(const struct rt_actor *self)
{
    (void)self;
    return (uint64_t)rt_worker_here->index << 48 | ++rt_worker_here->sequence;
}

enum { RT_CLOCK_STRIDE_MAX = 16 };

/* Reads the clock, and decides after how many messages to look again. */
uint64_t rt_worker_read_clock(struct rt_worker *worker);

void rt_worker_init(struct rt_worker *worker, struct rt_system *system, unsigned index);
void rt_worker_deinit(struct rt_worker *worker);

/* Runs what rt_system_defer() queued. */
void rt_worker_run_deferred(struct rt_worker *worker);

/* The last messages nobody read, for people who look for them. */
struct rt_dead_letters {
    pthread_mutex_t mutex;
    uint64_t count;
    struct rt_dead_letter ring[RT_DEAD_LETTERS_KEPT];
};

/* The last messages that failed their actors, for the same. */
struct rt_parking {
    pthread_mutex_t mutex;
    uint64_t count;
    struct rt_parked ring[RT_PARKED_KEPT];
};

struct rt_scheduler;
struct rt_sim;

struct rt_system {
    const struct rt_world *world;
    unsigned worker_count;
    struct rt_scheduler *scheduler; /* one of these two is set */
    struct rt_sim *sim;
    struct rt_slab slab;
    struct rt_groups groups;
    struct rt_dead_letters dead_letters;
    struct rt_parking parking;
    atomic_uint_fast64_t next_id;
    atomic_uint_fast64_t refusals[RT_REFUSALS], failures, restarts;
    struct rt_recorder *recorders[RT_WORKERS_MAX];
};

/* What both kinds of system share (system.c). */
void rt_system_init(struct rt_system *system, const struct rt_world *world, unsigned workers,
                    uint32_t actors_max);
void rt_system_deinit(struct rt_system *system);

struct rt_turn_limits {
    unsigned messages_max;
    uint64_t time_max_ns;
};

/* Runs the actor until a limit, on the worker of this thread. The time is only known within
 * RT_CLOCK_STRIDE_MAX short messages. (turn.c) */
enum rt_turn rt_turn_run(struct rt_actor *actor, const struct rt_turn_limits *limits);

/* Sends a message whose fields are set, target_id excepted. Takes it. (send.c) */
enum rt_status rt_deliver(struct rt_system *system, struct rt_address to,
                          struct rt_message *message);

/* Sends a message that the actor had before to it once more, also when its mailbox is full: nobody
 * would tell its sender. Takes it. Within a turn of the actor. (send.c) */
void rt_deliver_again(struct rt_actor *self, struct rt_message *message);

/* Between these two, what an actor's handler sends may wait in the worker's outbox. (send.c) */
static inline void
rt_outbox_open(struct rt_worker *worker, const struct rt_actor *sender)
{
    worker->outbox.sender = sender;
}
void rt_outbox_close(struct rt_worker *worker);

/* What is counted for operators (counts.c). */
void rt_count_refusal(struct rt_system *system, enum rt_refusal refusal);
void rt_count_dead_letter(void);
void rt_count_parked(void);

/* Answers, or counts as dead letters, messages nobody will read. Takes the list. (send.c) */
void rt_bounce_list(struct rt_system *system, struct rt_message *list);

/* Answers for, or counts as a dead letter, one message; it stays the caller's. */
void rt_bounce(struct rt_system *system, const struct rt_message *message);

/* Lifecycle (actor.c). Both leave `current`, the message in hand. */
void rt_actor_end(struct rt_actor *actor, struct rt_message *current, bool taken,
                  enum rt_exit_reason reason);

/*
 * After rt_fail(): throws the state away and holds the message, until the next turn begins
 * with a new state.
 *
 *   paused_out   true: that turn comes by itself after the back-off; false: queue it again
 *   returns      false when the restart limits are used up: end it instead
 */
RT_MUST_USE bool rt_actor_reset(struct rt_actor *actor, struct rt_message *current, bool taken,
                                const char *why, bool *paused_out);

/*
 * Makes the new state, in the memory of the old one. When init refuses, that is a failure like any
 * other: it begins once more after the next back-off.
 *
 *   begun_out    whether the state is there
 *   paused_out   when it is not: as rt_actor_reset()
 *   returns      false when the restart limits are used up: end it instead
 */
RT_MUST_USE bool rt_actor_renew(struct rt_actor *actor, bool *begun_out, bool *paused_out);

/* Peers (peers.c). */
enum rt_peer_role { RT_PEER_WATCHER, RT_PEER_WATCHED, RT_PEER_CHILD, RT_PEER_LINKED };
RT_MUST_USE bool rt_peer_add(struct rt_actor *actor, enum rt_peer_role role, struct rt_address who);
/* Names the peer that was added as RT_NOBODY. */
void rt_peer_name(struct rt_actor *actor, enum rt_peer_role role, struct rt_address who);
bool rt_peer_remove(struct rt_actor *actor, enum rt_peer_role role, struct rt_address who);
/* As rt_peer_add(), unless it is one already. */
RT_MUST_USE bool rt_peer_add_once(struct rt_actor *actor, enum rt_peer_role role,
                                  struct rt_address who);
/* Before a new state: ends the children and breaks the links, which it will not know. */
void rt_peers_part_with_state(struct rt_actor *actor);
void rt_peers_part(struct rt_actor *actor, enum rt_exit_reason reason);

/* Links (links.c): the three messages about them. True: not for the actor. */
bool rt_link_handle(struct rt_actor *actor, struct rt_message *message);

/* Messages that fail their actors (poison.c). */
void rt_parking_init(struct rt_parking *parking);
void rt_parking_deinit(struct rt_parking *parking);
uint64_t rt_parking_count(struct rt_parking *parking);

/* Keeps the message in hand for another try in `actor->restart`. False when it must not be tried
 * again, or memory is out. */
RT_MUST_USE bool rt_poison_keep(struct rt_actor *actor, struct rt_message *current);
/* Sends the actor what was kept. */
void rt_poison_try_again(struct rt_actor *actor);
/* Notes that the message in hand is not tried again. */
void rt_poison_park(struct rt_actor *actor, const struct rt_message *current);

/* Answers owed (owed.c). */
void rt_refuse_request(struct rt_system *system, const struct rt_message *request,
                       enum rt_status status);
void rt_owed_fail_all(struct rt_actor *actor, enum rt_status status);

/* Messages put aside (stash.c). */
void rt_stash_bounce(struct rt_actor *actor);

/* Timers (timers.c). */
void rt_timers_init(struct rt_timers *timers, uint64_t now_ns);
void rt_timers_deinit(struct rt_timers *timers);
void rt_timers_fire(struct rt_system *system, struct rt_timers *timers, uint64_t now_ns);
uint64_t rt_timers_next_ns(struct rt_timers *timers);
void rt_timers_cancel_all(struct rt_actor *actor);
bool rt_timer_accept(struct rt_actor *actor, struct rt_message *message);

/* Hands a woken actor to the scheduler, real or simulated. (scheduler.c, sim.c) */
void rt_schedule(struct rt_actor *actor);

#endif
