/*
 * vito/rate_limit.h - a leaky bucket that queues fairly and keeps its promises.
 *
 * `burst` requests may be in the bucket at once; it leaks `per_second`. Besides, of those that do
 * not wait no second has more than `burst` or `per_second`, whichever is more: what leaks meanwhile
 * does not come on top. What finds no room waits in a bounded queue that drains at `per_second`,
 * first come first served, but in turns between end users; what finds the queue full, or could not
 * be served within max_wait, is refused with a slot: a second at which room is kept for that
 * subject. Only so many get the same second, so a thousand refused callers do not come back in the
 * same instant; and at most a third of the bucket and half of the rate is promised in this way, so
 * that those who never come back keep nobody else out.
 *
 *      arrive ──► room? ──yes──► ADMIT
 *                  │no
 *                  ├──► queue has room, wait short enough ──► WAIT … bucket_next() ──► ADMIT
 *                  └──► REFUSE, with retry_after_s: come back then and there is room
 *
 * A plain data structure: no clock, no timers, no I/O. Times are monotonic ns.
 * Source: the bucket is GCRA (ITU-T I.371, annex A) written as a level that leaks.
 */
#ifndef VITO_RATE_LIMIT_H
#define VITO_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/status.h"
#include "vito/policy_config.h"

struct vito_bucket;

enum vito_bucket_verdict { VITO_BUCKET_ADMIT, VITO_BUCKET_WAIT, VITO_BUCKET_REFUSE };

struct vito_bucket_answer {
    enum vito_bucket_verdict verdict;
    uint32_t position;      /* WAIT: 1 is next; at most that far back */
    uint64_t eta_ns;        /* WAIT: about when it will be served, from now */
    uint32_t retry_after_s; /* REFUSE: at least 1; above VITO_BUCKET_HORIZON_S nothing is kept */
    bool queue_full;        /* REFUSE: because of the queue's length rather than the wait */
    uint32_t remaining;     /* how many more would be admitted now */
};

enum {
    VITO_BUCKET_HORIZON_S = 120,    /* how far ahead room is promised */
    VITO_BUCKET_PROMISES_MAX = 4096 /* to so many subjects at once */
};

/* Who asks. Users of the same holder wait in turns, and share its slots. */
struct vito_bucket_caller {
    uint64_t user;   /* whose turn it is in the queue; hashed by the caller */
    uint64_t holder; /* to whom slots are promised: the user again, which then has one at most, or
                        a key that many users share, whose refused requests have one each */
};

/* A waiter; embed it in what waits, zeroed. */
struct vito_bucket_waiter {
    struct vito_bucket_waiter *next, *previous; /* of the same subject */
    struct vito_bucket_waiter *newer, *older;   /* of all */
    struct vito_bucket_subject *subject;        /* NULL when it does not wait */
    uint64_t holder;
    uint64_t deadline_ns;
};

/* NULL when out of memory. */
struct vito_bucket *vito_bucket_create(const struct vito_rate *rate, uint64_t now_ns);

/* The waiters are forgotten, not told. */
void vito_bucket_destroy(struct vito_bucket *bucket);

/* New figures; the level, the waiters and the slots stay. A slot promised at a higher rate may
 * find no room; then it is refused with another one. */
void vito_bucket_configure(struct vito_bucket *bucket, const struct vito_rate *rate,
                           uint64_t now_ns);

/*
 * One request arrives. A holder that was refused and comes when it was told to, or within a
 * second after, is admitted before all others: once for each slot.
 *
 *   waiter    linked in when the verdict is WAIT; must then stay in place until it is returned
 *             by vito_bucket_next() or removed
 */
struct vito_bucket_answer vito_bucket_arrive(struct vito_bucket *bucket,
                                             struct vito_bucket_caller caller,
                                             struct vito_bucket_waiter *waiter, uint64_t now_ns);

/* What became of one waiter. */
struct vito_bucket_served {
    struct vito_bucket_waiter *waiter; /* NULL: nobody's time has come */
    bool timed_out;                    /* it waited for max_wait and is refused */
    uint32_t retry_after_s;            /* when timed_out */
};

/* The next waiter that is admitted or has waited too long, no longer linked. Call until NULL. */
struct vito_bucket_served vito_bucket_next(struct vito_bucket *bucket, uint64_t now_ns);

/* When to call vito_bucket_next(); UINT64_MAX when nobody waits. */
uint64_t vito_bucket_wake_ns(const struct vito_bucket *bucket);

/* Takes a waiter out, if it waits. */
void vito_bucket_remove(struct vito_bucket *bucket, struct vito_bucket_waiter *waiter);

uint32_t vito_bucket_waiting(const struct vito_bucket *bucket);

#endif
