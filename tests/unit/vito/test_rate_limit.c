/* What the bucket promises, in seeded runs of virtual time: never more than burst and rate, slots
 * that are honoured whoever presses, turns between subjects, and no wait beyond its limit. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/random.h"
#include "runtime/world.h"
#include "vito/rate_limit.h"

TestSuite(rate_limit, .timeout = 60);

#define S RT_NS_PER_S
#define MS RT_NS_PER_MS

static struct vito_bucket *bucket;
static uint64_t now_ns;

static void
begin(uint32_t per_second, uint32_t burst, uint32_t queue, uint32_t max_wait_ms)
{
    const struct vito_rate rate = {per_second, burst, queue, max_wait_ms};
    vito_bucket_destroy(bucket);
    now_ns = 1000 * S + 123456789;
    bucket = vito_bucket_create(&rate, now_ns);
    cr_assert_not_null(bucket);
}

static void
end(void)
{
    vito_bucket_destroy(bucket);
    bucket = NULL;
}

static struct vito_bucket_answer
arrive(uint64_t subject, struct vito_bucket_waiter *waiter)
{
    return vito_bucket_arrive(bucket, (struct vito_bucket_caller){subject, subject}, waiter,
                              now_ns);
}

/* One that does not care to wait. */
static struct vito_bucket_answer
knock(uint64_t subject)
{
    static struct vito_bucket_waiter waiter;
    struct vito_bucket_answer answer = arrive(subject, &waiter);
    cr_assert_neq(answer.verdict, VITO_BUCKET_WAIT);
    return answer;
}

/* Fills the bucket with strangers. */
static void
fill(void)
{
    static uint64_t stranger = 1000000;
    struct vito_bucket_waiter waiter = {0};
    while (arrive(++stranger, &waiter).verdict == VITO_BUCKET_ADMIT)
        ;
    vito_bucket_remove(bucket, &waiter);
}

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

/* Over any window, admissions are at most burst + rate * its length. Fed in order of time. */
struct meter {
    struct vito_rate rate;
    int64_t count, least;
};

static void
meter_admit(struct meter *meter, uint64_t at_ns)
{
    int64_t leaked = (int64_t)((at_ns - 1000 * S) * meter->rate.per_second);
    int64_t before = meter->count * (int64_t)S - leaked;
    if (meter->count == 0 || before < meter->least)
        meter->least = before;
    meter->count++;
    int64_t in_window = meter->count * (int64_t)S - leaked - meter->least;
    cr_assert_leq(in_window, (int64_t)(meter->rate.burst * S), "%u/s, burst %u: too many",
                  meter->rate.per_second, meter->rate.burst);
}

/* Obedient people come back when they are told to, or within a second after; others press. */
struct person {
    struct vito_bucket_waiter waiter;
    bool is_obedient, is_promised;
    uint64_t back_ns; /* when it comes back; 0: it is not expected */
    uint64_t turn_ns; /* while it waits: when it is served at the latest */
};

enum { PEOPLE = 300 };
static struct person people[PEOPLE];

struct run {
    struct rt_random random;
    struct meter meter;
    unsigned kept, served; /* so that a run can be seen to have tested something */
};

static void
told_to_come_back(struct run *run, struct person *person, uint32_t retry_after_s)
{
    static const uint64_t graces_ns[] = {0, 1, S / 2, S - 1, S};
    cr_assert_geq(retry_after_s, 1);
    if (!person->is_obedient)
        return;
    person->is_promised = retry_after_s <= VITO_BUCKET_HORIZON_S;
    person->back_ns = now_ns + retry_after_s * S + graces_ns[rt_random_below(&run->random, 5)];
}

static void
come(struct run *run, struct person *person)
{
    struct vito_bucket_answer answer = arrive((uint64_t)(person - people), &person->waiter);
    if (answer.verdict == VITO_BUCKET_ADMIT)
        meter_admit(&run->meter, now_ns);
    if (person->is_promised) {
        cr_assert_eq(answer.verdict, VITO_BUCKET_ADMIT, "it came when it was told to");
        run->kept++;
    }
    person->is_promised = false;
    person->back_ns = 0;
    person->turn_ns = now_ns + answer.eta_ns;
    if (answer.verdict == VITO_BUCKET_REFUSE)
        told_to_come_back(run, person, answer.retry_after_s);
}

static void
serve(struct run *run)
{
    struct vito_bucket_served served = vito_bucket_next(bucket, now_ns);
    if (served.waiter == NULL)
        return; /* a promise was claimed meanwhile: it will be later */
    struct person *person = RT_CONTAINER_OF(served.waiter, struct person, waiter);
    cr_assert_not(served.timed_out, "a subject's first waiter is not overtaken");
    cr_assert_leq(now_ns, person->turn_ns);
    cr_assert_leq(now_ns, served.waiter->deadline_ns);
    cr_assert_null(served.waiter->subject);
    run->served++;
    meter_admit(&run->meter, now_ns);
}

static struct person *
first_back(void)
{
    struct person *first = NULL;
    for (int i = 0; i < PEOPLE; i++)
        if (people[i].back_ns != 0 && (first == NULL || people[i].back_ns < first->back_ns))
            first = &people[i];
    return first;
}

/* Lets everything happen that is due by `until_ns`, in order. */
static void
run_until(struct run *run, uint64_t until_ns)
{
    for (;;) {
        uint64_t wake_ns = vito_bucket_wake_ns(bucket);
        struct person *back = first_back();
        if (back != NULL && back->back_ns <= until_ns && back->back_ns < wake_ns) {
            now_ns = back->back_ns;
            come(run, back);
        } else if (wake_ns <= until_ns) {
            now_ns = wake_ns;
            serve(run);
        } else {
            now_ns = until_ns;
            return;
        }
    }
}

static void
run_people(struct run *run, const struct vito_rate *rate, int steps)
{
    memset(people, 0, sizeof(people));
    begin(rate->per_second, rate->burst, rate->queue, rate->max_wait_ms);
    run->meter = (struct meter){.rate = *rate};
    for (int i = 0; i < PEOPLE; i++)
        people[i].is_obedient = rt_random_chance(&run->random, 500);
    for (int step = 0; step < steps; step++) {
        uint64_t pause_ns = rt_random_below(&run->random, 2 * S / (rate->per_second + 1));
        if (rt_random_chance(&run->random, 5))
            pause_ns = rt_random_below(&run->random, 10 * S);
        run_until(run, now_ns + pause_ns);
        struct person *person = &people[rt_random_below(&run->random, PEOPLE)];
        if (person->waiter.subject == NULL && person->back_ns == 0)
            come(run, person);
        else if (rt_random_chance(&run->random, 50))
            vito_bucket_remove(bucket, &person->waiter);
    }
    end();
}

Test(rate_limit, no_window_has_too_many_and_slots_and_waits_are_as_promised)
{
    static const uint32_t rates[] = {1, 2, 3, 7, 50, 1000}, bursts[] = {1, 2, 3, 5, 50, 200};
    static const uint32_t queues[] = {0, 1, 20, 1000}, waits[] = {1, 300, 5000};
    uint64_t seed = 0;
    struct run run = {0};
    for (size_t i = 0; i < RT_COUNT_OF(rates) * RT_COUNT_OF(bursts) * RT_COUNT_OF(queues); i++) {
        struct vito_rate rate = {
            .per_second = rates[i % 6], .burst = bursts[i / 6 % 6], .queue = queues[i / 36]};
        rate.max_wait_ms = rate.queue > 0 ? waits[seed % 3] : 0;
        rt_random_seed(&run.random, ++seed);
        run_people(&run, &rate, 2000);
    }
    cr_assert_gt(run.kept, 5000);
    cr_assert_gt(run.served, 5000);
}

Test(rate_limit, a_thousand_refused_at_once_are_told_different_seconds)
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
Test(rate_limit, a_key_has_a_slot_for_each_of_its_refused_requests)
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

Test(rate_limit, a_user_of_a_key_that_waited_too_long_leaves_a_slot_to_the_key)
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

Test(rate_limit, a_subject_that_asks_again_is_told_the_same_second)
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

Test(rate_limit, who_asks_again_too_early_is_still_admitted_in_time)
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

Test(rate_limit, who_comes_too_late_has_no_slot_any_more)
{
    begin(50, 50, 0, 0);
    fill();
    uint32_t told = knock(1).retry_after_s;
    now_ns += told * S + 2 * S;
    fill();
    cr_assert_eq(knock(1).verdict, VITO_BUCKET_REFUSE);
    end();
}

Test(rate_limit, those_who_never_come_back_keep_nobody_out)
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

Test(rate_limit, in_a_bucket_of_one_those_who_never_come_back_leave_half_the_time)
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
Test(rate_limit, those_who_come_back_leave_half_of_the_rate_to_others)
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

Test(rate_limit, promises_are_bounded_and_beyond_them_nothing_is_kept)
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

Test(rate_limit, slots_lie_within_the_horizon)
{
    begin(1, 1, 0, 0);
    knock(1);
    uint32_t told = 0;
    for (uint64_t i = 2; i < 40 && told <= VITO_BUCKET_HORIZON_S; i++)
        told = knock(i).retry_after_s;
    cr_assert_eq(told, VITO_BUCKET_HORIZON_S + 1);
    end();
}

Test(rate_limit, subjects_are_served_in_turns)
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

Test(rate_limit, position_and_eta_tell_how_far_back)
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

Test(rate_limit, nobody_overtakes_those_who_wait)
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

Test(rate_limit, a_full_line_refuses_and_says_so)
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

Test(rate_limit, who_would_wait_too_long_is_refused_at_once)
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

Test(rate_limit, a_waiter_that_others_overtake_is_refused_at_its_deadline_with_a_slot)
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

Test(rate_limit, at_its_deadline_a_waiter_is_served_if_there_is_room_and_after_it_never)
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

Test(rate_limit, a_waiter_that_leaves_is_forgotten)
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

Test(rate_limit, a_refusal_beside_a_line_still_names_a_later_second)
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

Test(rate_limit, a_line_behind_a_slot_is_woken_once_a_second_at_most)
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

Test(rate_limit, a_slot_that_expires_makes_room_for_those_who_wait)
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
