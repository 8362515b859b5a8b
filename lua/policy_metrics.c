#include "lua/policy_metrics.h"

#include <pthread.h>

static const char *const names[TLUA_FAILURE_COUNT] = {"unknown", "settings", "raised", "too_long",
                                                      "no_memory"};

#define FAILURE(cause)                                                                             \
    {                                                                                              \
        .metric = {                                                                                \
            .name = "twin_policy_failures_total",                                                  \
            .help = "Questions denied because the policy could not answer them.",                  \
            .labels = "cause=\"" cause "\"",                                                       \
            .type = RT_METRIC_COUNTER,                                                             \
        },                                                                                         \
    }

struct rt_counter tlua_policy_failures[TLUA_FAILURE_COUNT] = {
    [TLUA_FAILURE_UNKNOWN] = FAILURE("unknown"),     [TLUA_FAILURE_SETTINGS] = FAILURE("settings"),
    [TLUA_FAILURE_RAISED] = FAILURE("raised"),       [TLUA_FAILURE_TOO_LONG] = FAILURE("too_long"),
    [TLUA_FAILURE_NO_MEMORY] = FAILURE("no_memory"),
};

struct rt_counter tlua_policy_loads = {
    .metric = {.name = "twin_policy_reloads_total",
               .help = "Policy files looked at because they were new or had changed.",
               .labels = "result=\"loaded\"",
               .type = RT_METRIC_COUNTER},
};

struct rt_counter tlua_policy_keeps = {
    .metric = {.name = "twin_policy_reloads_total",
               .help = "Policy files looked at because they were new or had changed.",
               .labels = "result=\"kept\"",
               .type = RT_METRIC_COUNTER},
};

const char *
tlua_policy_failure_name(enum tlua_policy_failure failure)
{
    return names[failure];
}

static void
register_all(void)
{
    for (int i = 0; i < TLUA_FAILURE_COUNT; i++)
        rt_metrics_register(&tlua_policy_failures[i].metric);
    rt_metrics_register(&tlua_policy_loads.metric);
    rt_metrics_register(&tlua_policy_keeps.metric);
}

void
tlua_policy_metrics_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_all);
}
