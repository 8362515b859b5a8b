#include "actors/refusal_book.h"

#include <string.h>

#include "runtime/text.h"

const char *
refusal_event_name(enum refusal_event event)
{
    static const char *const names[REFUSAL_EVENT_COUNT] = {
        [REFUSAL_TURN] = "TURN_REFUSED",       [REFUSAL_TURN_DOWNGRADE] = "TURN_DOWNGRADED",
        [REFUSAL_SESSION] = "SESSION_REFUSED", [REFUSAL_SESSION_DOWNGRADE] = "SESSION_DOWNGRADED",
        [REFUSAL_LEG] = "LEG_REFUSED",
    };
    return names[event];
}

static bool
is_free(const struct refusal_sum *sum)
{
    return sum->of.reason[0] == '\0';
}

static struct refusal_sum *
sum_of(struct refusal_book *book, const struct refusal *refusal)
{
    for (size_t i = 0; i < REFUSAL_REASONS; i++) {
        struct refusal_sum *sum = &book->sums[i];
        if (is_free(sum)) {
            sum->of.event = refusal->event;
            RT_TEXT_SET(sum->of.reason, refusal->reason);
        }
        if (sum->of.event == refusal->event && strcmp(sum->of.reason, refusal->reason) == 0)
            return sum;
    }
    struct refusal_sum *others = &book->sums[REFUSAL_REASONS + refusal->event];
    others->of.event = refusal->event;
    RT_TEXT_SET(others->of.reason, "other");
    return others;
}

/* What is not the same for all is said of none. */
static void
keep_common(char *common, const char *text)
{
    if (strcmp(common, text) != 0)
        common[0] = '\0';
}

static void
count(struct refusal_sum *sum, const struct refusal *refusal, int64_t now_ms)
{
    struct refusal *of = &sum->of;
    char reason[PROBLEM_TOKEN_BYTES];
    RT_TEXT_SET(reason, of->reason);
    sum->last_ms = now_ms;
    if (sum->count++ == 0) {
        *of = *refusal;
        RT_TEXT_SET(of->reason, reason); /* it may be "other" */
        of->leg_id[0] = '\0';
        sum->first_ms = now_ms;
        return;
    }
    keep_common(of->session_id, refusal->session_id);
    keep_common(of->caller, refusal->caller);
    keep_common(of->policy_version, refusal->policy_version);
    RT_TEXT_SET(of->decision_id, refusal->decision_id);
}

bool
refusal_book_note(struct refusal_book *book, const struct refusal *refusal, int64_t now_ms)
{
    struct refusal_sum *sum = sum_of(book, refusal);
    if (sum->told == REFUSAL_ONE_MAX || book->told == REFUSAL_ALL_MAX) {
        count(sum, refusal, now_ms);
        return false;
    }
    sum->told++;
    book->told++;
    return true;
}

void
refusal_book_count(struct refusal_book *book, const struct refusal *refusal, int64_t now_ms)
{
    count(sum_of(book, refusal), refusal, now_ms);
}

struct refusal_sum *
refusal_book_next(struct refusal_book *book)
{
    for (size_t i = 0; i < REFUSAL_SUMS; i++)
        if (book->sums[i].count > 0)
            return &book->sums[i];
    return NULL;
}
