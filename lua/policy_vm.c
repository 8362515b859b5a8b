#include "lua/policy_vm.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/judge.h"
#include "lua/policy_decision.h"
#include "runtime/assert.h"
#include "runtime/log.h"

enum { POLL_EVERY_S = 1, LOG_EVERY_S = 1 };

struct worker {
    alignas(RT_CACHE_LINE_BYTES) struct tlua_judge *judge; /* NULL before its first question */
    uint64_t poll_ns;                                      /* when to look at the files again */
    uint64_t log_ns;                                       /* when it may log a failure again */
    uint64_t unlogged;                                     /* failures since the last line */
};

struct tlua_policies {
    struct tlua_policy_files *files;
    struct tlua_vm_limits limits;
    const struct rt_world *world;
    unsigned worker_count;
    struct worker workers[];
};

static struct tlua_vm_limits
limits_of(const struct tlua_policy_options *options)
{
    struct tlua_vm_limits limits = tlua_judge_limits;
    if (options->instructions_max > 0)
        limits.instructions = options->instructions_max;
    if (options->memory_bytes_max > 0)
        limits.heap_bytes = options->memory_bytes_max;
    if (options->cpu_ms_max == TLUA_CPU_UNLIMITED)
        limits.cpu_ms = 0;
    else if (options->cpu_ms_max > 0)
        limits.cpu_ms = options->cpu_ms_max;
    return limits;
}

struct tlua_policies *
tlua_policies_create(const struct tlua_policy_options *options)
{
    RT_ASSERT(options->workers > 0);
    size_t size_bytes = sizeof(struct tlua_policies) + options->workers * sizeof(struct worker);
    struct tlua_policies *policies = aligned_alloc(RT_CACHE_LINE_BYTES, size_bytes);
    if (policies == NULL)
        return NULL;
    memset(policies, 0, size_bytes);
    policies->files = tlua_policy_files_create(options->directory, tlua_judge_prove);
    if (policies->files == NULL) {
        free(policies);
        return NULL;
    }
    policies->limits = limits_of(options);
    policies->world = options->world;
    policies->worker_count = options->workers;
    tlua_policy_metrics_register();
    return policies;
}

void
tlua_policies_destroy(struct tlua_policies *policies)
{
    if (policies == NULL)
        return;
    for (unsigned i = 0; i < policies->worker_count; i++) {
        if (policies->workers[i].judge != NULL)
            tlua_judge_destroy(policies->workers[i].judge);
    }
    tlua_policy_files_destroy(policies->files);
    free(policies);
}

size_t
tlua_policies_reload(struct tlua_policies *policies)
{
    return tlua_policy_files_reload(policies->files);
}

static struct tlua_judge *
judge_of(struct tlua_policies *policies, struct worker *worker)
{
    if (worker->judge == NULL)
        worker->judge = tlua_judge_create(policies->files, &policies->limits);
    return worker->judge;
}

static void
poll_files(struct tlua_policies *policies, struct worker *worker, uint64_t now_ns)
{
    if (now_ns < worker->poll_ns)
        return;
    worker->poll_ns = now_ns + POLL_EVERY_S * RT_NS_PER_S;
    tlua_policy_files_poll(policies->files);
}

/* A failing policy fails at every question: a line a second is enough. */
static void
log_failure(struct worker *worker, const char *policy, const char *version,
            enum tlua_policy_failure failure, uint64_t now_ns)
{
    rt_counter_add(&tlua_policy_failures[failure], 1);
    worker->unlogged++;
    if (now_ns < worker->log_ns)
        return;
    rt_log(RT_LOG_ERROR, "policy.failed", RT_STR("policy", policy), RT_STR("version", version),
           RT_STR("cause", tlua_policy_failure_name(failure)),
           RT_STR("problem", tlua_judge_problem(worker->judge)),
           RT_U64("failures", worker->unlogged));
    worker->unlogged = 0;
    worker->log_ns = now_ns + LOG_EVERY_S * RT_NS_PER_S;
}

static void
ask(void *self, unsigned index, const char *policy, const struct policy_question *question,
    struct policy_decision *decision_out)
{
    struct tlua_policies *policies = self;
    RT_ASSERT(index < policies->worker_count);
    struct worker *worker = &policies->workers[index];
    uint64_t now_ns = policies->world->now_ns(policies->world->self);
    enum tlua_policy_failure failure = TLUA_FAILURE_NO_MEMORY;
    poll_files(policies, worker, now_ns);
    if (judge_of(policies, worker) == NULL) {
        *decision_out = (struct policy_decision){0};
        tlua_decision_fail(decision_out, tlua_policy_failure_name(failure));
        rt_counter_add(&tlua_policy_failures[failure], 1);
    } else if (!tlua_judge_ask(worker->judge, policy, question, decision_out, &failure)) {
        log_failure(worker, policy, decision_out->version, failure, now_ns);
    }
}

static bool
check(void *self, unsigned index, const char *policy, struct rt_buffer *settings,
      char problem_out[VITO_PROBLEM_BYTES])
{
    struct tlua_policies *policies = self;
    RT_ASSERT(index < policies->worker_count);
    struct worker *worker = &policies->workers[index];
    poll_files(policies, worker, policies->world->now_ns(policies->world->self));
    struct tlua_judge *judge = judge_of(policies, worker);
    if (judge != NULL && tlua_judge_check(judge, policy, settings))
        return true;
    snprintf(problem_out, VITO_PROBLEM_BYTES, "%s: %s", policy,
             judge == NULL ? "out of memory" : tlua_judge_problem(judge));
    return false;
}

struct policy_port
tlua_policies_port(struct tlua_policies *policies)
{
    return (struct policy_port){.self = policies, .ask = ask, .check = check};
}
