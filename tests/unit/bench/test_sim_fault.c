/* What faults promise: the kinds and shares that were asked for, no more often than that. */
#include <criterion/criterion.h>

#include "bench/vendor_sim/fault.h"

static struct rt_random chance;

static void
setup(void)
{
    rt_random_seed(&chance, 1);
}

TestSuite(sim_fault, .init = setup, .timeout = 60);

Test(sim_fault, a_rule_is_a_kind_and_a_share)
{
    struct sim_fault_rule rule;
    cr_assert(sim_fault_parse("cut:0.05", &rule));
    cr_assert_eq(rule.fault, SIM_FAULT_CUT);
    cr_assert_eq(rule.rate_per_million, 50000);
    cr_assert_null(rule.vendor);
    cr_assert_eq(rule.count_left, -1);
    cr_assert(sim_fault_parse("hang_mid:1", &rule));
    cr_assert_eq(rule.rate_per_million, SIM_RATE_ALWAYS);
    cr_assert(sim_fault_parse("slow:0", &rule));
    cr_assert(sim_fault_parse("refuse:0.123456789", &rule));
    cr_assert_eq(rule.rate_per_million, 123456);
}

Test(sim_fault, anything_else_is_refused)
{
    static const char *const bad[] = {"",
                                      "cut",
                                      "cut:",
                                      "cut:2",
                                      "cut:1.1",
                                      "cut:x",
                                      "cut:-0",
                                      "cut:.5",
                                      "none:1",
                                      ":1",
                                      "a name that is far too long to be a kind of fault:1"};
    struct sim_fault_rule rule;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(sim_fault_parse(bad[i], &rule), "%s", bad[i]);
}

Test(sim_fault, without_rules_nothing_goes_wrong)
{
    struct sim_faults faults = {0};
    cr_assert_eq(sim_faults_pick(&faults, "openai", &chance), SIM_FAULT_NONE);
}

Test(sim_fault, a_rule_may_be_for_one_vendor_and_for_so_many_requests)
{
    struct sim_faults faults = {0};
    struct sim_fault_rule rule = {.fault = SIM_FAULT_HANG,
                                  .vendor = "tavus",
                                  .rate_per_million = SIM_RATE_ALWAYS,
                                  .count_left = 2};
    cr_assert(sim_faults_add(&faults, &rule));
    cr_assert_eq(sim_faults_pick(&faults, "openai", &chance), SIM_FAULT_NONE);
    cr_assert_eq(sim_faults_pick(&faults, "tavus", &chance), SIM_FAULT_HANG);
    cr_assert_eq(sim_faults_pick(&faults, "tavus", &chance), SIM_FAULT_HANG);
    cr_assert_eq(sim_faults_pick(&faults, "tavus", &chance), SIM_FAULT_NONE);
}

Test(sim_fault, a_share_is_kept_about)
{
    struct sim_faults faults = {0};
    struct sim_fault_rule rule = {
        .fault = SIM_FAULT_CUT, .rate_per_million = 50000, .count_left = -1};
    sim_faults_add(&faults, &rule);
    int cuts = 0;
    for (int i = 0; i < 100000; i++)
        cuts += sim_faults_pick(&faults, "openai", &chance) == SIM_FAULT_CUT;
    cr_assert(cuts > 4700 && cuts < 5300, "%d of 100000 for a share of 0.05", cuts);
}

Test(sim_fault, there_is_a_bound_on_rules)
{
    struct sim_faults faults = {0};
    struct sim_fault_rule rule = {.fault = SIM_FAULT_CUT, .count_left = -1};
    for (int i = 0; i < SIM_FAULTS_MAX; i++)
        cr_assert(sim_faults_add(&faults, &rule));
    cr_assert_not(sim_faults_add(&faults, &rule));
}
