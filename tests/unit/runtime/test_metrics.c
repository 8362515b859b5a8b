/* What metrics promise: Prometheus text that parses, and percentiles within 19 %. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/metrics.h"

static struct rt_counter denied = {.metric = {.name = "twin_denied_total",
                                              .help = "Turns denied.",
                                              .labels = "reason=\"burst_rate\"",
                                              .type = RT_METRIC_COUNTER}};
static struct rt_counter slept = {.metric = {.name = "twin_denied_total",
                                             .help = "Turns denied.",
                                             .labels = "reason=\"monthly_hard_limit\"",
                                             .type = RT_METRIC_COUNTER}};
static struct rt_histogram waits = {
    .metric = {.name = "twin_wait_seconds", .help = "Waits.", .type = RT_METRIC_HISTOGRAM}};

TestSuite(metrics, .timeout = 60);

Test(metrics, counters_of_one_name_share_a_header)
{
    rt_metrics_register(&denied.metric);
    rt_metrics_register(&waits.metric);
    rt_metrics_register(&slept.metric);
    rt_counter_add(&denied, 3);
    size_t size;
    char *text = rt_metrics_render(&size);
    cr_assert_not_null(strstr(text, "# TYPE twin_denied_total counter\n"
                                    "twin_denied_total{reason=\"burst_rate\"} 3\n"
                                    "twin_denied_total{reason=\"monthly_hard_limit\"} 0\n"));
    cr_assert_eq(strlen(text), size);
    free(text);
}

Test(metrics, percentiles_are_within_a_bucket_of_the_truth)
{
    for (uint64_t i = 1; i <= 100000; i++)
        rt_histogram_record(&waits, i * 1000);
    uint64_t p99 = rt_histogram_percentile_ns(&waits, 990);
    cr_assert_geq(p99, 99000000);
    cr_assert_leq(p99, UINT64_C(99000000) * 119 / 100);
    cr_assert_eq(rt_histogram_percentile_ns(&(struct rt_histogram){0}, 990), 0);
}
