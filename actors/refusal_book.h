/*
 * actors/refusal_book.h - which refusals of one twin's minute are told one by one, and the sums of
 * the others.
 *
 * Whoever may talk to a twin could fill the store with what he is refused. So of each event and
 * reason the first REFUSAL_ONE_MAX of a minute are told whole, REFUSAL_ALL_MAX of all; the rest is
 * counted, and becomes one sum when the minute is over. Policies choose their own reasons: beyond
 * REFUSAL_REASONS of them an event's others are counted together, as "other".
 *
 * Plain data, no clock. One thread at a time.
 */
#ifndef ACTORS_REFUSAL_BOOK_H
#define ACTORS_REFUSAL_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/access.h"
#include "actors/problem.h"
#include "vito/id.h"
#include "vito/policy_config.h"

enum refusal_event {
    REFUSAL_TURN,
    REFUSAL_TURN_DOWNGRADE, /* it goes on in a lower mode */
    REFUSAL_SESSION,
    REFUSAL_SESSION_DOWNGRADE,
    REFUSAL_LEG, /* one that runs gets no more */
    REFUSAL_EVENT_COUNT,
};

enum {
    REFUSAL_REASONS = 16,
    REFUSAL_SUMS = REFUSAL_REASONS + REFUSAL_EVENT_COUNT,
    REFUSAL_ONE_MAX = 5,
    REFUSAL_ALL_MAX = 20,
    REFUSAL_MINUTE_MS = 60000,
};

struct refusal {
    enum refusal_event event;
    enum vito_mode mode;              /* asked for; running */
    char reason[PROBLEM_TOKEN_BYTES]; /* a stable token */
    /* "" where there is none */
    char session_id[VITO_ID_BYTES];
    char caller[ACCESS_NAME_BYTES]; /* the credential's name */
    char decision_id[VITO_ID_BYTES];
    char leg_id[VITO_ID_BYTES];
    char policy_version[VITO_VERSION_BYTES]; /* when the policy was asked */
};

/* Refusals of one event and reason. */
struct refusal_sum {
    struct refusal of; /* session, caller and version when they are all of the same; the last
                          decision; and no leg */
    uint32_t told;     /* one by one */
    int64_t count, first_ms, last_ms; /* of those beyond */
};

/* One minute. All zero: nothing was refused. */
struct refusal_book {
    struct refusal_sum sums[REFUSAL_SUMS];
    uint32_t told;
};

/* "TURN_REFUSED". */
const char *refusal_event_name(enum refusal_event event);

/* Notes one refusal. True: it is to be told by itself, and is not counted. */
bool refusal_book_note(struct refusal_book *book, const struct refusal *refusal, int64_t now_ms);

/* Counts one that is not told by itself. */
void refusal_book_count(struct refusal_book *book, const struct refusal *refusal, int64_t now_ms);

/* A sum with a count, any; NULL when there is none. Whoever tells it sets its count to 0. */
struct refusal_sum *refusal_book_next(struct refusal_book *book);

#endif
