/* A bucket in virtual time, for the tests of what it promises. */
#ifndef TESTS_UNIT_VITO_BUCKET_BOX_H
#define TESTS_UNIT_VITO_BUCKET_BOX_H

#include <criterion/criterion.h>

#include "runtime/world.h"
#include "vito/rate_limit.h"

#define S RT_NS_PER_S
#define MS RT_NS_PER_MS

static struct vito_bucket *bucket;
static uint64_t now_ns;

static inline void
begin(uint32_t per_second, uint32_t burst, uint32_t queue, uint32_t max_wait_ms)
{
    const struct vito_rate rate = {per_second, burst, queue, max_wait_ms};
    vito_bucket_destroy(bucket);
    now_ns = 1000 * S + 123456789;
    bucket = vito_bucket_create(&rate, now_ns);
    cr_assert_not_null(bucket);
}

static inline void
end(void)
{
    vito_bucket_destroy(bucket);
    bucket = NULL;
}

static inline struct vito_bucket_answer
arrive(uint64_t subject, struct vito_bucket_waiter *waiter)
{
    return vito_bucket_arrive(bucket, (struct vito_bucket_caller){subject, subject}, waiter,
                              now_ns);
}

/* One that does not care to wait. */
static inline struct vito_bucket_answer
knock(uint64_t subject)
{
    static struct vito_bucket_waiter waiter;
    struct vito_bucket_answer answer = arrive(subject, &waiter);
    cr_assert_neq(answer.verdict, VITO_BUCKET_WAIT);
    return answer;
}

/* Fills the bucket with strangers. */
static inline void
fill(void)
{
    static uint64_t stranger = 1000000;
    struct vito_bucket_waiter waiter = {0};
    while (arrive(++stranger, &waiter).verdict == VITO_BUCKET_ADMIT)
        ;
    vito_bucket_remove(bucket, &waiter);
}

#endif
