#include "vito/rate_limit.h"

#include <stdlib.h>

#include "runtime/assert.h"
#include "runtime/pool.h"
#include "runtime/world.h"
#include "vito/rate_line.h"
#include "vito/rate_promises.h"

/*
 * The level is counted in drops, a thousand millionth of a request, so that what leaks in a
 * nanosecond is `per_second` drops: no fraction is ever rounded away.
 */
#define DROPS INT64_C(1000000000) /* in a request */

struct vito_bucket {
    struct vito_rate rate;
    uint64_t now_ns;     /* of the last call */
    int64_t level_drops; /* then */
    struct vito_line line;
    struct vito_promises promises;
    struct rt_table subjects; /* that wait or were promised something */
};

/* -- subjects ------------------------------------------------------------------------------- */

static struct vito_bucket_subject *
find_subject(const struct vito_bucket *bucket, uint64_t id)
{
    uint64_t hash = rt_hash_u64(id);
    struct rt_table_link *link = rt_table_find(&bucket->subjects, hash, NULL);
    for (; link != NULL; link = rt_table_find(&bucket->subjects, hash, link)) {
        struct vito_bucket_subject *subject =
            RT_CONTAINER_OF(link, struct vito_bucket_subject, link);
        if (subject->id == id)
            return subject;
    }
    return NULL;
}

/* The subject, made if need be; NULL when out of memory. */
static struct vito_bucket_subject *
take_subject(struct vito_bucket *bucket, struct vito_bucket_subject *known, uint64_t id)
{
    if (known != NULL)
        return known;
    struct vito_bucket_subject *subject = rt_pool_take(sizeof(*subject));
    if (subject == NULL)
        return NULL;
    *subject = (struct vito_bucket_subject){.id = id, .promised_s = VITO_NO_SECOND};
    if (rt_table_add(&bucket->subjects, &subject->link, rt_hash_u64(id)))
        return subject;
    rt_pool_give(subject, sizeof(*subject));
    return NULL;
}

static void
forget_if_idle(struct vito_bucket *bucket, struct vito_bucket_subject *subject)
{
    if (subject->waiting > 0 || subject->promised_s != VITO_NO_SECOND)
        return;
    rt_table_remove(&bucket->subjects, &subject->link);
    rt_pool_give(subject, sizeof(*subject));
}

/* -- level ---------------------------------------------------------------------------------- */

static uint64_t
second_of(uint64_t ns)
{
    return ns / RT_NS_PER_S;
}

/* Lets leak what has leaked since the last call, and forgets slots whose time has passed. */
static void
advance(struct vito_bucket *bucket, uint64_t now_ns)
{
    if (now_ns <= bucket->now_ns)
        return;
    uint64_t elapsed_ns = now_ns - bucket->now_ns, per_ns = bucket->rate.per_second;
    if (elapsed_ns > (uint64_t)bucket->level_drops / per_ns)
        bucket->level_drops = 0;
    else
        bucket->level_drops -= (int64_t)(elapsed_ns * per_ns);
    bucket->now_ns = now_ns;
    struct vito_bucket_subject *subject;
    while ((subject = vito_promises_expire(&bucket->promises, second_of(now_ns))) != NULL)
        forget_if_idle(bucket, subject);
}

static int64_t
free_drops(const struct vito_bucket *bucket)
{
    return (int64_t)bucket->rate.burst * DROPS - bucket->level_drops;
}

/* Nanoseconds until so much has leaked; 0 when it is not positive. */
static uint64_t
leak_ns(const struct vito_bucket *bucket, int64_t drops)
{
    uint64_t per_ns = bucket->rate.per_second;
    return drops <= 0 ? 0 : ((uint64_t)drops + per_ns - 1) / per_ns;
}

/* -- promises ------------------------------------------------------------------------------- */

/* A second ahead, and how many may have claimed their room by its start. */
struct ahead {
    uint64_t s, start_ns;
    uint32_t claims;
};

/* Now. What was promised for this second or the one before may be claimed at once. */
static struct ahead
look_around(const struct vito_bucket *bucket)
{
    uint64_t now_s = second_of(bucket->now_ns);
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
           ahead->s <= second_of(bucket->now_ns) + VITO_BUCKET_HORIZON_S;
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
    int64_t over = count * DROPS - free_drops(bucket);
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

/* When they fit at the latest. A bucket of one has no room beside the one it keeps: there nothing
 * is admitted for two seconds, and for as long before as one request takes to leak, should the
 * slot be claimed late or not at all. */
static uint64_t
room_at_last_ns(const struct vito_bucket *bucket, uint32_t count)
{
    int64_t alone = 2 * DROPS + 2 * DROPS * bucket->rate.per_second;
    return room_ns(bucket, count, bucket->rate.burst > 1 ? DROPS : alone);
}

/* How many fit now in the same sense. */
static uint32_t
room_now(const struct vito_bucket *bucket)
{
    int64_t least = free_drops(bucket);
    uint64_t end = bucket->now_ns + leak_ns(bucket, bucket->promises.total * DROPS);
    struct ahead ahead = look_around(bucket);
    for (; matters(bucket, &ahead, end); look_further(bucket, &ahead)) {
        uint64_t leaked = (ahead.start_ns - bucket->now_ns) * bucket->rate.per_second;
        int64_t left = free_drops(bucket) + (int64_t)leaked - ahead.claims * DROPS;
        if (left < least)
            least = left;
    }
    return least < DROPS ? 0 : (uint32_t)(least / DROPS);
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

/* The first second with a free slot that takes nothing from those who wait or were promised room
 * before; VITO_NO_SECOND when the horizon has none. */
static uint64_t
free_second(const struct vito_bucket *bucket)
{
    uint64_t now_s = second_of(bucket->now_ns);
    uint64_t s = second_of(room_at_last_ns(bucket, bucket->line.waiting + 1) + RT_NS_PER_S - 1);
    uint32_t slots = slots_per_second(&bucket->rate), step = seconds_per_slot(&bucket->rate);
    if (s <= now_s)
        s = now_s + 1;
    for (; s <= now_s + VITO_BUCKET_HORIZON_S; s++)
        if (s % step == 0 && vito_promises_in(&bucket->promises, s) < slots)
            return s;
    return VITO_NO_SECOND;
}

/* Promises a refused subject a slot, if it has none ahead. Returns the seconds until then. */
static uint32_t
promise(struct vito_bucket *bucket, struct vito_bucket_subject *subject, uint64_t id)
{
    uint64_t now_s = second_of(bucket->now_ns);
    if (subject != NULL && vito_promises_are_due(subject, now_s))
        vito_promises_drop(&bucket->promises, subject); /* it came, and there was no room */
    if (subject == NULL || subject->promised_s == VITO_NO_SECOND) {
        uint64_t s = VITO_NO_SECOND;
        if (bucket->promises.total < VITO_BUCKET_PROMISES_MAX)
            s = free_second(bucket);
        if (s != VITO_NO_SECOND && (subject = take_subject(bucket, subject, id)) != NULL)
            vito_promises_keep(&bucket->promises, subject, s);
    }
    if (subject == NULL)
        return VITO_BUCKET_HORIZON_S + 1;
    uint64_t promised_s = subject->promised_s;
    forget_if_idle(bucket, subject);
    return promised_s == VITO_NO_SECOND ? VITO_BUCKET_HORIZON_S + 1
                                        : (uint32_t)(promised_s - now_s);
}

/* -- the bucket ----------------------------------------------------------------------------- */

struct vito_bucket *
vito_bucket_create(const struct vito_rate *rate, uint64_t now_ns)
{
    struct vito_bucket *bucket = calloc(1, sizeof(*bucket));
    if (bucket == NULL)
        return NULL;
    bucket->now_ns = now_ns;
    bucket->promises.oldest_s = second_of(now_ns);
    vito_bucket_configure(bucket, rate, now_ns);
    return bucket;
}

void
vito_bucket_destroy(struct vito_bucket *bucket)
{
    if (bucket == NULL)
        return;
    struct rt_table_link *link = rt_table_first(&bucket->subjects);
    while (link != NULL) {
        struct vito_bucket_subject *subject =
            RT_CONTAINER_OF(link, struct vito_bucket_subject, link);
        link = link->newer;
        rt_pool_give(subject, sizeof(*subject));
    }
    rt_table_deinit(&bucket->subjects);
    free(bucket);
}

static uint64_t
deadline_ns(const struct vito_bucket *bucket)
{
    return bucket->now_ns + bucket->rate.max_wait_ms * RT_NS_PER_MS;
}

void
vito_bucket_configure(struct vito_bucket *bucket, const struct vito_rate *rate, uint64_t now_ns)
{
    RT_ASSERT(rate->per_second > 0);
    RT_ASSERT(rate->burst > 0);
    if (bucket->rate.per_second > 0)
        advance(bucket, now_ns);
    bucket->rate = *rate;
    /* Deadlines stay in order of age, which is what the line relies on. */
    struct vito_bucket_waiter *waiter = bucket->line.oldest;
    for (; waiter != NULL; waiter = waiter->newer)
        if (waiter->deadline_ns > deadline_ns(bucket))
            waiter->deadline_ns = deadline_ns(bucket);
}

static struct vito_bucket_answer
admit(struct vito_bucket *bucket, uint32_t remaining)
{
    bucket->level_drops += DROPS;
    return (struct vito_bucket_answer){.verdict = VITO_BUCKET_ADMIT, .remaining = remaining};
}

/* Queues the waiter, unless it would wait too long. */
static bool
wait_in_line(struct vito_bucket *bucket, struct vito_bucket_subject *subject, uint64_t id,
             struct vito_bucket_waiter *waiter, struct vito_bucket_answer *answer)
{
    uint32_t position = vito_line_position(&bucket->line, subject);
    /* Each one before is served at a whole nanosecond, of which a part may be lost. */
    uint64_t eta_ns = room_at_last_ns(bucket, position) + (position - 1) - bucket->now_ns;
    if (bucket->now_ns + eta_ns > deadline_ns(bucket))
        return false;
    subject = take_subject(bucket, subject, id);
    if (subject == NULL)
        return false;
    waiter->deadline_ns = deadline_ns(bucket);
    vito_line_push(&bucket->line, subject, waiter);
    *answer = (struct vito_bucket_answer){
        .verdict = VITO_BUCKET_WAIT, .position = position, .eta_ns = eta_ns};
    return true;
}

struct vito_bucket_answer
vito_bucket_arrive(struct vito_bucket *bucket, uint64_t subject_id,
                   struct vito_bucket_waiter *waiter, uint64_t now_ns)
{
    advance(bucket, now_ns);
    struct vito_bucket_subject *subject = find_subject(bucket, subject_id);
    uint32_t room = bucket->line.waiting == 0 ? room_now(bucket) : 0;
    if (subject != NULL && vito_promises_are_due(subject, second_of(bucket->now_ns)) &&
        free_drops(bucket) >= DROPS) {
        vito_promises_drop(&bucket->promises, subject);
        forget_if_idle(bucket, subject);
        return admit(bucket, room); /* what was kept for it is not part of that */
    }
    if (room > 0)
        return admit(bucket, room - 1);

    struct vito_bucket_answer answer;
    bool is_full = bucket->line.waiting >= bucket->rate.queue;
    if (!is_full && wait_in_line(bucket, subject, subject_id, waiter, &answer))
        return answer;
    return (struct vito_bucket_answer){
        .verdict = VITO_BUCKET_REFUSE,
        .retry_after_s = promise(bucket, subject, subject_id),
        .queue_full = is_full,
    };
}

static struct vito_bucket_served
time_out(struct vito_bucket *bucket, struct vito_bucket_waiter *waiter)
{
    struct vito_bucket_subject *subject = waiter->subject;
    vito_line_remove(&bucket->line, waiter);
    return (struct vito_bucket_served){.waiter = waiter,
                                       .timed_out = true,
                                       .retry_after_s = promise(bucket, subject, subject->id)};
}

struct vito_bucket_served
vito_bucket_next(struct vito_bucket *bucket, uint64_t now_ns)
{
    advance(bucket, now_ns);
    struct vito_bucket_waiter *oldest = bucket->line.oldest;
    if (oldest == NULL)
        return (struct vito_bucket_served){.waiter = NULL};
    bool has_room = room_now(bucket) > 0;
    if (oldest->deadline_ns < bucket->now_ns ||
        (oldest->deadline_ns == bucket->now_ns && !has_room))
        return time_out(bucket, oldest);
    if (!has_room)
        return (struct vito_bucket_served){.waiter = NULL};
    struct vito_bucket_subject *subject = bucket->line.turn_first;
    struct vito_bucket_waiter *waiter = vito_line_pop(&bucket->line);
    forget_if_idle(bucket, subject);
    bucket->level_drops += DROPS;
    return (struct vito_bucket_served){.waiter = waiter};
}

uint64_t
vito_bucket_wake_ns(const struct vito_bucket *bucket)
{
    const struct vito_bucket_waiter *oldest = bucket->line.oldest;
    if (oldest == NULL)
        return UINT64_MAX;
    uint64_t wake = room_ns(bucket, 1, DROPS);
    /* A slot that expires unclaimed makes room before its claim would have leaked. */
    uint64_t next_second = (second_of(bucket->now_ns) + 1) * RT_NS_PER_S;
    bool is_all_kept = look_around(bucket).claims >= bucket->rate.burst;
    if (is_all_kept || (bucket->promises.total > 0 && next_second < wake))
        wake = next_second;
    return wake < oldest->deadline_ns ? wake : oldest->deadline_ns;
}

void
vito_bucket_remove(struct vito_bucket *bucket, struct vito_bucket_waiter *waiter)
{
    struct vito_bucket_subject *subject = waiter->subject;
    if (subject == NULL)
        return;
    vito_line_remove(&bucket->line, waiter);
    forget_if_idle(bucket, subject);
}

uint32_t
vito_bucket_waiting(const struct vito_bucket *bucket)
{
    return bucket->line.waiting;
}
