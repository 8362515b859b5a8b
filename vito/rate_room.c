#include "vito/rate_room.h"

/* Nanoseconds until so much has leaked; 0 when it is not positive. */
static uint64_t
leak_ns(const struct vito_bucket *bucket, int64_t drops)
{
    uint64_t per_ns = bucket->rate.per_second;
    return drops <= 0 ? 0 : ((uint64_t)drops + per_ns - 1) / per_ns;
}

/* A second ahead, and how many may have claimed their room by its start. */
struct ahead {
    uint64_t s, start_ns;
    uint32_t claims;
};

/* Now. What was promised for this second or the one before may be claimed at once. */
static struct ahead
look_around(const struct vito_bucket *bucket)
{
    uint64_t now_s = vito_second_of(bucket->now_ns);
    uint32_t due =
        vito_promises_in(&bucket->promises, now_s - 1) + vito_promises_in(&bucket->promises, now_s);
    return (struct ahead){.s = now_s, .start_ns = bucket->now_ns, .claims = due};
}

static void
look_further(const struct vito_bucket *bucket, struct ahead *ahead)
{
    ahead->s++;
    ahead->start_ns = ahead->s * RT_NS_PER_S;
    ahead->claims += vito_promises_in(&bucket->promises, ahead->s);
}

/* Whether claims from there on can still find too little room, when by `end_ns` there will be
 * enough for all of them together. */
static bool
matters(const struct vito_bucket *bucket, const struct ahead *ahead, uint64_t end_ns)
{
    return ahead->start_ns < end_ns &&
           ahead->s <= vito_second_of(bucket->now_ns) + VITO_BUCKET_HORIZON_S;
}

/*
 * When `count` more requests fit, such that everyone who was promised room still finds it,
 * however early they all come: from then on, at the start of every second, what there is more
 * than fits, with the claims so far, must have leaked.
 *
 *   claim   what each claim adds, in drops
 */
static uint64_t
room_ns(const struct vito_bucket *bucket, uint32_t count, int64_t claim)
{
    int64_t over = count * VITO_DROPS - vito_room_free_drops(bucket);
    uint64_t room = bucket->now_ns + leak_ns(bucket, over);
    uint64_t end = bucket->now_ns + leak_ns(bucket, over + bucket->promises.total * claim);
    struct ahead ahead = look_around(bucket);
    for (; matters(bucket, &ahead, end); look_further(bucket, &ahead)) {
        uint64_t leaked = bucket->now_ns + leak_ns(bucket, over + ahead.claims * claim);
        if (leaked > ahead.start_ns && leaked > room)
            room = leaked;
    }
    return room;
}

/* A bucket of one has no room beside the one it keeps: there nothing is admitted for two seconds,
 * and for as long before as one request takes to leak, should the slot be claimed late or not at
 * all. */
uint64_t
vito_room_at_last_ns(const struct vito_bucket *bucket, uint32_t count)
{
    int64_t alone = 2 * VITO_DROPS + 2 * VITO_DROPS * bucket->rate.per_second;
    return room_ns(bucket, count, bucket->rate.burst > 1 ? VITO_DROPS : alone);
}

uint32_t
vito_room_now(const struct vito_bucket *bucket)
{
    int64_t least = vito_room_free_drops(bucket);
    uint64_t end = bucket->now_ns + leak_ns(bucket, bucket->promises.total * VITO_DROPS);
    struct ahead ahead = look_around(bucket);
    for (; matters(bucket, &ahead, end); look_further(bucket, &ahead)) {
        uint64_t leaked = (ahead.start_ns - bucket->now_ns) * bucket->rate.per_second;
        int64_t left = vito_room_free_drops(bucket) + (int64_t)leaked - ahead.claims * VITO_DROPS;
        if (left < least)
            least = left;
    }
    return least < VITO_DROPS ? 0 : (uint32_t)(least / VITO_DROPS);
}

/*
 * How many slots a second has, and every how many seconds there are some. The claims of three
 * seconds can meet in one instant, and beside them others must find room, or those who do not
 * come back would shut them out; so a third of the bucket is the most, and of what leaks, half.
 * Small buckets keep the same rule by pauses.
 */
static uint32_t
slots_per_second(const struct vito_rate *rate)
{
    uint32_t of_burst = (rate->burst - 1) / 3, of_rate = rate->per_second / 2;
    uint32_t slots = of_burst < of_rate ? of_burst : of_rate;
    return slots > 0 ? slots : 1;
}

static uint32_t
seconds_per_slot(const struct vito_rate *rate)
{
    if (rate->burst <= 3)
        return 5 - rate->burst; /* three: at most two meet; two: one; one: see above */
    return rate->per_second == 1 ? 2 : 1;
}

uint64_t
vito_room_free_second(const struct vito_bucket *bucket)
{
    uint64_t now_s = vito_second_of(bucket->now_ns);
    uint64_t s =
        vito_second_of(vito_room_at_last_ns(bucket, bucket->line.waiting + 1) + RT_NS_PER_S - 1);
    uint32_t slots = slots_per_second(&bucket->rate), step = seconds_per_slot(&bucket->rate);
    if (s <= now_s)
        s = now_s + 1;
    for (; s <= now_s + VITO_BUCKET_HORIZON_S; s++)
        if (s % step == 0 && vito_promises_in(&bucket->promises, s) < slots)
            return s;
    return VITO_NO_SECOND;
}

uint32_t
vito_room_claims_now(const struct vito_bucket *bucket)
{
    return look_around(bucket).claims;
}

uint64_t
vito_room_next_ns(const struct vito_bucket *bucket)
{
    return room_ns(bucket, 1, VITO_DROPS);
}
