/*
 * vito/rate_promises.h - which subject was promised room in which second.
 *
 *      now           promised second s
 *       │ n │ n+1 │ … │ s │ s+1 │
 *                     └─ kept ─┘ then expired
 *
 * Retry-After counts whole seconds from an instant within a second, so who was told to come in
 * second s, and has a second's grace, comes in s or s+1.
 */
#ifndef VITO_RATE_PROMISES_H
#define VITO_RATE_PROMISES_H

#include <stdbool.h>
#include <stdint.h>

#include "vito/rate_subject.h"

enum { VITO_PROMISE_SECONDS = 128 }; /* a power of two above the horizon and what is kept */

/* Room for one request. */
struct vito_promise {
    uint64_t s; /* monotonic second */
    struct vito_bucket_subject *subject;
    struct vito_promise *later;           /* of the same subject */
    struct vito_promise *next, *previous; /* in the same second */
};

struct vito_promises {
    struct vito_promise *first[VITO_PROMISE_SECONDS]; /* by second, modulo */
    uint32_t counts[VITO_PROMISE_SECONDS];
    uint32_t total;
    uint64_t oldest_s; /* the first second that may still be kept */
};

/* How many are promised second `s`. */
static inline uint32_t
vito_promises_in(const struct vito_promises *promises, uint64_t s)
{
    return promises->counts[s % VITO_PROMISE_SECONDS];
}

/* Drops one promise whose time has passed and returns its subject, or NULL. Call until NULL before
 * anything else in a new second. */
struct vito_bucket_subject *vito_promises_expire(struct vito_promises *promises, uint64_t now_s);

/* Promises second `s`, within the horizon. False when out of memory. */
RT_MUST_USE bool vito_promises_keep(struct vito_promises *promises,
                                    struct vito_bucket_subject *subject, uint64_t s);

/* Drops the soonest promise of a subject, which has one. */
void vito_promises_drop(struct vito_promises *promises, struct vito_bucket_subject *subject);

/* Drops all of them. */
void vito_promises_deinit(struct vito_promises *promises);

/* Whether a second promised to the subject has come. */
static inline bool
vito_promises_are_due(const struct vito_bucket_subject *subject, uint64_t now_s)
{
    return subject->promised != NULL && subject->promised->s <= now_s;
}

#endif
