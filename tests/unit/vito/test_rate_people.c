/* Seeded crowds: slots that are honoured whoever presses, and no window with too many. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/random.h"
#include "tests/unit/vito/bucket_box.h"

TestSuite(rate_people, .timeout = 60);

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

Test(rate_people, no_window_has_too_many_and_slots_and_waits_are_as_promised)
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
