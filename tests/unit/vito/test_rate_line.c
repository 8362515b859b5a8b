/* Those who wait: turns between subjects, no overtaking, no wait beyond its limit. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vito/bucket_box.h"

TestSuite(rate_line, .timeout = 60);

Test(rate_line, subjects_are_served_in_turns)
{
    begin(10, 1, 100, 600000);
    struct vito_bucket_waiter waiters[3][4];
    memset(waiters, 0, sizeof(waiters));
    knock(9);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(arrive(0, &waiters[0][i]).verdict, VITO_BUCKET_WAIT);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(arrive(1, &waiters[1][i]).verdict, VITO_BUCKET_WAIT);
    cr_assert_eq(arrive(2, &waiters[2][0]).verdict, VITO_BUCKET_WAIT);
    cr_assert_eq(vito_bucket_waiting(bucket), 7);

    struct vito_bucket_waiter *const wanted[] = {&waiters[0][0], &waiters[1][0], &waiters[2][0],
                                                 &waiters[0][1], &waiters[1][1], &waiters[0][2],
                                                 &waiters[0][3]};
    for (size_t i = 0; i < RT_COUNT_OF(wanted); i++) {
        now_ns = vito_bucket_wake_ns(bucket);
        struct vito_bucket_served served = vito_bucket_next(bucket, now_ns);
        cr_assert_eq(served.waiter, wanted[i], "turn %zu", i);
        cr_assert_not(served.timed_out);
        cr_assert_null(vito_bucket_next(bucket, now_ns).waiter);
    }
    cr_assert_eq(vito_bucket_wake_ns(bucket), UINT64_MAX);
    end();
}

Test(rate_line, position_and_eta_tell_how_far_back)
{
    begin(10, 1, 100, 600000);
    struct vito_bucket_waiter waiters[5];
    memset(waiters, 0, sizeof(waiters));
    knock(9);
    struct vito_bucket_answer answer = arrive(1, &waiters[0]);
    cr_assert_eq(answer.position, 1);
    cr_assert_eq(answer.eta_ns / MS, 100);
    answer = arrive(1, &waiters[1]);
    cr_assert_eq(answer.position, 2);
    answer = arrive(1, &waiters[2]);
    cr_assert_eq(answer.position, 3);
    answer = arrive(2, &waiters[3]);
    cr_assert_eq(answer.position, 2, "its turn comes before the first one's second");
    cr_assert_eq(answer.eta_ns / MS, 200);
    answer = arrive(2, &waiters[4]);
    cr_assert_eq(answer.position, 4);
    end();
}

Test(rate_line, nobody_overtakes_those_who_wait)
{
    begin(10, 1, 100, 600000);
    struct vito_bucket_waiter first = {0}, second = {0};
    knock(9);
    cr_assert_eq(arrive(1, &first).verdict, VITO_BUCKET_WAIT);
    now_ns += 150 * MS; /* there is room, and nobody has asked for the next one yet */
    cr_assert_eq(arrive(2, &second).verdict, VITO_BUCKET_WAIT);
    cr_assert_eq(vito_bucket_next(bucket, now_ns).waiter, &first);
    end();
}

Test(rate_line, a_full_line_refuses_and_says_so)
{
    begin(10, 1, 2, 600000);
    struct vito_bucket_waiter waiters[3];
    memset(waiters, 0, sizeof(waiters));
    knock(9);
    cr_assert_eq(arrive(1, &waiters[0]).verdict, VITO_BUCKET_WAIT);
    cr_assert_eq(arrive(2, &waiters[1]).verdict, VITO_BUCKET_WAIT);
    struct vito_bucket_answer answer = arrive(3, &waiters[2]);
    cr_assert_eq(answer.verdict, VITO_BUCKET_REFUSE);
    cr_assert(answer.queue_full);
    cr_assert_null(waiters[2].subject);
    end();
}

Test(rate_line, who_would_wait_too_long_is_refused_at_once)
{
    begin(10, 1, 100, 250);
    struct vito_bucket_waiter waiters[3];
    memset(waiters, 0, sizeof(waiters));
    knock(9);
    cr_assert_eq(arrive(1, &waiters[0]).verdict, VITO_BUCKET_WAIT);
    cr_assert_eq(arrive(2, &waiters[1]).verdict, VITO_BUCKET_WAIT);
    struct vito_bucket_answer answer = arrive(3, &waiters[2]);
    cr_assert_eq(answer.verdict, VITO_BUCKET_REFUSE);
    cr_assert_not(answer.queue_full);
    end();
}

Test(rate_line, a_waiter_that_others_overtake_is_refused_at_its_deadline_with_a_slot)
{
    begin(10, 1, 100, 250);
    struct vito_bucket_waiter mine[2], others[8];
    memset(mine, 0, sizeof(mine));
    memset(others, 0, sizeof(others));
    knock(9);
    arrive(1, &mine[0]);
    cr_assert_eq(arrive(1, &mine[1]).verdict, VITO_BUCKET_WAIT);
    uint64_t deadline_ns = now_ns + 250 * MS;
    cr_assert_eq(mine[1].deadline_ns, deadline_ns);
    cr_assert_eq(arrive(2, &others[0]).verdict, VITO_BUCKET_WAIT);

    struct vito_bucket_served served;
    for (int i = 0; i < 2; i++) {
        now_ns = vito_bucket_wake_ns(bucket);
        served = vito_bucket_next(bucket, now_ns);
        cr_assert_eq(served.waiter, i == 0 ? &mine[0] : &others[0]);
    }
    cr_assert_eq(vito_bucket_wake_ns(bucket), deadline_ns);
    now_ns = deadline_ns - 1;
    cr_assert_null(vito_bucket_next(bucket, now_ns).waiter);
    now_ns = deadline_ns;
    served = vito_bucket_next(bucket, now_ns);
    cr_assert_eq(served.waiter, &mine[1]);
    cr_assert(served.timed_out);
    now_ns += served.retry_after_s * S;
    cr_assert_eq(knock(1).verdict, VITO_BUCKET_ADMIT);
    end();
}

Test(rate_line, at_its_deadline_a_waiter_is_served_if_there_is_room_and_after_it_never)
{
    for (int late = 0; late < 2; late++) {
        begin(10, 1, 100, 100);
        struct vito_bucket_waiter waiter = {0};
        knock(9);
        cr_assert_eq(arrive(1, &waiter).verdict, VITO_BUCKET_WAIT);
        now_ns += 100 * MS + (uint64_t)late;
        struct vito_bucket_served served = vito_bucket_next(bucket, now_ns);
        cr_assert_eq(served.waiter, &waiter);
        cr_assert_eq(served.timed_out, late == 1);
        end();
    }
}

Test(rate_line, a_waiter_that_leaves_is_forgotten)
{
    begin(10, 1, 100, 600000);
    struct vito_bucket_waiter waiters[3];
    memset(waiters, 0, sizeof(waiters));
    knock(9);
    for (uint64_t i = 0; i < 3; i++)
        arrive(i, &waiters[i]);
    vito_bucket_remove(bucket, &waiters[0]);
    vito_bucket_remove(bucket, &waiters[0]);
    vito_bucket_remove(bucket, &waiters[2]);
    cr_assert_eq(vito_bucket_waiting(bucket), 1);
    now_ns += S;
    cr_assert_eq(vito_bucket_next(bucket, now_ns).waiter, &waiters[1]);
    cr_assert_null(vito_bucket_next(bucket, now_ns).waiter);
    end();
}

Test(rate_line, a_refusal_beside_a_line_still_names_a_later_second)
{
    begin(10, 5, 1, 600000);
    struct vito_bucket_waiter waiters[2];
    memset(waiters, 0, sizeof(waiters));
    fill();
    cr_assert_eq(arrive(1, &waiters[0]).verdict, VITO_BUCKET_WAIT);
    now_ns = 1010 * S; /* a whole second, and room for all */
    struct vito_bucket_answer answer = arrive(2, &waiters[1]);
    cr_assert_eq(answer.verdict, VITO_BUCKET_REFUSE);
    cr_assert_geq(answer.retry_after_s, 1);
    end();
}

/* Calls next() as often as wake_ns() asks for it, until it yields somebody. */
static unsigned
wakes_until_served(struct vito_bucket_waiter *wanted)
{
    for (unsigned wakes = 1;; wakes++) {
        now_ns = vito_bucket_wake_ns(bucket);
        struct vito_bucket_served served = vito_bucket_next(bucket, now_ns);
        if (served.waiter != NULL) {
            cr_assert_eq(served.waiter, wanted);
            cr_assert_not(served.timed_out);
            return wakes;
        }
    }
}

Test(rate_line, a_line_behind_a_slot_is_woken_once_a_second_at_most)
{
    begin(1000, 1, 1, 10000);
    struct vito_bucket_waiter waiter = {0}, other = {0};
    knock(1);
    arrive(2, &waiter);
    uint64_t told_s = arrive(3, &other).retry_after_s; /* the line is full */
    vito_bucket_remove(bucket, &waiter);
    now_ns += told_s * S; /* the slot is kept for 3, who does not come */
    uint64_t start_ns = now_ns;
    cr_assert_eq(arrive(2, &waiter).verdict, VITO_BUCKET_WAIT);
    cr_assert_leq(wakes_until_served(&waiter), 3);
    cr_assert_leq(now_ns - start_ns, 2 * S, "served when the slot expired");
    end();
}

Test(rate_line, a_slot_that_expires_makes_room_for_those_who_wait)
{
    begin(1, 4, 10, 10000);
    struct vito_rate rate = {.per_second = 1, .burst = 4};
    vito_bucket_configure(bucket, &rate, now_ns);
    fill();
    uint64_t told_s = knock(1).retry_after_s;
    now_ns += (told_s + 1) * S;
    rate.queue = 10, rate.max_wait_ms = 10000;
    vito_bucket_configure(bucket, &rate, now_ns);
    fill();
    struct vito_bucket_waiter waiter = {0};
    cr_assert_eq(arrive(2, &waiter).verdict, VITO_BUCKET_WAIT);
    uint64_t next_second = (now_ns / S + 1) * S;
    wakes_until_served(&waiter);
    cr_assert_eq(now_ns, next_second);
    end();
}
