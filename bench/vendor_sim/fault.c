#include "bench/vendor_sim/fault.h"

#include <stdio.h>
#include <string.h>

static const char *const names[SIM_FAULT_COUNT] = {
    [SIM_FAULT_NONE] = "",
    [SIM_FAULT_REFUSE] = "refuse",
    [SIM_FAULT_RATE_LIMIT] = "rate_limit",
    [SIM_FAULT_OUT_OF_MONEY] = "out_of_money",
    [SIM_FAULT_SERVER_ERROR] = "server_error",
    [SIM_FAULT_HANG] = "hang",
    [SIM_FAULT_HANG_MID] = "hang_mid",
    [SIM_FAULT_CUT] = "cut",
    [SIM_FAULT_GARBAGE] = "garbage",
    [SIM_FAULT_SLOW] = "slow",
};

enum sim_fault
sim_fault_named(const char *name)
{
    for (int i = SIM_FAULT_NONE + 1; i < SIM_FAULT_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return (enum sim_fault)i;
    return SIM_FAULT_NONE;
}

bool
sim_fault_parse_rate(const char *text, uint32_t *rate_per_million_out)
{
    if (text[0] != '0' && text[0] != '1')
        return false;
    uint32_t rate = (uint32_t)(text[0] - '0') * SIM_RATE_ALWAYS;
    const char *at = text + 1;
    if (*at == '.') {
        uint32_t place = SIM_RATE_ALWAYS / 10;
        for (at++; *at >= '0' && *at <= '9'; at++, place /= 10)
            rate += (uint32_t)(*at - '0') * place;
    }
    if (*at != '\0' || rate > SIM_RATE_ALWAYS)
        return false;
    *rate_per_million_out = rate;
    return true;
}

bool
sim_fault_parse(const char *text, struct sim_fault_rule *rule_out)
{
    char name[32];
    const char *colon = strchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof(name))
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)(colon - text), text);
    struct sim_fault_rule rule = {.fault = sim_fault_named(name), .count_left = -1};
    if (rule.fault == SIM_FAULT_NONE || !sim_fault_parse_rate(colon + 1, &rule.rate_per_million))
        return false;
    *rule_out = rule;
    return true;
}

bool
sim_faults_add(struct sim_faults *faults, const struct sim_fault_rule *rule)
{
    if (faults->count == SIM_FAULTS_MAX)
        return false;
    faults->rules[faults->count++] = *rule;
    return true;
}

enum sim_fault
sim_faults_pick(struct sim_faults *faults, const char *vendor, struct rt_random *random)
{
    for (size_t i = 0; i < faults->count; i++) {
        struct sim_fault_rule *rule = &faults->rules[i];
        bool applies = rule->vendor == NULL || strcmp(rule->vendor, vendor) == 0;
        if (!applies || rule->count_left == 0 ||
            rt_random_below(random, SIM_RATE_ALWAYS) >= rule->rate_per_million)
            continue;
        if (rule->count_left > 0)
            rule->count_left--;
        return rule->fault;
    }
    return SIM_FAULT_NONE;
}
