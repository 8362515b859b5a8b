/*
 * lua/policy_metrics.h - what policies are counted by.
 */
#ifndef LUA_POLICY_METRICS_H
#define LUA_POLICY_METRICS_H

#include "lua/vm.h"
#include "runtime/metrics.h"

/* Why a policy could not be asked, or its answer not be taken: each is a DENY. */
enum tlua_policy_failure {
    TLUA_FAILURE_UNKNOWN,   /* no such policy */
    TLUA_FAILURE_SETTINGS,  /* the tenant's settings are not what the policy declares */
    TLUA_FAILURE_RAISED,    /* the script raised, or answered nonsense */
    TLUA_FAILURE_TOO_LONG,  /* its budget was spent; the VM was rebuilt */
    TLUA_FAILURE_NO_MEMORY, /* its memory was spent; the VM was rebuilt */
    TLUA_FAILURE_COUNT,
};

/* "unknown", "settings", "raised", "too_long", "no_memory". */
const char *tlua_policy_failure_name(enum tlua_policy_failure failure);

extern struct rt_counter tlua_policy_failures[TLUA_FAILURE_COUNT];
extern struct rt_counter tlua_policy_loads; /* versions that came into force */
extern struct rt_counter tlua_policy_keeps; /* changed files that were no policies */

/* Makes them show in /metrics; once is enough, more does nothing. Threads: any. */
void tlua_policy_metrics_register(void);

#endif
