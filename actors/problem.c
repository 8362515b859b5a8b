#include "actors/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/assert.h"
#include "runtime/text.h"

struct kind {
    const char *token;
    const char *title;
    int status;
    uint16_t close_code;
    bool retryable;
};

static const struct kind kinds[PROBLEM_REASON_COUNT] = {
    [PROBLEM_NONE] = {"none", "No problem", 200, 1000, false},
    [PROBLEM_MALFORMED_JSON] = {"malformed_json", "Malformed JSON", 400, 4400, false},
    [PROBLEM_MALFORMED_MSGPACK] = {"malformed_msgpack", "Malformed MessagePack", 400, 4400, false},
    [PROBLEM_INVALID_FIELD] = {"invalid_field", "A field is not valid", 400, 4400, false},
    [PROBLEM_UNKNOWN_TYPE] = {"unknown_type", "Unknown frame type", 400, 4400, false},
    [PROBLEM_BINARY_ON_JSON] = {"binary_on_json", "Binary frame on a JSON subprotocol", 400, 4400,
                                false},
    [PROBLEM_TEXT_ON_MSGPACK] = {"text_on_msgpack", "Text frame on a MessagePack subprotocol", 400,
                                 4400, false},
    [PROBLEM_UNKNOWN_SUBPROTOCOL] = {"unknown_subprotocol", "None of the subprotocols is known",
                                     400, 4400, false},
    [PROBLEM_TOO_BIG] = {"too_big", "Too big", 413, 1009, false},
    [PROBLEM_NOT_FOUND] = {"not_found", "Not found", 404, 4400, false},
    [PROBLEM_METHOD_NOT_ALLOWED] = {"method_not_allowed", "Method not allowed", 405, 4400, false},
    [PROBLEM_UNSUPPORTED_MEDIA] = {"unsupported_media", "Unsupported media type", 415, 4400, false},
    [PROBLEM_UPGRADE_REQUIRED] = {"upgrade_required", "This is a WebSocket endpoint", 426, 4400,
                                  false},
    [PROBLEM_CONFLICT] = {"conflict", "Conflict", 409, 4400, true},
    [PROBLEM_KEY_IN_USE] = {"idempotency_key_in_use", "The request with this key is at work", 409,
                            4400, true},
    [PROBLEM_KEY_REUSED] = {"idempotency_key_reused", "This key was used for another request", 422,
                            4400, false},
    [PROBLEM_KEY_LOST] = {"idempotency_key_lost", "The answer to this key is lost", 410, 4400,
                          false},
    [PROBLEM_TOO_MANY_KEYS] = {"too_many_idempotency_keys", "Too many Idempotency-Keys are kept",
                               429, 4429, true},
    [PROBLEM_UNAUTHENTICATED] = {"unauthenticated", "No valid credential", 401, 4401, false},
    [PROBLEM_CREDENTIAL_EXPIRES] = {"credential_expires", "The credential is about to expire", 401,
                                    4401, false},
    [PROBLEM_KEYS_UNAVAILABLE] = {"keys_unavailable", "The issuer's keys cannot be had", 503, 1013,
                                  true},
    [PROBLEM_LOGIN_RATE] = {"login_rate", "Too many failed logins", 429, 4429, true},
    [PROBLEM_FORBIDDEN_TENANT] = {"forbidden_tenant", "This credential is for another twin", 403,
                                  4403, false},
    [PROBLEM_FORBIDDEN_ROLE] = {"forbidden_role", "This credential may not do that", 403, 4403,
                                false},
    [PROBLEM_UNKNOWN_AVATAR] = {"unknown_avatar", "There is no such twin", 404, 4400, false},
    [PROBLEM_MONTHLY_HARD_LIMIT] = {"monthly_hard_limit", "Twin is sleeping", 402, 4402, false},
    [PROBLEM_SESSION_LIMIT] = {"session_limit", "The session's limit is reached", 402, 4402, false},
    [PROBLEM_SESSION_TOKENS] = {"session_tokens", "The session's tokens are used up", 402, 4402,
                                false},
    [PROBLEM_VIDEO_QUOTA] = {"video_quota", "The month's video minutes are used up", 402, 4402,
                             false},
    [PROBLEM_VOICE_QUOTA] = {"voice_quota", "The month's voice minutes are used up", 402, 4402,
                             false},
    [PROBLEM_BURST_RATE] = {"burst_rate", "Too many requests", 429, 4429, true},
    [PROBLEM_QUEUE_FULL] = {"queue_full", "Too many requests, and too many wait", 429, 4429, true},
    [PROBLEM_QUEUE_WAIT] = {"queue_wait", "Waited too long", 429, 4429, true},
    [PROBLEM_TOO_MANY_TURNS] = {"too_many_turns", "Too many turns of this session wait", 429, 4429,
                                true},
    [PROBLEM_MODE_NOT_ALLOWED] = {"mode_not_allowed", "This twin does not offer that mode", 403,
                                  4403, false},
    [PROBLEM_POLICY_DENIED] = {"policy_denied", "The twin's policy refused", 403, 4403, false},
    [PROBLEM_POLICY_FAILED] = {"policy_failed", "The twin's policy failed", 503, 1011, true},
    [PROBLEM_NOT_IN_SESSION] = {"not_in_session", "Not possible in this session", 409, 4400, false},
    [PROBLEM_SPEECH_INPUT_UNAVAILABLE] = {"speech_input_unavailable",
                                          "This twin does not listen yet", 501, 4400, false},
    [PROBLEM_RESUME_UNAVAILABLE] = {"resume_unavailable", "The session cannot be resumed", 404,
                                    4404, false},
    [PROBLEM_VENDOR_UNAVAILABLE] = {"vendor_unavailable", "A vendor is not available", 503, 1013,
                                    true},
    [PROBLEM_VENDOR_REJECTED] = {"vendor_rejected", "A vendor refused", 502, 1011, false},
    [PROBLEM_VENDOR_MALFORMED] = {"vendor_malformed", "A vendor answered nonsense", 502, 1011,
                                  true},
    [PROBLEM_VENDOR_TIMEOUT] = {"vendor_timeout", "A vendor did not answer in time", 504, 1013,
                                true},
    [PROBLEM_STORE_UNAVAILABLE] = {"store_unavailable", "The ledger cannot be asked", 503, 1013,
                                   true},
    [PROBLEM_OVERLOAD] = {"overload", "Too busy", 503, 1013, true},
    [PROBLEM_SHUTDOWN] = {"shutdown", "Shutting down", 503, 1001, true},
    [PROBLEM_INTERNAL] = {"internal", "Internal error", 500, 1011, true},
};

struct problem
problem_make(enum problem_reason reason, const char *detail_format, ...)
{
    RT_ASSERT(reason < PROBLEM_REASON_COUNT);
    struct problem problem = {.reason = reason};
    if (detail_format == NULL)
        return problem;
    va_list arguments;
    va_start(arguments, detail_format);
    char
        detail[PROBLEM_DETAIL_BYTES + 4]; /* and a character more, to see where the last one ends */
    vsnprintf(detail, sizeof(detail), detail_format, arguments);
    va_end(arguments);
    memcpy(problem.detail, detail, rt_text_cut(detail, strlen(detail), sizeof(problem.detail) - 1));
    return problem;
}

const char *
problem_token(const struct problem *problem)
{
    return problem->token[0] != '\0' ? problem->token : kinds[problem->reason].token;
}

const char *
problem_title(const struct problem *problem)
{
    return kinds[problem->reason].title;
}

int
problem_status(const struct problem *problem)
{
    return kinds[problem->reason].status;
}

uint16_t
problem_close_code(const struct problem *problem)
{
    return kinds[problem->reason].close_code;
}

bool
problem_is_retryable(const struct problem *problem)
{
    return kinds[problem->reason].retryable;
}

enum problem_reason
problem_of_token(const char *token)
{
    for (enum problem_reason reason = 1; reason < PROBLEM_REASON_COUNT; reason++)
        if (strcmp(kinds[reason].token, token) == 0)
            return reason;
    return PROBLEM_NONE;
}
