/*
 * vito/rate_subject.h - whoever waits at a bucket or was promised a place in it. For the parts of
 * the rate limit.
 */
#ifndef VITO_RATE_SUBJECT_H
#define VITO_RATE_SUBJECT_H

#include <stdint.h>

#include "runtime/table.h"
#include "vito/rate_limit.h"

#define VITO_NO_SECOND UINT64_MAX

struct vito_bucket_subject {
    struct rt_table_link link; /* in the bucket's table */
    uint64_t id;

    struct vito_bucket_waiter *first, *last; /* its waiters, oldest first */
    uint32_t waiting;
    struct vito_bucket_subject *turn_next, *turn_previous; /* while it has waiters */

    struct vito_promise *promised; /* the soonest first */
};

#endif
