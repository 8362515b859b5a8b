#include "actors/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "runtime/system.h"

enum { LABEL_BYTES = 48, ACTIONS = 3 };

#define COUNTER(name_, help_)                                                                      \
    {                                                                                              \
        .metric = {.name = (name_), .help = (help_), .type = RT_METRIC_COUNTER }                   \
    }

#define TURNS_HELP "Turns judged, by the decision and, when it was deny, by its reason."
#define SPENT_HELP "What settled legs cost, in nano-dollars, by mode."
#define HELD_HELP "What settled legs held at their end, in nano-dollars, by mode."
#define LEGS_HELP "Legs handed to a vendor, by mode."

static struct rt_gauge sessions = {.metric = {.name = "twin_sessions",
                                              .help = "Sessions that live now.",
                                              .type = RT_METRIC_GAUGE}};
static struct rt_counter sessions_total = COUNTER("twin_sessions_total", "Sessions begun.");
static struct rt_counter settled_total = COUNTER("twin_legs_settled_total", "Vendor legs settled.");

static struct rt_histogram cut_seconds = {
    .metric = {.name = "twin_cut_seconds",
               .help = "From when a leg's money was at an end to when its vendor's stop left.",
               .type = RT_METRIC_HISTOGRAM},
    .is_fine = true};

#define GRANTS_HELP                                                                                \
    "Times money of a month was asked of the ledger: by a step that waits for it, or ahead of "    \
    "need."

static struct rt_counter grants_awaited = {
    .metric = {.name = "twin_grants_total", .help = GRANTS_HELP, .labels = "awaited=\"yes\""}};
static struct rt_counter grants_ahead = {
    .metric = {.name = "twin_grants_total", .help = GRANTS_HELP, .labels = "awaited=\"no\""}};

static struct rt_counter checkpoints_total =
    COUNTER("twin_audit_checkpoints_total", "Checkpoints of audit trails that were signed.");
static struct rt_counter broken_total =
    COUNTER("twin_audit_broken_total", "Audit trails found to end elsewhere than was signed.");

static struct rt_counter uncounted_total =
    COUNTER("twin_audit_refusals_uncounted_total", "Refusals that no audit trail was told of.");

static const char *const actions[ACTIONS] = {"pass", "throttle", "downgrade"};
static struct rt_counter turns[ACTIONS];
static struct rt_counter denied[PROBLEM_REASON_COUNT]; /* [PROBLEM_NONE]: by a policy */
static struct rt_counter legs[VITO_MODE_COUNT], spent[VITO_MODE_COUNT], held[VITO_MODE_COUNT];

static char action_labels[ACTIONS][LABEL_BYTES];
static char denied_labels[PROBLEM_REASON_COUNT][2 * LABEL_BYTES];
static char mode_labels[VITO_MODE_COUNT][LABEL_BYTES];

static void
add(struct rt_counter *counter, const char *name, const char *help, const char *labels)
{
    counter->metric =
        (struct rt_metric){.name = name, .help = help, .labels = labels, .type = RT_METRIC_COUNTER};
    rt_metrics_register(&counter->metric);
}

static void
register_turns(void)
{
    for (int i = 0; i < ACTIONS; i++) {
        snprintf(action_labels[i], LABEL_BYTES, "action=\"%s\",reason=\"\"", actions[i]);
        add(&turns[i], "twin_turns_total", TURNS_HELP, action_labels[i]);
    }
    for (int i = 0; i < PROBLEM_REASON_COUNT; i++) {
        const struct problem problem = {.reason = (enum problem_reason)i};
        const char *reason = i == PROBLEM_NONE ? "policy" : problem_token(&problem);
        if (i == PROBLEM_POLICY_DENIED)
            continue; /* its reason is the policy's own: counted as "policy" */
        snprintf(denied_labels[i], sizeof(denied_labels[i]), "action=\"deny\",reason=\"%s\"",
                 reason);
        add(&denied[i], "twin_turns_total", TURNS_HELP, denied_labels[i]);
    }
}

static void
register_all(void)
{
    rt_system_register_metrics();
    register_turns();
    for (int i = 0; i < VITO_MODE_COUNT; i++) {
        snprintf(mode_labels[i], LABEL_BYTES, "mode=\"%s\"", vito_mode_name((enum vito_mode)i));
        add(&legs[i], "twin_legs_total", LEGS_HELP, mode_labels[i]);
        add(&spent[i], "twin_spent_nanodollars_total", SPENT_HELP, mode_labels[i]);
        add(&held[i], "twin_held_nanodollars_total", HELD_HELP, mode_labels[i]);
    }
    rt_metrics_register(&sessions.metric);
    rt_metrics_register(&sessions_total.metric);
    rt_metrics_register(&settled_total.metric);
    rt_metrics_register(&cut_seconds.metric);
    rt_metrics_register(&grants_awaited.metric);
    rt_metrics_register(&grants_ahead.metric);
    rt_metrics_register(&checkpoints_total.metric);
    rt_metrics_register(&broken_total.metric);
    rt_metrics_register(&uncounted_total.metric);
}

void
metrics_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_all);
}

void
metrics_turn(const char *action, const struct problem *problem)
{
    if (problem != NULL) {
        enum problem_reason reason =
            problem->reason == PROBLEM_POLICY_DENIED ? PROBLEM_NONE : problem->reason;
        rt_counter_add(&denied[reason], 1);
        return;
    }
    for (int i = 0; i < ACTIONS; i++)
        if (strcmp(action, actions[i]) == 0)
            rt_counter_add(&turns[i], 1);
}

void
metrics_session_began(void)
{
    rt_gauge_add(&sessions, 1);
    rt_counter_add(&sessions_total, 1);
}

void
metrics_session_gone(void)
{
    rt_gauge_add(&sessions, -1);
}

void
metrics_leg_began(enum vito_mode mode)
{
    rt_counter_add(&legs[mode], 1);
}

void
metrics_leg_settled(enum vito_mode mode, int64_t held_nusd, int64_t cost_nusd)
{
    rt_counter_add(&settled_total, 1);
    rt_counter_add(&spent[mode], (uint64_t)cost_nusd);
    rt_counter_add(&held[mode], (uint64_t)held_nusd);
}

void
metrics_grant(bool is_awaited)
{
    rt_counter_add(is_awaited ? &grants_awaited : &grants_ahead, 1);
}

struct rt_histogram *
metrics_cut_seconds(void)
{
    return &cut_seconds;
}

void
metrics_audit_checkpoint(void)
{
    rt_counter_add(&checkpoints_total, 1);
}

void
metrics_audit_broken(void)
{
    rt_counter_add(&broken_total, 1);
}

void
metrics_refusals_uncounted(uint64_t count)
{
    rt_counter_add(&uncounted_total, count);
}
