#include "vito/rate_promises.h"

#include "runtime/assert.h"
#include "runtime/pool.h"

_Static_assert(VITO_PROMISE_SECONDS > VITO_BUCKET_HORIZON_S + 2, "seconds kept do not meet");

bool
vito_promises_keep(struct vito_promises *promises, struct vito_bucket_subject *subject, uint64_t s)
{
    RT_ASSERT(s - promises->oldest_s < VITO_PROMISE_SECONDS);
    struct vito_promise *promise = rt_pool_take(sizeof(*promise));
    if (promise == NULL)
        return false;
    struct vito_promise **first = &promises->first[s % VITO_PROMISE_SECONDS];
    struct vito_promise **at = &subject->promised;
    while (*at != NULL && (*at)->s <= s)
        at = &(*at)->later;
    *promise = (struct vito_promise){.s = s, .subject = subject, .later = *at, .next = *first};
    *at = promise;
    if (*first != NULL)
        (*first)->previous = promise;
    *first = promise;
    promises->counts[s % VITO_PROMISE_SECONDS]++;
    promises->total++;
    return true;
}

void
vito_promises_drop(struct vito_promises *promises, struct vito_bucket_subject *subject)
{
    struct vito_promise *promise = subject->promised;
    RT_ASSERT(promise != NULL);
    uint64_t index = promise->s % VITO_PROMISE_SECONDS;
    subject->promised = promise->later;
    if (promise->previous != NULL)
        promise->previous->next = promise->next;
    else
        promises->first[index] = promise->next;
    if (promise->next != NULL)
        promise->next->previous = promise->previous;
    promises->counts[index]--;
    promises->total--;
    rt_pool_give(promise, sizeof(*promise));
}

struct vito_bucket_subject *
vito_promises_expire(struct vito_promises *promises, uint64_t now_s)
{
    uint64_t oldest_s = now_s > 0 ? now_s - 1 : 0; /* kept for its second and the next */
    while (promises->total > 0 && promises->oldest_s < oldest_s) {
        struct vito_promise *promise = promises->first[promises->oldest_s % VITO_PROMISE_SECONDS];
        if (promise != NULL) {
            struct vito_bucket_subject *subject = promise->subject;
            RT_ASSERT(subject->promised->s == promise->s); /* a subject's soonest is as old */
            vito_promises_drop(promises, subject);
            return subject;
        }
        promises->oldest_s++;
    }
    promises->oldest_s = oldest_s > promises->oldest_s ? oldest_s : promises->oldest_s;
    return NULL;
}

void
vito_promises_deinit(struct vito_promises *promises)
{
    for (unsigned i = 0; i < VITO_PROMISE_SECONDS; i++)
        while (promises->first[i] != NULL)
            vito_promises_drop(promises, promises->first[i]->subject);
}
