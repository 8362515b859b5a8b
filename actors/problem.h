/*
 * actors/problem.h - what went wrong, for people and programs: RFC 9457, the same in an HTTP
 * answer and in a WebSocket frame.
 *
 * A problem is known by its reason, a stable token; status, title and whether a retry makes
 * sense follow from it. The rest are figures of the case.
 */
#ifndef ACTORS_PROBLEM_H
#define ACTORS_PROBLEM_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "vito/id.h"

enum problem_reason {
    PROBLEM_NONE,
    /* the caller's request */
    PROBLEM_MALFORMED_JSON,
    PROBLEM_MALFORMED_MSGPACK,
    PROBLEM_INVALID_FIELD,
    PROBLEM_UNKNOWN_TYPE,
    PROBLEM_BINARY_ON_JSON,
    PROBLEM_TEXT_ON_MSGPACK,
    PROBLEM_UNKNOWN_SUBPROTOCOL,
    PROBLEM_TOO_BIG,
    PROBLEM_NOT_FOUND,
    PROBLEM_METHOD_NOT_ALLOWED,
    PROBLEM_UNSUPPORTED_MEDIA,
    PROBLEM_UPGRADE_REQUIRED,
    PROBLEM_CONFLICT,
    /* its Idempotency-Key */
    PROBLEM_KEY_IN_USE,
    PROBLEM_KEY_REUSED,
    PROBLEM_KEY_LOST,
    PROBLEM_TOO_MANY_KEYS,
    /* who the caller is */
    PROBLEM_UNAUTHENTICATED,
    PROBLEM_CREDENTIAL_EXPIRES,
    PROBLEM_KEYS_UNAVAILABLE,
    PROBLEM_LOGIN_RATE,
    PROBLEM_FORBIDDEN_TENANT,
    PROBLEM_FORBIDDEN_ROLE,
    PROBLEM_UNKNOWN_AVATAR,
    /* money */
    PROBLEM_MONTHLY_HARD_LIMIT,
    PROBLEM_SESSION_LIMIT,
    PROBLEM_SESSION_TOKENS,
    PROBLEM_VIDEO_QUOTA,
    PROBLEM_VOICE_QUOTA,
    /* rate */
    PROBLEM_BURST_RATE,
    PROBLEM_QUEUE_FULL,
    PROBLEM_QUEUE_WAIT,
    PROBLEM_TOO_MANY_TURNS,
    /* the tenant's configuration and policy */
    PROBLEM_MODE_NOT_ALLOWED,
    PROBLEM_POLICY_DENIED,
    PROBLEM_POLICY_FAILED,
    PROBLEM_NOT_IN_SESSION,
    PROBLEM_SPEECH_INPUT_UNAVAILABLE,
    PROBLEM_RESUME_UNAVAILABLE,
    /* we, or a vendor */
    PROBLEM_VENDOR_UNAVAILABLE,
    PROBLEM_VENDOR_REJECTED,
    PROBLEM_VENDOR_MALFORMED,
    PROBLEM_VENDOR_TIMEOUT,
    PROBLEM_STORE_UNAVAILABLE,
    PROBLEM_OVERLOAD,
    PROBLEM_SHUTDOWN,
    PROBLEM_INTERNAL,
    PROBLEM_REASON_COUNT,
};

enum { PROBLEM_DETAIL_BYTES = 256, PROBLEM_TOKEN_BYTES = 32 };

struct problem {
    enum problem_reason reason;
    char token[PROBLEM_TOKEN_BYTES];   /* a policy's own reason, in place of the table's; or "" */
    char detail[PROBLEM_DETAIL_BYTES]; /* one sentence: what, where, how to mend it; or "" */
    char decision_id[VITO_ID_BYTES];   /* or "" */
    uint32_t retry_after_s;            /* 0: none is promised */
    /* money problems */
    bool has_money;
    int64_t limit_nusd, posted_nusd, held_nusd;
    int64_t resets_at_ms; /* Unix time; 0: never by itself */
    /* rate problems */
    bool has_rate;
    uint32_t rate_per_second, rate_burst, rate_remaining;
};

/* A problem with its reason and a formatted detail, NULL for none. */
RT_PRINTF(2, 3)
struct problem problem_make(enum problem_reason reason, const char *detail_format, ...);

/* The stable token, "monthly_hard_limit". */
const char *problem_token(const struct problem *problem);

/* "Twin is sleeping". */
const char *problem_title(const struct problem *problem);

/* The HTTP status. */
int problem_status(const struct problem *problem);

/* The WebSocket close code when this ends a session or refuses one: 4402 and the like. */
uint16_t problem_close_code(const struct problem *problem);

/* Whether the same request may succeed later without a change. */
bool problem_is_retryable(const struct problem *problem);

/* The problem of that token, PROBLEM_NONE if there is none. */
enum problem_reason problem_of_token(const char *token);

#endif
