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

Test(metrics, a_histogram_always_shows_the_same_bounds)
{
    static struct rt_histogram quiet = {.metric = {.name = "twin_test_quiet_seconds",
                                                   .help = "Nothing yet.",
                                                   .type = RT_METRIC_HISTOGRAM}};
    rt_metrics_register(&quiet.metric);
    size_t size_bytes;
    char *before = rt_metrics_render(&size_bytes);
    cr_assert_not_null(strstr(before, "twin_test_quiet_seconds_bucket{le=\"1.6384e-05\"} 0\n"));
    cr_assert_not_null(strstr(before, "twin_test_quiet_seconds_bucket{le=\"17.1798692\"} 0\n"));
    free(before);

    rt_histogram_record(&quiet, 20000);
    rt_histogram_record(&quiet, 20000000000);
    char *after = rt_metrics_render(&size_bytes);
    cr_assert_not_null(strstr(after, "twin_test_quiet_seconds_bucket{le=\"1.6384e-05\"} 0\n"));
    cr_assert_not_null(strstr(after, "twin_test_quiet_seconds_bucket{le=\"3.2768e-05\"} 1\n"));
    cr_assert_not_null(strstr(after, "twin_test_quiet_seconds_bucket{le=\"17.1798692\"} 1\n"));
    cr_assert_not_null(strstr(after, "twin_test_quiet_seconds_bucket{le=\"+Inf\"} 2\n"));
    free(after);
}

Test(metrics, a_fine_histogram_shows_four_bounds_to_each_doubling)
{
    static struct rt_histogram fine = {.metric = {.name = "twin_test_fine_seconds",
                                                  .help = "Exactly.",
                                                  .type = RT_METRIC_HISTOGRAM},
                                       .is_fine = true};
    rt_metrics_register(&fine.metric);
    rt_histogram_record(&fine, 20000);
    size_t size_bytes;
    char *text = rt_metrics_render(&size_bytes);
    cr_assert_not_null(strstr(text, "twin_test_fine_seconds_bucket{le=\"1.6384e-05\"} 0\n"
                                    "twin_test_fine_seconds_bucket{le=\"2.048e-05\"} 1\n"
                                    "twin_test_fine_seconds_bucket{le=\"2.4576e-05\"} 1\n"));
    free(text);
}
