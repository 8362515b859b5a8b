#include "runtime/status.h"

const char *
rt_status_name(enum rt_status status)
{
    static const char *const names[RT_STATUS_COUNT] = {
        [RT_OK] = "ok",
        [RT_EMPTY] = "empty",
        [RT_FULL] = "full",
        [RT_CLOSED] = "closed",
        [RT_NO_MEMORY] = "no_memory",
        [RT_NOT_FOUND] = "not_found",
        [RT_EXISTS] = "exists",
        [RT_INVALID] = "invalid",
        [RT_TOO_BIG] = "too_big",
        [RT_TIMEOUT] = "timeout",
        [RT_UNAVAILABLE] = "unavailable",
        [RT_DENIED] = "denied",
        [RT_CANCELLED] = "cancelled",
        [RT_IO] = "io",
    };
    return (unsigned)status < RT_STATUS_COUNT ? names[status] : "unknown";
}
