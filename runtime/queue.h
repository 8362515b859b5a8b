/*
 * runtime/queue.h - the intrusive many-to-one queue under every mailbox.
 *
 * Many senders, one reader. A sender does one exchange; what it finds there tells
 * it everything: a node (link behind it), EMPTY (it is the first and must wake
 * the reader) or CLOSED (there is no reader any more).
 *
 *      head ──► last node            reader ──► first ─► node ─► … ─► last
 *
 * The reader keeps the node it works on linked until it has found the next one,
 * and gives the queue up by one compare-and-swap of that node to EMPTY; if a
 * sender was faster, the swap fails and there is more to read. So "send" and
 * "wake" are one operation, and so are "nothing left" and "park": no wake-up
 * falls between two steps.
 *
 * Source: the hand-over is that of the MCS lock (Mellor-Crummey and Scott,
 * "Algorithms for Scalable Synchronization on Shared-Memory Multiprocessors",
 * 1991); the queue of messages with a marked head is known from ponyc's
 * messageq.c, read 2026-11.
 */
#ifndef RUNTIME_QUEUE_H
#define RUNTIME_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "runtime/compiler.h"

struct rt_link {
    _Atomic(struct rt_link *) next;
};

struct rt_queue {
    _Atomic(struct rt_link *) head;  /* the node pushed last, or a mark; senders and reader */
    _Atomic(struct rt_link *) first; /* the node in the reader's hands, NULL when parked */
};

#define RT_QUEUE_EMPTY ((struct rt_link *)1)  /* parked: the next sender wakes the reader */
#define RT_QUEUE_CLOSED ((struct rt_link *)2) /* sending fails */

enum rt_queue_push {
    RT_QUEUE_PUSHED,       /* a reader is at work and will find it */
    RT_QUEUE_PUSHED_FIRST, /* the sender must now wake the reader */
    RT_QUEUE_REFUSED,      /* closed: the nodes are the sender's again, with more (see push) */
};

enum rt_queue_advance {
    RT_QUEUE_NEXT,   /* `first` is the next node */
    RT_QUEUE_PARKED, /* nothing left; the caller is no longer the reader */
    RT_QUEUE_BUSY,   /* a sender is between its two steps: try again a little later */
};

/* Makes the queue empty and parked. Before any sender exists. */
static inline void
rt_queue_init(struct rt_queue *queue)
{
    atomic_init(&queue->head, RT_QUEUE_EMPTY);
    atomic_init(&queue->first, NULL);
}

/* Makes the queue closed from birth, until rt_queue_reopen(). */
static inline void
rt_queue_init_closed(struct rt_queue *queue)
{
    atomic_init(&queue->head, RT_QUEUE_CLOSED);
    atomic_init(&queue->first, NULL);
}

/* Waits for the sender of `link`'s successor to finish its second step. Only where
 * that sender is known to exist. */
static inline struct rt_link *
rt_queue_await_next(struct rt_link *link)
{
    struct rt_link *next;
    while ((next = atomic_load_explicit(&link->next, memory_order_acquire)) == NULL)
        ; /* the sender is between exchange and store: a handful of instructions */
    return next;
}

/*
 * Appends the chain first..last (already linked to each other; last->next is set here).
 *
 *   last_out   on RT_QUEUE_REFUSED: the end of the chain that is now the caller's,
 *              beginning at `first`. It can be longer than what was offered: others who
 *              pushed behind us while the queue was closed rely on us to hand it back.
 *   threads    any
 */
static inline enum rt_queue_push
rt_queue_push_chain(struct rt_queue *queue, struct rt_link *first, struct rt_link *last,
                    struct rt_link **last_out)
{
    atomic_store_explicit(&last->next, NULL, memory_order_relaxed);
    /* Release pairs with the acquire of `next` or `head` in the reader: it sees the node's
     * contents. Acquire pairs with the release of park: we may write `first`. */
    struct rt_link *before = atomic_exchange_explicit(&queue->head, last, memory_order_acq_rel);
    if (RT_UNLIKELY(before == RT_QUEUE_CLOSED)) {
        *last_out = atomic_exchange_explicit(&queue->head, RT_QUEUE_CLOSED, memory_order_acq_rel);
        return RT_QUEUE_REFUSED;
    }
    if (before == RT_QUEUE_EMPTY) {
        /* Pairs with the reader's load of `first`: whoever is woken finds the chain there. */
        atomic_store_explicit(&queue->first, first, memory_order_release);
        return RT_QUEUE_PUSHED_FIRST;
    }
    /* Pairs with the reader's acquire of `next`. */
    atomic_store_explicit(&before->next, first, memory_order_release);
    return RT_QUEUE_PUSHED;
}

/* Appends one node; see rt_queue_push_chain(). Threads: any. */
static inline enum rt_queue_push
rt_queue_push(struct rt_queue *queue, struct rt_link *link, struct rt_link **last_out)
{
    return rt_queue_push_chain(queue, link, link, last_out);
}

/* The node to work on, or NULL when there is none (or its sender has not finished). */
static inline struct rt_link *
rt_queue_first(struct rt_queue *queue)
{
    return atomic_load_explicit(&queue->first, memory_order_acquire);
}

/* Whether anything was pushed. A hint for senders' side, exact for the reader. */
static inline bool
rt_queue_has_nodes(struct rt_queue *queue)
{
    return (struct rt_link *)atomic_load_explicit(&queue->head, memory_order_acquire) >
           RT_QUEUE_CLOSED;
}

/*
 * Leaves the node in hand, which after RT_QUEUE_NEXT and RT_QUEUE_PARKED belongs to the
 * caller alone. After RT_QUEUE_BUSY it is still linked and must not be worked on twice.
 *
 *   threads    the reader only
 */
static inline enum rt_queue_advance
rt_queue_advance(struct rt_queue *queue, struct rt_link *link)
{
    struct rt_link *next = atomic_load_explicit(&link->next, memory_order_acquire);
    if (next == NULL) {
        if (atomic_load_explicit(&queue->head, memory_order_relaxed) != link)
            return RT_QUEUE_BUSY;
        struct rt_link *expected = link;
        atomic_store_explicit(&queue->first, NULL, memory_order_relaxed);
        /* Release pairs with the acquire of the sender that finds EMPTY: what the reader
         * wrote is visible to the next reader, which that sender wakes. */
        if (atomic_compare_exchange_strong_explicit(&queue->head, &expected, RT_QUEUE_EMPTY,
                                                    memory_order_release, memory_order_relaxed))
            return RT_QUEUE_PARKED;
        atomic_store_explicit(&queue->first, link, memory_order_relaxed);
        return RT_QUEUE_BUSY;
    }
    atomic_store_explicit(&queue->first, next, memory_order_relaxed);
    return RT_QUEUE_NEXT;
}

/*
 * Closes the queue and hands over all that was in it, beginning with the node in hand.
 * NULL when it was empty.
 *
 *   last_out   end of that chain; walk it with rt_queue_await_next()
 *   threads    the reader only
 */
static inline struct rt_link *
rt_queue_close(struct rt_queue *queue, struct rt_link **last_out)
{
    struct rt_link *last =
        atomic_exchange_explicit(&queue->head, RT_QUEUE_CLOSED, memory_order_acq_rel);
    if (last == RT_QUEUE_EMPTY || last == RT_QUEUE_CLOSED)
        return NULL;
    struct rt_link *first;
    while ((first = rt_queue_first(queue)) == NULL)
        ; /* the first sender has exchanged and is about to store */
    atomic_store_explicit(&queue->first, NULL, memory_order_relaxed);
    *last_out = last;
    return first;
}

/* Opens a closed queue, empty and parked. False while a late sender is still backing out. */
static inline bool
rt_queue_reopen(struct rt_queue *queue)
{
    struct rt_link *expected = RT_QUEUE_CLOSED;
    return atomic_compare_exchange_strong_explicit(&queue->head, &expected, RT_QUEUE_EMPTY,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

#endif
