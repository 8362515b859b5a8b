#include "vito/rate_limit.h"

#include <stdlib.h>

#include "runtime/assert.h"
#include "vito/rate_room.h"
#include "vito/rate_subjects.h"

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
    vito_window_advance(&bucket->window, now_ns);
    struct vito_bucket_subject *subject;
    while ((subject = vito_promises_expire(&bucket->promises, vito_second_of(now_ns))) != NULL)
        vito_subjects_forget_if_idle(&bucket->subjects, subject);
}

/* Promises a refused caller a slot. Returns the seconds until then. */
static uint32_t
promise(struct vito_bucket *bucket, struct vito_bucket_caller caller)
{
    uint64_t now_s = vito_second_of(bucket->now_ns);
    struct vito_bucket_subject *holder = vito_subjects_find(&bucket->subjects, caller.holder);
    if (holder != NULL && vito_promises_are_due(holder, now_s))
        vito_promises_drop(&bucket->promises, holder); /* it came, and there was no room */
    if (holder != NULL && holder->promised != NULL && caller.user == caller.holder)
        return (uint32_t)(holder->promised->s - now_s); /* it has one */
    uint64_t s = VITO_NO_SECOND;
    if (bucket->promises.total < VITO_BUCKET_PROMISES_MAX)
        s = vito_room_free_second(bucket);
    if (s != VITO_NO_SECOND)
        holder = vito_subjects_take(&bucket->subjects, holder, caller.holder);
    if (holder == NULL)
        return VITO_BUCKET_HORIZON_S + 1;
    bool kept = s != VITO_NO_SECOND && vito_promises_keep(&bucket->promises, holder, s);
    vito_subjects_forget_if_idle(&bucket->subjects, holder);
    return kept ? (uint32_t)(s - now_s) : VITO_BUCKET_HORIZON_S + 1;
}

struct vito_bucket *
vito_bucket_create(const struct vito_rate *rate, uint64_t now_ns)
{
    struct vito_bucket *bucket = calloc(1, sizeof(*bucket));
    if (bucket == NULL)
        return NULL;
    bucket->now_ns = now_ns;
    vito_window_advance(&bucket->window, now_ns);
    bucket->promises.oldest_s = vito_second_of(now_ns);
    vito_bucket_configure(bucket, rate, now_ns);
    return bucket;
}

void
vito_bucket_destroy(struct vito_bucket *bucket)
{
    if (bucket == NULL)
        return;
    vito_promises_deinit(&bucket->promises);
    vito_subjects_deinit(&bucket->subjects);
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

/* How many may be admitted at once: what fits, and what the last second leaves. */
static uint32_t
room_at_once(const struct vito_bucket *bucket)
{
    if (bucket->line.waiting > 0)
        return 0; /* nobody overtakes those who wait */
    const struct vito_rate *rate = &bucket->rate;
    uint32_t most = rate->burst > rate->per_second ? rate->burst : rate->per_second;
    uint32_t left = bucket->window.count < most ? most - bucket->window.count : 0;
    uint32_t room = vito_room_now(bucket);
    return room < left ? room : left;
}

static uint64_t
drain_ns(const struct vito_bucket *bucket)
{
    return (RT_NS_PER_S + bucket->rate.per_second - 1) / bucket->rate.per_second;
}

static uint64_t
later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static struct vito_bucket_answer
admit(struct vito_bucket *bucket, uint32_t remaining)
{
    bucket->level_drops += VITO_DROPS;
    return (struct vito_bucket_answer){.verdict = VITO_BUCKET_ADMIT, .remaining = remaining};
}

/* Queues the waiter, unless it would wait too long. */
static bool
wait_in_line(struct vito_bucket *bucket, struct vito_bucket_caller caller,
             struct vito_bucket_waiter *waiter, struct vito_bucket_answer *answer)
{
    struct vito_bucket_subject *subject = vito_subjects_find(&bucket->subjects, caller.user);
    uint32_t position = vito_line_position(&bucket->line, subject);
    bool is_first = bucket->line.waiting == 0;
    uint64_t opens_ns = is_first ? 0 : bucket->line_opens_ns;
    if (is_first && vito_room_now(bucket) > 0)
        opens_ns = bucket->now_ns + drain_ns(bucket); /* the second has had its share */
    /* Each one before is served at a whole nanosecond, of which a part may be lost. */
    uint64_t turn_ns = later(vito_room_at_last_ns(bucket, position) + (position - 1),
                             opens_ns + (position - 1) * drain_ns(bucket));
    uint64_t eta_ns = turn_ns - bucket->now_ns;
    if (bucket->now_ns + eta_ns > deadline_ns(bucket))
        return false;
    subject = vito_subjects_take(&bucket->subjects, subject, caller.user);
    if (subject == NULL)
        return false;
    waiter->holder = caller.holder;
    waiter->deadline_ns = deadline_ns(bucket);
    bucket->line_opens_ns = opens_ns;
    vito_line_push(&bucket->line, subject, waiter);
    *answer = (struct vito_bucket_answer){
        .verdict = VITO_BUCKET_WAIT, .position = position, .eta_ns = eta_ns};
    return true;
}

/* Whether the caller claims a slot that it was promised. */
static bool
claim(struct vito_bucket *bucket, struct vito_bucket_caller caller)
{
    struct vito_bucket_subject *holder = vito_subjects_find(&bucket->subjects, caller.holder);
    if (holder == NULL || !vito_promises_are_due(holder, vito_second_of(bucket->now_ns)) ||
        vito_room_free_drops(bucket) < VITO_DROPS)
        return false;
    vito_promises_drop(&bucket->promises, holder);
    vito_subjects_forget_if_idle(&bucket->subjects, holder);
    return true;
}

struct vito_bucket_answer
vito_bucket_arrive(struct vito_bucket *bucket, struct vito_bucket_caller caller,
                   struct vito_bucket_waiter *waiter, uint64_t now_ns)
{
    advance(bucket, now_ns);
    uint32_t room = room_at_once(bucket);
    if (claim(bucket, caller))
        return admit(bucket, room); /* what was kept for it is not part of that */
    if (room > 0) {
        vito_window_add(&bucket->window);
        return admit(bucket, room - 1);
    }
    struct vito_bucket_answer answer;
    bool is_full = bucket->line.waiting >= bucket->rate.queue;
    if (!is_full && wait_in_line(bucket, caller, waiter, &answer))
        return answer;
    return (struct vito_bucket_answer){
        .verdict = VITO_BUCKET_REFUSE,
        .retry_after_s = promise(bucket, caller),
        .queue_full = is_full,
    };
}

static struct vito_bucket_served
time_out(struct vito_bucket *bucket, struct vito_bucket_waiter *waiter)
{
    struct vito_bucket_subject *subject = waiter->subject;
    struct vito_bucket_caller caller = {.user = subject->id, .holder = waiter->holder};
    vito_line_remove(&bucket->line, waiter);
    uint32_t retry_after_s = promise(bucket, caller);
    if (caller.user != caller.holder)
        vito_subjects_forget_if_idle(&bucket->subjects, subject);
    return (struct vito_bucket_served){
        .waiter = waiter, .timed_out = true, .retry_after_s = retry_after_s};
}

struct vito_bucket_served
vito_bucket_next(struct vito_bucket *bucket, uint64_t now_ns)
{
    advance(bucket, now_ns);
    struct vito_bucket_waiter *oldest = bucket->line.oldest;
    if (oldest == NULL)
        return (struct vito_bucket_served){.waiter = NULL};
    bool has_room = vito_room_now(bucket) > 0 && bucket->now_ns >= bucket->line_opens_ns;
    if (oldest->deadline_ns < bucket->now_ns ||
        (oldest->deadline_ns == bucket->now_ns && !has_room))
        return time_out(bucket, oldest);
    if (!has_room)
        return (struct vito_bucket_served){.waiter = NULL};
    struct vito_bucket_subject *subject = bucket->line.turn_first;
    struct vito_bucket_waiter *waiter = vito_line_pop(&bucket->line);
    vito_subjects_forget_if_idle(&bucket->subjects, subject);
    bucket->level_drops += VITO_DROPS;
    if (bucket->line_opens_ns > 0)
        bucket->line_opens_ns += drain_ns(bucket);
    return (struct vito_bucket_served){.waiter = waiter};
}

uint64_t
vito_bucket_wake_ns(const struct vito_bucket *bucket)
{
    const struct vito_bucket_waiter *oldest = bucket->line.oldest;
    if (oldest == NULL)
        return UINT64_MAX;
    uint64_t wake = vito_room_next_ns(bucket);
    /* A slot that expires unclaimed makes room before its claim would have leaked. */
    uint64_t next_second = (vito_second_of(bucket->now_ns) + 1) * RT_NS_PER_S;
    bool is_all_kept = vito_room_claims_now(bucket) >= bucket->rate.burst;
    if (is_all_kept || (bucket->promises.total > 0 && next_second < wake))
        wake = next_second;
    wake = later(wake, bucket->line_opens_ns);
    return wake < oldest->deadline_ns ? wake : oldest->deadline_ns;
}

void
vito_bucket_remove(struct vito_bucket *bucket, struct vito_bucket_waiter *waiter)
{
    struct vito_bucket_subject *subject = waiter->subject;
    if (subject == NULL)
        return;
    vito_line_remove(&bucket->line, waiter);
    vito_subjects_forget_if_idle(&bucket->subjects, subject);
}

uint32_t
vito_bucket_waiting(const struct vito_bucket *bucket)
{
    return bucket->line.waiting;
}
