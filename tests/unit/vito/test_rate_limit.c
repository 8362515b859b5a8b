/* What the bucket admits: never more than burst and rate, in virtual time. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vito/bucket_box.h"

TestSuite(rate_limit, .timeout = 60);

Test(rate_limit, a_burst_is_admitted_at_once_and_the_next_is_refused)
{
    begin(50, 5, 0, 0);
    for (uint32_t i = 0; i < 5; i++) {
        struct vito_bucket_answer answer = knock(i);
        cr_assert_eq(answer.verdict, VITO_BUCKET_ADMIT);
        cr_assert_eq(answer.remaining, 4 - i);
    }
    struct vito_bucket_answer answer = knock(5);
    cr_assert_eq(answer.verdict, VITO_BUCKET_REFUSE);
    cr_assert_geq(answer.retry_after_s, 1);
    cr_assert(answer.queue_full);
    end();
}

Test(rate_limit, what_has_leaked_is_admitted_and_not_a_nanosecond_earlier)
{
    begin(3, 1, 0, 0); /* a third of a second is no whole number of nanoseconds */
    cr_assert_eq(knock(1).verdict, VITO_BUCKET_ADMIT);
    now_ns += 333333333;
    cr_assert_eq(arrive(1, NULL).verdict, VITO_BUCKET_REFUSE);
    end();
    begin(3, 1, 0, 0);
    cr_assert_eq(knock(1).verdict, VITO_BUCKET_ADMIT);
    now_ns += 333333334;
    cr_assert_eq(knock(1).verdict, VITO_BUCKET_ADMIT);
    end();
}

Test(rate_limit, a_hundred_at_once_at_fifty_are_fifty_and_fifty)
{
    begin(50, 50, 0, 0);
    unsigned admitted = 0;
    for (int i = 0; i < 100; i++)
        admitted += knock(7).verdict == VITO_BUCKET_ADMIT;
    cr_assert_eq(admitted, 50);
    end();
}

/* What leaks while they come does not come on top. */
Test(rate_limit, a_hundred_spread_over_a_second_at_fifty_are_fifty_and_fifty)
{
    for (uint64_t spread_ns = MS; spread_ns < 10 * MS; spread_ns += MS) {
        begin(50, 50, 0, 0);
        unsigned admitted = 0;
        for (uint64_t i = 0; i < 100; i++, now_ns += spread_ns)
            admitted += knock(i).verdict == VITO_BUCKET_ADMIT;
        cr_assert_eq(admitted, 50);
        end();
    }
}

Test(rate_limit, with_a_line_fifty_of_them_are_delayed_and_drain_at_the_rate)
{
    static struct vito_bucket_waiter waiters[100];
    memset(waiters, 0, sizeof(waiters));
    begin(50, 50, 100, 5000);
    unsigned delayed = 0, served = 0;
    uint64_t start_ns = now_ns, last_ns = 0;
    for (uint64_t i = 0; i < 100; i++, now_ns += 3 * MS) {
        struct vito_bucket_answer answer = arrive(i, &waiters[i]);
        cr_assert_neq(answer.verdict, VITO_BUCKET_REFUSE);
        delayed += answer.verdict == VITO_BUCKET_WAIT;
        for (; vito_bucket_next(bucket, now_ns).waiter != NULL; served++)
            last_ns = now_ns;
    }
    cr_assert_eq(delayed, 50);
    for (; vito_bucket_waiting(bucket) > 0; served++) {
        now_ns = vito_bucket_wake_ns(bucket);
        cr_assert_not_null(vito_bucket_next(bucket, now_ns).waiter);
        cr_assert_geq(now_ns - last_ns, 17 * MS);
        last_ns = now_ns;
    }
    cr_assert_eq(served, 50);
    cr_assert_leq(now_ns - start_ns, 1200 * MS);
    end();
}

Test(rate_limit, a_clock_that_stands_still_or_leaps_does_no_harm)
{
    begin(1, 2, 0, 0);
    knock(1), knock(2);
    now_ns -= 5 * S;
    cr_assert_eq(knock(3).verdict, VITO_BUCKET_REFUSE);
    now_ns = UINT64_MAX / 2;
    cr_assert_eq(knock(4).verdict, VITO_BUCKET_ADMIT);
    cr_assert_eq(knock(5).verdict, VITO_BUCKET_ADMIT);
    cr_assert_eq(knock(6).verdict, VITO_BUCKET_REFUSE);
    end();
}

Test(rate_limit, new_figures_leave_the_level_and_the_waiters)
{
    begin(10, 5, 100, 600000);
    struct vito_bucket_waiter waiters[2];
    memset(waiters, 0, sizeof(waiters));
    for (uint64_t i = 0; i < 5; i++)
        knock(i);
    arrive(7, &waiters[0]);
    arrive(8, &waiters[1]);
    const struct vito_rate slower = {.per_second = 1, .burst = 2, .queue = 1, .max_wait_ms = 50};
    vito_bucket_configure(bucket, &slower, now_ns);
    cr_assert_eq(vito_bucket_waiting(bucket), 2);
    cr_assert_null(vito_bucket_next(bucket, now_ns).waiter, "the level is above the new burst");
    cr_assert_eq(vito_bucket_wake_ns(bucket), now_ns + 50 * MS, "the new limit of waiting");

    const struct vito_rate faster = {.per_second = 100, .burst = 10, .queue = 0, .max_wait_ms = 0};
    vito_bucket_configure(bucket, &faster, now_ns);
    cr_assert_eq(vito_bucket_next(bucket, now_ns).waiter, &waiters[0]);
    cr_assert_eq(vito_bucket_next(bucket, now_ns).waiter, &waiters[1]);
    cr_assert_eq(knock(9).verdict, VITO_BUCKET_ADMIT);
    end();
}

Test(rate_limit, a_slot_of_a_higher_rate_is_not_honoured_beyond_the_new_one)
{
    begin(1000, 300, 0, 0);
    for (uint64_t i = 0; i < 300; i++)
        knock(i);
    for (uint64_t i = 0; i < 90; i++)
        cr_assert_eq(knock(1000 + i).retry_after_s, 1);
    const struct vito_rate slower = {.per_second = 1, .burst = 5};
    vito_bucket_configure(bucket, &slower, now_ns);
    now_ns += 600 * S;
    vito_bucket_configure(bucket, &(struct vito_rate){.per_second = 1000, .burst = 300}, now_ns);
    for (uint64_t i = 0; i < 300; i++)
        knock(i);
    for (uint64_t i = 0; i < 90; i++)
        knock(1000 + i);
    now_ns += S;
    vito_bucket_configure(bucket, &slower, now_ns);
    unsigned admitted = 0;
    for (uint64_t i = 0; i < 90; i++)
        admitted += knock(1000 + i).verdict == VITO_BUCKET_ADMIT;
    cr_assert_leq(admitted, 5);
    end();
}
