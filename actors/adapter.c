#include "actors/adapter.h"

#include "actors/policy.h"

const char *
adapter_error_name(enum adapter_error error)
{
    static const char *const names[ADAPTER_ERROR_COUNT] = {
        [ADAPTER_ERROR_NONE] = "none",
        [ADAPTER_ERROR_RETRYABLE] = "retryable",
        [ADAPTER_ERROR_REJECTED] = "rejected",
        [ADAPTER_ERROR_OUT_OF_MONEY] = "out_of_money",
        [ADAPTER_ERROR_MALFORMED] = "malformed",
        [ADAPTER_ERROR_UNKNOWN] = "unknown",
        [ADAPTER_ERROR_CUT] = "cut",
        [ADAPTER_ERROR_BUG] = "bug",
    };
    return (unsigned)error < ADAPTER_ERROR_COUNT ? names[error] : "unknown";
}

const char *
policy_action_name(enum policy_action action)
{
    switch (action) {
    case POLICY_PASS:
        return "pass";
    case POLICY_THROTTLE:
        return "throttle";
    case POLICY_DOWNGRADE:
        return "downgrade";
    case POLICY_DENY:
        return "deny";
    case POLICY_WARN:
        return "warn";
    }
    return "deny";
}
