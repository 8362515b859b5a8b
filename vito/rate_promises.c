#include "vito/rate_promises.h"

#include "runtime/assert.h"

_Static_assert(VITO_PROMISE_SECONDS > VITO_BUCKET_HORIZON_S + 2, "seconds kept do not meet");

void
vito_promises_keep(struct vito_promises *promises, struct vito_bucket_subject *subject, uint64_t s)
{
    RT_ASSERT(subject->promised_s == VITO_NO_SECOND);
    RT_ASSERT(s - promises->oldest_s < VITO_PROMISE_SECONDS);
    struct vito_bucket_subject **first = &promises->subjects[s % VITO_PROMISE_SECONDS];
    subject->promised_s = s;
    subject->second_previous = NULL;
    subject->second_next = *first;
    if (*first != NULL)
        (*first)->second_previous = subject;
    *first = subject;
    promises->counts[s % VITO_PROMISE_SECONDS]++;
    promises->total++;
}

void
vito_promises_drop(struct vito_promises *promises, struct vito_bucket_subject *subject)
{
    RT_ASSERT(subject->promised_s != VITO_NO_SECOND);
    uint64_t index = subject->promised_s % VITO_PROMISE_SECONDS;
    if (subject->second_previous != NULL)
        subject->second_previous->second_next = subject->second_next;
    else
        promises->subjects[index] = subject->second_next;
    if (subject->second_next != NULL)
        subject->second_next->second_previous = subject->second_previous;
    subject->second_next = subject->second_previous = NULL;
    subject->promised_s = VITO_NO_SECOND;
    promises->counts[index]--;
    promises->total--;
}

struct vito_bucket_subject *
vito_promises_expire(struct vito_promises *promises, uint64_t now_s)
{
    uint64_t oldest_s = now_s > 0 ? now_s - 1 : 0; /* kept for its second and the next */
    while (promises->total > 0 && promises->oldest_s < oldest_s) {
        struct vito_bucket_subject *subject =
            promises->subjects[promises->oldest_s % VITO_PROMISE_SECONDS];
        if (subject != NULL) {
            vito_promises_drop(promises, subject);
            return subject;
        }
        promises->oldest_s++;
    }
    promises->oldest_s = oldest_s > promises->oldest_s ? oldest_s : promises->oldest_s;
    return NULL;
}
