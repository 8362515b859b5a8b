#include "actors/refusal_book.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "runtime/text.h"

static struct refusal_book book;

static struct refusal
refusal_of(enum refusal_event event, const char *reason, unsigned number)
{
    struct refusal refusal = {.event = event, .mode = VITO_VOICE};
    RT_TEXT_SET(refusal.reason, reason);
    RT_TEXT_SET(refusal.caller, "key_one");
    RT_TEXT_SET(refusal.policy_version, "sha256:one");
    snprintf(refusal.session_id, sizeof(refusal.session_id), "ses_%u", number);
    snprintf(refusal.decision_id, sizeof(refusal.decision_id), "dec_%u", number);
    RT_TEXT_SET(refusal.leg_id, "leg_one");
    return refusal;
}

static bool
note(enum refusal_event event, const char *reason, unsigned number)
{
    struct refusal refusal = refusal_of(event, reason, number);
    return refusal_book_note(&book, &refusal, 1000 + number);
}

/* How many sums there are, and what they count. */
static unsigned
take_sums(int64_t *count_out)
{
    unsigned sums = 0;
    *count_out = 0;
    for (struct refusal_sum *sum; (sum = refusal_book_next(&book)) != NULL; sum->count = 0) {
        *count_out += sum->count;
        sums++;
    }
    return sums;
}

Test(refusal_book, the_first_of_a_reason_are_told_and_the_rest_is_one_sum)
{
    for (unsigned i = 0; i < 1000; i++)
        cr_assert_eq(note(REFUSAL_TURN, "burst_rate", i), i < REFUSAL_ONE_MAX);
    const struct refusal_sum *sum = refusal_book_next(&book);
    cr_assert_not_null(sum);
    cr_assert_eq(sum->count, 1000 - REFUSAL_ONE_MAX);
    cr_assert_str_eq(sum->of.reason, "burst_rate");
    cr_assert_eq(sum->of.mode, VITO_VOICE);
    cr_assert_eq(sum->first_ms, 1000 + REFUSAL_ONE_MAX);
    cr_assert_eq(sum->last_ms, 1999);
    int64_t count;
    cr_assert_eq(take_sums(&count), 1);
    cr_assert_null(refusal_book_next(&book), "it was told");
    cr_assert_not(note(REFUSAL_TURN, "burst_rate", 1000), "it is still the same minute");
}

Test(refusal_book, a_sum_says_only_what_is_the_same_for_all)
{
    struct refusal first = refusal_of(REFUSAL_TURN, "burst_rate", 1);
    struct refusal second = refusal_of(REFUSAL_TURN, "burst_rate", 2);
    refusal_book_count(&book, &first, 1);
    const struct refusal *of = &refusal_book_next(&book)->of;
    cr_assert_str_eq(of->session_id, "ses_1");
    cr_assert_str_eq(of->leg_id, "", "no leg stands for many");
    refusal_book_count(&book, &second, 2);
    cr_assert_str_eq(of->session_id, "");
    cr_assert_str_eq(of->caller, "key_one");
    cr_assert_str_eq(of->policy_version, "sha256:one");
    cr_assert_str_eq(of->decision_id, "dec_2", "the last one");
    RT_TEXT_SET(second.caller, "key_two");
    RT_TEXT_SET(second.policy_version, "sha256:two");
    refusal_book_count(&book, &second, 3);
    refusal_book_count(&book, &first, 4);
    cr_assert_str_eq(of->caller, "", "nor does it come back");
    cr_assert_str_eq(of->policy_version, "");
}

Test(refusal_book, the_same_reason_of_another_event_is_another_sum)
{
    struct refusal turn = refusal_of(REFUSAL_TURN, "voice_quota", 1);
    struct refusal leg = refusal_of(REFUSAL_LEG, "voice_quota", 1);
    refusal_book_count(&book, &turn, 1);
    refusal_book_count(&book, &leg, 1);
    int64_t count;
    cr_assert_eq(take_sums(&count), 2);
    cr_assert_eq(count, 2);
}

Test(refusal_book, a_policy_with_a_reason_a_turn_costs_a_bounded_number_of_records)
{
    unsigned told = 0;
    for (unsigned i = 0; i < 5000; i++) {
        char reason[PROBLEM_TOKEN_BYTES];
        snprintf(reason, sizeof(reason), "denied_%u", i);
        told += note((enum refusal_event)(i % REFUSAL_EVENT_COUNT), reason, i);
    }
    int64_t count;
    unsigned sums = take_sums(&count);
    cr_assert_eq(told, REFUSAL_ALL_MAX);
    cr_assert_leq(sums, REFUSAL_SUMS);
    cr_assert_eq(told + count, 5000, "none is left out");
}

Test(refusal_book, reasons_beyond_those_with_a_place_are_other_of_their_event)
{
    for (unsigned i = 0; i < REFUSAL_REASONS; i++) {
        char reason[PROBLEM_TOKEN_BYTES];
        snprintf(reason, sizeof(reason), "reason_%u", i);
        note(REFUSAL_SESSION, reason, i);
    }
    struct refusal turn = refusal_of(REFUSAL_TURN, "one_more", 1);
    struct refusal lowered = refusal_of(REFUSAL_TURN_DOWNGRADE, "one_more", 2);
    refusal_book_count(&book, &turn, 1);
    refusal_book_count(&book, &lowered, 1);
    const struct refusal_sum *sums = &book.sums[REFUSAL_REASONS];
    cr_assert_eq(sums[REFUSAL_TURN].count, 1);
    cr_assert_eq(sums[REFUSAL_TURN_DOWNGRADE].count, 1);
    cr_assert_str_eq(sums[REFUSAL_TURN].of.reason, "other");
    cr_assert_str_eq(refusal_event_name(sums[REFUSAL_TURN].of.event), "TURN_REFUSED");
}
