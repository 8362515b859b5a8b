/*
 * runtime/actor.h - the actor machine as a behaviour sees it.
 *
 * An actor is private state, a mailbox and a behaviour. One message at a time is handled,
 * never two at once, on whichever worker is free; so a behaviour needs no locks. All it can
 * do to others is send.
 *
 *   spawn ──init──► READY ──START, messages…──► stop asked, parent gone, EXIT ──► ENDED
 *                     ▲  │ rt_fail
 *                     └──┘ restart: stop, back-off, fresh state, START; same address and mail
 *
 * Calls that take `self` are for the actor's own handlers, on the thread that runs them.
 */
#ifndef RUNTIME_ACTOR_H
#define RUNTIME_ACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/mailbox.h"
#include "runtime/message.h"
#include "runtime/status.h"
#include "runtime/timer_wheel.h"
#include "runtime/world.h"

struct rt_actor;
struct rt_system;

enum rt_exit_reason {
    RT_EXIT_NORMAL,   /* it had nothing more to do */
    RT_EXIT_SHUTDOWN, /* the process or its parent is going down */
    RT_EXIT_KILLED,   /* somebody asked for it */
    RT_EXIT_FAILED,   /* rt_fail() more often than its restart limits allow */
    RT_EXIT_NOBODY,   /* in a DOWN or LINK_BROKEN only: it was dead already */
};

/* What a kind of actor does. One static const per kind. */
struct rt_behaviour {
    const char *name;   /* the kind, as logs and /api/runtime show it */
    size_t state_bytes; /* private memory, zeroed before init */
    struct rt_mailbox_limits limits;
    bool is_slow;     /* handlers can take long (scripts): the clock is read after each, and what
                         they send never waits for them */
    bool traps_links; /* is told of a broken link, which ends or fails it otherwise: rt_link() */

    /*
     * Fills in the zeroed state. Runs in rt_spawn() on the spawner's thread, and again, on a
     * worker, at each restart; it must not send, spawn or set timers (START is for that). What
     * it returns but RT_OK is, at a restart, a failure like any other.
     */
    enum rt_status (*init)(struct rt_actor *self, void *state, const void *args);

    /* Handles one message, which is freed afterwards unless rt_take() was called. */
    void (*handle)(struct rt_actor *self, void *state, struct rt_message *message);

    /* Lets go of what the state owns. NULL when it owns nothing. May send. */
    void (*stop)(struct rt_actor *self, void *state, enum rt_exit_reason reason);
};

enum { RT_ANY_WORKER = -1 };

struct rt_spawn_options {
    const struct rt_behaviour *behaviour;
    const void *args;      /* for init; with restarts it must live as long as the actor */
    int worker;            /* RT_ANY_WORKER, or the only worker that may run it */
    bool goes_ahead;       /* of the others that only this worker may run: of two places it has one.
                              For the few that all wait for */
    unsigned group_weight; /* 0: in the group of its parent, or in none. Else it leads a new group,
                              with so many places in the run queues for all in it (group.h) */
    uint32_t restarts_max; /* within restart_window_ms; 0: the first rt_fail() ends it */
    uint32_t restart_window_ms;
    uint32_t restart_backoff_ms; /* before the second restart in a window; doubles with each */
    uint8_t message_tries_max;   /* how often a message is handled that fails the actor each time;
                                    0 means 1. See rt_fail() */
};

/* For `message_tries_max`, where it is safe to handle a message twice. */
enum { RT_MESSAGE_TRIES = 3 };

/* Payloads of the runtime's own messages. */
struct rt_exit {
    enum rt_exit_reason reason;
};
struct rt_down {
    struct rt_address who;
    enum rt_exit_reason reason;
};
struct rt_failed { /* request_id of the message says which request */
    enum rt_status status;
};
struct rt_timer;
struct rt_timer_fired {
    struct rt_timer *timer; /* the one that was set; compare with your own */
    uint64_t sequence;
};

/*
 * Creates an actor; its first message is START.
 *
 *   returns    RT_OK | RT_FULL (actors_max) | RT_NO_MEMORY | what init returned
 *   threads    any
 */
RT_MUST_USE enum rt_status rt_spawn(struct rt_system *system,
                                    const struct rt_spawn_options *options,
                                    struct rt_address *address_out);

/* As rt_spawn(), as a child of the caller, which gets DOWN when the child ends and takes the
 * child along when it ends itself. */
RT_MUST_USE enum rt_status rt_spawn_child(struct rt_actor *self,
                                          const struct rt_spawn_options *options,
                                          struct rt_address *address_out);

/*
 * Sends from outside the actors (a store's thread, a socket's callback).
 *
 *   returns    RT_OK | RT_FULL | RT_CLOSED
 *   ownership  takes `message` in every case
 *   threads    any
 */
enum rt_status rt_post(struct rt_system *system, struct rt_address to, struct rt_message *message);

/* Asks an actor to end; with RT_EXIT_FAILED to fail, after which it may be restarted. Nothing
 * happens when it is dead. Threads: any. */
void rt_exit(struct rt_system *system, struct rt_address who, enum rt_exit_reason reason);

/* About how much waits in an actor's data lane. Meant for who has just sent to it. 0 for nobody; of
 * an actor that is gone it says nothing. Threads: any. */
uint64_t rt_waiting_bytes(struct rt_address who);

/* For an actor's own handlers. */

struct rt_address rt_self(const struct rt_actor *self);
struct rt_system *rt_system_of(const struct rt_actor *self);

/* The actor's private state, for callbacks that are not given it. */
void *rt_state_of(const struct rt_actor *self);

/*
 * Sends and forgets. Messages from one actor to another keep their order within a lane. The
 * second and further ones in a row to one actor may leave only when the handler returns.
 *
 *   returns    RT_OK | RT_FULL (its data lane) | RT_CLOSED (it is dead)
 *   ownership  takes `message` in every case
 */
enum rt_status rt_send(struct rt_actor *self, struct rt_address to, struct rt_message *message);

/* As rt_send(), through the control lane: overtakes data and is never RT_FULL. */
enum rt_status rt_send_control(struct rt_actor *self, struct rt_address to,
                               struct rt_message *message);

/*
 * Sends a request. Exactly one answer with this `request_id` will come, on the control lane:
 * the server's, or RT_KIND_FAILED when it is dead, full, dies first, or does not answer.
 *
 *   request_id   the sender's own; not 0
 *   ownership    takes `message`
 */
void rt_request(struct rt_actor *self, struct rt_address to, struct rt_message *message,
                uint64_t request_id);

/* As rt_request(), with the request itself on the control lane. */
void rt_request_control(struct rt_actor *self, struct rt_address to, struct rt_message *message,
                        uint64_t request_id);

/*
 * Below what an actor gives its questions as numbers (request_id), to whomever it puts them: more
 * with each restart. For its mailbox outlives a failure, and the answer to what its former life
 * asked must not pass for the answer to something else. Take it in init.
 */
uint64_t rt_numbers_from(const struct rt_actor *self);

/* Answers the request being handled. Takes `answer`. */
void rt_answer(struct rt_actor *self, const struct rt_message *request, struct rt_message *answer);

/* Answers it with RT_KIND_FAILED. */
void rt_answer_failed(struct rt_actor *self, const struct rt_message *request,
                      enum rt_status status);

/* An answer owed. Freed by rt_owed_answer() and rt_owed_failed(); when the actor ends, what it
 * still owes is answered with RT_KIND_FAILED. */
struct rt_owed;

/* Puts off answering the request being handled. NULL when out of memory (then it was failed). */
struct rt_owed *rt_owe(struct rt_actor *self, const struct rt_message *request);
void rt_owed_answer(struct rt_actor *self, struct rt_owed *owed, struct rt_message *answer);
void rt_owed_failed(struct rt_actor *self, struct rt_owed *owed, enum rt_status status);

/* Who waits for the answer. */
struct rt_address rt_owed_to(const struct rt_owed *owed);

/* Keeps the message being handled after the handler returns: the actor must then free it with
 * rt_message_destroy(). */
void rt_take(struct rt_actor *self, struct rt_message *message);

/*
 * Puts the message being handled aside, unanswered; rt_unstash() sends all such messages to the
 * actor again, oldest first, behind what is in its mailbox by then, however full that is. Until
 * then they count against the mailbox's limits like those that it has not seen. For actors that
 * cannot work yet. False when out of memory: then it is handled as if it had not been called.
 */
RT_MUST_USE bool rt_stash(struct rt_actor *self, struct rt_message *message);
void rt_unstash(struct rt_actor *self);

/* Ends this actor after the current message. */
void rt_stop(struct rt_actor *self, enum rt_exit_reason reason);

/*
 * Gives up on the current state: restart within the limits, else end with RT_EXIT_FAILED.
 * `why` is a stable token for the log.
 *
 * The message being handled is tried again, as the first one after START, while it has had fewer
 * than message_tries_max tries. It is tried as what its handler left of it: what was taken out is
 * gone, what was sent was sent. One that was answered, put off or taken, and every answer, is not
 * tried again: the new state did not ask. Then it is parked: its request fails with RT_CLOSED,
 * and rt_system_parked() shows which message it was.
 */
void rt_fail(struct rt_actor *self, const char *why);

/* From now on DOWN is sent here once when `target` ends (at once if it is dead). */
void rt_monitor(struct rt_actor *self, struct rt_address target);
void rt_unmonitor(struct rt_actor *self, struct rt_address target);

/*
 * Binds two actors to each other, as Erlang's link/1 does (erlang:link/1, and "Error Handling" in
 * the Erlang reference manual): when one ends, the other
 *
 *   traps_links             is told by RT_KIND_LINK_BROKEN, whatever the reason; else
 *   RT_EXIT_NORMAL          goes on
 *   RT_EXIT_FAILED, NOBODY  fails, as by rt_fail(): its own restart limits decide
 *   any other               ends with the same reason
 *
 * A failure breaks the links also of an actor that is restarted: its new state knows of none. There
 * is one link between two actors, however often and from whichever side it was made. To a dead
 * target it breaks at once, with RT_EXIT_NOBODY. Out of memory fails the actor.
 */
void rt_link(struct rt_actor *self, struct rt_address target);

/* From now on neither's end means anything to the other, also an end that is under way. */
void rt_unlink(struct rt_actor *self, struct rt_address target);

/*
 * A deadline of an actor: embed it in the state, zeroed. When it is due the actor gets
 * RT_KIND_TIMER, unless it was cancelled or set again before that message is handled.
 */
struct rt_timer {
    struct rt_wheel_entry entry;
    struct rt_timers *wheel; /* where it is set, or was set last */
    struct rt_address owner;
    struct rt_timer *next, *previous; /* the actor's armed timers */
    uint64_t sequence;                /* of the latest set; firings of older ones are void */
    bool is_armed;                    /* set, and neither cancelled nor delivered */
    bool ends_pause;                  /* the runtime's: schedules its paused owner, no message */
};

/* Sets the timer `delay_ns` from now, in place of what it was set to. */
void rt_timer_set(struct rt_actor *self, struct rt_timer *timer, uint64_t delay_ns);
void rt_timer_cancel(struct rt_actor *self, struct rt_timer *timer);

static inline bool
rt_timer_is_armed(const struct rt_timer *timer)
{
    return timer->is_armed;
}

/* The timer that this RT_KIND_TIMER message stands for. */
static inline const struct rt_timer *
rt_timer_of(struct rt_message *message)
{
    return ((struct rt_timer_fired *)rt_message_payload(message))->timer;
}

uint64_t rt_now_ns(const struct rt_actor *self);
/* As rt_now_ns(), and goes on while the machine sleeps: for what costs meanwhile. */
uint64_t rt_boot_ns(const struct rt_actor *self);
int64_t rt_wall_ms(const struct rt_actor *self);
void rt_random(const struct rt_actor *self, void *bytes_out, size_t size_bytes);

/* The worker that runs this turn, from 0. For memory that each worker has one of. */
unsigned rt_worker_index(const struct rt_actor *self);

#endif
