/* The slots that refused callers are promised: different, kept, bounded, and nobody's for ever. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vito/bucket_box.h"

TestSuite(rate_promises, .timeout = 60);

Test(rate_promises, a_thousand_refused_at_once_are_told_different_seconds)
{
    begin(50, 50, 0, 0);
    for (uint64_t i = 0; i < 50; i++)
        knock(i);
    unsigned in_second[VITO_BUCKET_HORIZON_S + 2] = {0};
    for (uint64_t i = 0; i < 1000; i++)
        in_second[knock(1000 + i).retry_after_s]++;
    for (int s = 1; s <= 62; s++)
        cr_assert_eq(in_second[s], 16, "%u in second %d", in_second[s], s);
    cr_assert_eq(in_second[63], 1000 - 62 * 16);
    end();
}

/* A key that many users share: they come back over other connections, as other users. */
Test(rate_promises, a_key_has_a_slot_for_each_of_its_refused_requests)
{
    enum { KEY = 77, REFUSED = 50 };
    begin(50, 50, 0, 0);
    fill();
    uint64_t back_ns[REFUSED];
    for (uint64_t i = 0; i < REFUSED; i++) {
        struct vito_bucket_answer answer =
            vito_bucket_arrive(bucket, (struct vito_bucket_caller){i, KEY}, NULL, now_ns);
        cr_assert_eq(answer.verdict, VITO_BUCKET_REFUSE);
        back_ns[i] = now_ns + answer.retry_after_s * S;
    }
    cr_assert_gt(back_ns[REFUSED - 1], back_ns[0] + S);
    for (uint64_t i = 0; i < REFUSED; i++) {
        now_ns = back_ns[i];
        fill();
        struct vito_bucket_answer answer =
            vito_bucket_arrive(bucket, (struct vito_bucket_caller){1000 + i, KEY}, NULL, now_ns);
        cr_assert_eq(answer.verdict, VITO_BUCKET_ADMIT, "number %u", (unsigned)i);
    }
    fill();
    struct vito_bucket_caller once_more = {5000, KEY};
    cr_assert_eq(vito_bucket_arrive(bucket, once_more, NULL, now_ns).verdict, VITO_BUCKET_REFUSE);
    end();
}

Test(rate_promises, a_user_of_a_key_that_waited_too_long_leaves_a_slot_to_the_key)
{
    begin(10, 1, 100, 250);
    struct vito_bucket_waiter mine[2], other = {0};
    memset(mine, 0, sizeof(mine));
    knock(9);
    struct vito_bucket_caller me = {1, 77}, them = {2, 77};
    vito_bucket_arrive(bucket, me, &mine[0], now_ns);
    vito_bucket_arrive(bucket, me, &mine[1], now_ns);
    vito_bucket_arrive(bucket, them, &other, now_ns);
    struct vito_bucket_served served = {0};
    while (!served.timed_out) {
        now_ns = vito_bucket_wake_ns(bucket);
        served = vito_bucket_next(bucket, now_ns);
    }
    cr_assert_eq(served.waiter, &mine[1]);
    now_ns += served.retry_after_s * S;
    struct vito_bucket_caller later = {3, 77};
    cr_assert_eq(vito_bucket_arrive(bucket, later, NULL, now_ns).verdict, VITO_BUCKET_ADMIT);
    end();
}

Test(rate_promises, a_subject_that_asks_again_is_told_the_same_second)
{
    begin(50, 50, 0, 0);
    fill();
    for (uint64_t i = 0; i < 100; i++)
        knock(i);
    uint32_t told = knock(100).retry_after_s;
    cr_assert_gt(told, 5);
    cr_assert_eq(knock(100).retry_after_s, told);
    now_ns += 3 * S;
    fill();
    cr_assert_eq(knock(100).retry_after_s, told - 3);
    end();
}

Test(rate_promises, who_asks_again_too_early_is_still_admitted_in_time)
{
    begin(50, 50, 0, 0);
    fill();
    uint32_t told = knock(1).retry_after_s;
    now_ns += told * S - 200 * MS;
    fill();
    cr_assert_eq(knock(1).retry_after_s, 1);
    now_ns += 2 * S;
    fill();
    cr_assert_eq(knock(1).verdict, VITO_BUCKET_ADMIT);
    end();
}

Test(rate_promises, who_comes_too_late_has_no_slot_any_more)
{
    begin(50, 50, 0, 0);
    fill();
    uint32_t told = knock(1).retry_after_s;
    now_ns += told * S + 2 * S;
    fill();
    cr_assert_eq(knock(1).verdict, VITO_BUCKET_REFUSE);
    end();
}

Test(rate_promises, those_who_never_come_back_keep_nobody_out)
{
    static const struct vito_rate rates[] = {{50, 50, 0, 0}, {10, 2, 0, 0}, {1000, 10, 0, 0},
                                             {2, 3, 0, 0},   {1, 30, 0, 0}, {50, 4, 0, 0}};
    for (size_t i = 0; i < RT_COUNT_OF(rates); i++) {
        const struct vito_rate *rate = &rates[i];
        begin(rate->per_second, rate->burst, 0, 0);
        uint64_t stranger = 0, admitted = 0;
        for (int step = 0; step < 60 * 1000; step++) {
            now_ns += MS;
            for (uint32_t n = 0; n <= 2 * rate->per_second / 1000; n++)
                admitted += knock(++stranger).verdict == VITO_BUCKET_ADMIT;
        }
        /* A full second counts up to a hundred-and-twenty-eighth more (vito/rate_window.h). */
        cr_assert_geq(admitted * 129, (uint64_t)rate->per_second * 60 * 128, "%u/s, burst %u: %llu",
                      rate->per_second, rate->burst, (unsigned long long)admitted);
        end();
    }
}

Test(rate_promises, in_a_bucket_of_one_those_who_never_come_back_leave_half_the_time)
{
    begin(10, 1, 0, 0);
    uint64_t stranger = 0, admitted = 0;
    for (int step = 0; step < 60 * 1000; step++) {
        now_ns += MS;
        admitted += knock(++stranger).verdict == VITO_BUCKET_ADMIT;
    }
    cr_assert_geq(admitted, 10 * 60 * 45 / 100, "%llu", (unsigned long long)admitted);
    end();
}

/* A crowd that was refused and comes back as told, and strangers that press all the time. */
Test(rate_promises, those_who_come_back_leave_half_of_the_rate_to_others)
{
    static const struct vito_rate rates[] = {{10, 200, 0, 0}, {1, 30, 0, 0}, {50, 50, 0, 0}};
    enum { CROWD = 2000, SECONDS = 60 };
    for (size_t i = 0; i < RT_COUNT_OF(rates); i++) {
        begin(rates[i].per_second, rates[i].burst, 0, 0);
        fill();
        uint64_t back_ns[CROWD];
        for (uint64_t who = 0; who < CROWD; who++)
            back_ns[who] = now_ns + knock(who).retry_after_s * S;
        uint64_t strangers = 0, returned = 0;
        for (int step = 0; step < SECONDS * 1000; step++) {
            now_ns += MS;
            for (uint64_t who = 0; who < CROWD; who++)
                if (back_ns[who] == now_ns && ++returned > 0)
                    cr_assert_eq(knock(who).verdict, VITO_BUCKET_ADMIT);
            strangers += knock(UINT64_C(1) << 40 | (uint64_t)step).verdict == VITO_BUCKET_ADMIT;
        }
        cr_assert_geq(strangers, rates[i].per_second * SECONDS / 2);
        cr_assert_geq(returned, rates[i].per_second * SECONDS / 4);
        end();
    }
}

Test(rate_promises, promises_are_bounded_and_beyond_them_nothing_is_kept)
{
    begin(1000, 1000, 0, 0);
    for (uint64_t i = 0; i < 1000; i++)
        knock(i);
    uint32_t last = 0;
    for (uint64_t i = 0; i < VITO_BUCKET_PROMISES_MAX; i++)
        last = knock(10000 + i).retry_after_s;
    cr_assert_leq(last, VITO_BUCKET_HORIZON_S);
    cr_assert_eq(knock(99999).retry_after_s, VITO_BUCKET_HORIZON_S + 1);
    now_ns += 300 * S; /* nobody came: the promises are forgotten */
    for (uint64_t i = 0; i < 1000; i++)
        cr_assert_eq(knock(i).verdict, VITO_BUCKET_ADMIT);
    cr_assert_leq(knock(99999).retry_after_s, 2);
    end();
}

Test(rate_promises, slots_lie_within_the_horizon)
{
    begin(1, 1, 0, 0);
    knock(1);
    uint32_t told = 0;
    for (uint64_t i = 2; i < 40 && told <= VITO_BUCKET_HORIZON_S; i++)
        told = knock(i).retry_after_s;
    cr_assert_eq(told, VITO_BUCKET_HORIZON_S + 1);
    end();
}
