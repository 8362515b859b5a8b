/*
 * runtime/mailbox.h - the bounded queue in front of one actor.
 *
 * Two lanes. Data is bounded in messages and bytes and refused to the sender when full.
 * Control (exits, downs, timers, answers) is small by its nature, never refused while
 * the actor lives, and overtakes data.
 *
 *                 send finds EMPTY              nothing left
 *      PARKED ------------------------> AWAKE --------------> PARKED
 *         \                               |
 *          +---------- close -------------+--> CLOSED --reopen--> PARKED
 *
 * Only the data lane says PARKED or AWAKE. A control message that finds its own lane
 * empty rings the *bell*: a node of the mailbox's own, pushed through the data lane, so
 * that there is one place where wake-ups can be lost, and it is proven once. Two bell
 * nodes take turns, because the reader may still stand on one while the other is rung.
 *
 * Many senders; one reader, the worker that runs the actor.
 */
#ifndef RUNTIME_MAILBOX_H
#define RUNTIME_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/message.h"
#include "runtime/queue.h"
#include "runtime/status.h"

enum { RT_MAILBOX_MESSAGES_MAX = 1 << 22 };

struct rt_mailbox_limits {
    uint32_t messages_max; /* data messages waiting; 1 … RT_MAILBOX_MESSAGES_MAX */
    uint32_t bytes_max;    /* their weight together */
};

struct rt_mailbox {
    /* Read by senders, also late ones that meet the next owner's limits; never freed. */
    _Atomic(const struct rt_mailbox_limits *) limits;
    struct rt_queue data;
    struct rt_queue control;
    /* What the data lane was sent and what was taken from it since its memory was made, each as
     * messages << 40 | bytes, wrapping: their difference is what waits. */
    _Atomic uint64_t sent;  /* senders; late ones too */
    _Atomic uint64_t taken; /* stored by the reader, once a turn; read by senders */
    struct rt_link bells[2];
    atomic_bool bell_rung;
    uint8_t bell_next;   /* which bell the next ringer pushes; handed over by bell_rung */
    bool bell_answered;  /* reader: it stands on a bell it has already answered */
    uint8_t stuck;       /* reader: enum stuck of mailbox.c */
    bool stuck_taken;    /* reader: the node it is stuck on was taken by the actor */
    uint64_t taken_load; /* reader: worked on since `taken` was last stored, same units */
};

/* What a sender learns. */
struct rt_mailbox_sent {
    enum rt_status status;     /* RT_OK | RT_FULL | RT_CLOSED */
    bool wake;                 /* hand the actor to the scheduler; also on RT_CLOSED */
    bool is_bytes;             /* of RT_FULL: the bytes' limit was reached, not the messages' */
    struct rt_message *others; /* messages of others that slipped into a closed lane behind
                                  ours, see rt_mailbox_list_next(); the caller bounces them */
};

/* Makes a closed mailbox. */
void rt_mailbox_init(struct rt_mailbox *mailbox);

/*
 * Opens a closed mailbox with limits that live for ever. Its actor must be ready to run: a late
 * sender with an old address may wake it at once.
 *
 *   returns    false while such a sender is still backing out of the data lane: try another
 */
RT_MUST_USE bool rt_mailbox_reopen(struct rt_mailbox *mailbox,
                                   const struct rt_mailbox_limits *limits);

/*
 * Sends. Never blocks, never allocates. The lane follows from the message's flags.
 *
 *   ownership  on RT_OK the mailbox's; otherwise still the caller's
 *   threads    any
 */
RT_MUST_USE struct rt_mailbox_sent rt_mailbox_push(struct rt_mailbox *mailbox,
                                                   struct rt_message *message);

/* Several data messages of one sender, linked oldest first, on their way together. */
struct rt_mailbox_chain {
    struct rt_message *first, *last; /* NULL: none */
    uint32_t messages;
    uint64_t load; /* of all, in the mailbox's own units */
};

/* Adds a data message at the end. */
void rt_mailbox_chain_add(struct rt_mailbox_chain *chain, struct rt_message *message);

/*
 * Whether the data lane is open and had room for one more than the chain just now.
 *
 *   threads    any
 */
bool rt_mailbox_has_room(const struct rt_mailbox *mailbox, const struct rt_mailbox_chain *chain);

/*
 * Sends a chain as one: one exchange for all of it. Whoever sends chains asks for room before and
 * keeps them short, for they are not refused: the limits hold but for a chain a sender.
 *
 *   returns    RT_OK, or RT_CLOSED: `others` are the messages of the chain, and more
 *   ownership  takes the messages in both cases
 *   threads    any
 */
RT_MUST_USE struct rt_mailbox_sent rt_mailbox_push_chain(struct rt_mailbox *mailbox,
                                                         const struct rt_mailbox_chain *chain);

enum rt_mailbox_state {
    RT_MAILBOX_READY,  /* there is a message in hand (begin), or there may be (leave) */
    RT_MAILBOX_PARKED, /* nothing left; the caller is no longer the reader */
    RT_MAILBOX_STUCK,  /* a sender is between its two steps: requeue the actor, try again later */
};

/*
 * Begins work on the oldest message, control first. It stays linked until it is left.
 *
 *   message_out  set when the result is RT_MAILBOX_READY
 *   threads      the reader only
 */
RT_MUST_USE enum rt_mailbox_state rt_mailbox_begin(struct rt_mailbox *mailbox,
                                                   struct rt_message **message_out);

/*
 * Ends work on the message from rt_mailbox_begin().
 *
 *   taken      the receiver keeps the message; otherwise it is destroyed here
 *   threads    the reader only
 */
RT_MUST_USE enum rt_mailbox_state rt_mailbox_leave(struct rt_mailbox *mailbox,
                                                   struct rt_message *message, bool taken);

/*
 * Ends work on the message without letting go of it: the mailbox stays awake, with nobody
 * running it, until the next rt_mailbox_begin() leaves the message. For pauses.
 *
 *   threads    the reader only
 */
void rt_mailbox_hold(struct rt_mailbox *mailbox, struct rt_message *message, bool taken);

/* Tells senders what was worked on since the last call. Once a turn. Reader only. */
void rt_mailbox_account(struct rt_mailbox *mailbox);

/* The data node pushed last, to bound a turn by what was there at its start. */
static inline const struct rt_link *
rt_mailbox_snapshot(struct rt_mailbox *mailbox)
{
    return atomic_load_explicit(&mailbox->data.head, memory_order_relaxed);
}

/*
 * A data message that the receiver has taken to work on it later still waits: it counts against the
 * limits until it is put back, before it is sent again or given up. Control messages never count.
 *
 *   threads    the reader only
 */
void rt_mailbox_set_aside(struct rt_mailbox *mailbox, const struct rt_message *message);
void rt_mailbox_put_back(struct rt_mailbox *mailbox, const struct rt_message *message);

/*
 * Closes both lanes and returns what was not yet begun, oldest control first, or NULL.
 *
 *   current    the message in hand, left by this call; NULL when there is none
 *   taken      as for rt_mailbox_leave()
 *   ownership  the list is the caller's
 *   threads    the reader only
 */
struct rt_message *rt_mailbox_close(struct rt_mailbox *mailbox, struct rt_message *current,
                                    bool taken);

/* The message after this one in a list of bounced messages, or NULL. */
struct rt_message *rt_mailbox_list_next(struct rt_message *message);

/* Their weight, about. Threads: any. */
uint64_t rt_mailbox_bytes(const struct rt_mailbox *mailbox);

/* Data messages waiting, about. Threads: any. */
uint32_t rt_mailbox_depth(const struct rt_mailbox *mailbox);

#endif
