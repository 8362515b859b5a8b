/*
 * vito/rate_room.h - how full a bucket is, and when there will be room in it, such that everyone
 * who was promised some still finds it.
 */
#ifndef VITO_RATE_ROOM_H
#define VITO_RATE_ROOM_H

#include "runtime/world.h"
#include "vito/rate_limit.h"
#include "vito/rate_line.h"
#include "vito/rate_promises.h"
#include "vito/rate_window.h"

/*
 * The level is counted in drops, a thousand millionth of a request, so that what leaks in a
 * nanosecond is `per_second` drops: no fraction is ever rounded away.
 */
#define VITO_DROPS INT64_C(1000000000) /* in a request */

struct vito_bucket {
    struct vito_rate rate;
    uint64_t now_ns;           /* of the last call */
    int64_t level_drops;       /* then */
    struct vito_window window; /* those that did not wait and had no promise */
    struct vito_line line;
    uint64_t line_opens_ns; /* nobody in it is served before */
    struct vito_promises promises;
    struct rt_table subjects; /* that wait or were promised something */
};

static inline uint64_t
vito_second_of(uint64_t ns)
{
    return ns / RT_NS_PER_S;
}

/* What fits besides the level. Negative when the burst was lowered. */
static inline int64_t
vito_room_free_drops(const struct vito_bucket *bucket)
{
    return (int64_t)bucket->rate.burst * VITO_DROPS - bucket->level_drops;
}

/* How many fit now. */
uint32_t vito_room_now(const struct vito_bucket *bucket);

/* How many promised ones may come at this instant. */
uint32_t vito_room_claims_now(const struct vito_bucket *bucket);

/* When one more fits, if nothing changes. */
uint64_t vito_room_next_ns(const struct vito_bucket *bucket);

/* When `count` more fit at the latest. */
uint64_t vito_room_at_last_ns(const struct vito_bucket *bucket, uint32_t count);

/* The first second with a free slot that takes nothing from those who wait or were promised room
 * before; VITO_NO_SECOND when the horizon has none. */
uint64_t vito_room_free_second(const struct vito_bucket *bucket);

#endif
