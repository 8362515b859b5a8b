/* What the command line promises: defaults that fit together, and one clear refusal of what is
 * wrong. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>

#include "bench/vendor_sim/options.h"

TestSuite(sim_options, .init = cr_redirect_stderr, .timeout = 60);

static struct sim_options options;

/* Reads up to four arguments; NULL ends them. */
static enum sim_options_result
result_of(const char *a, const char *b, const char *c, const char *d)
{
    static char words[5][64];
    char *arguments[6] = {words[0]};
    const char *given[] = {a, b, c, d};
    int count = 1;
    strcpy(words[0], "twin-vendor-sim");
    for (int i = 0; i < 4 && given[i] != NULL; i++) {
        strcpy(words[count], given[i]);
        arguments[count] = words[count];
        count++;
    }
    return sim_options_read(count, arguments, &options);
}

Test(sim_options, without_any_it_listens_at_home_in_real_time)
{
    cr_assert_eq(result_of(NULL, NULL, NULL, NULL), SIM_OPTIONS_RUN);
    cr_assert_str_eq(options.listen, "127.0.0.1:9090");
    cr_assert_eq(options.latency_ms, 0);
    cr_assert_eq(options.token_ms, 20);
    cr_assert_eq(options.media_speed_per_mille, 1000);
    cr_assert_eq(options.faults.count, 0);
    cr_assert_null(options.log_file);
}

Test(sim_options, each_is_taken_with_its_value)
{
    cr_assert_eq(result_of("--port", "0", "--host", "::1"), SIM_OPTIONS_RUN);
    cr_assert_str_eq(options.listen, "[::1]:0");
    cr_assert_eq(result_of("--latency-ms=30", "--token-ms", "0", "--media-speed=60"),
                 SIM_OPTIONS_RUN);
    cr_assert_eq(options.latency_ms, 30);
    cr_assert_eq(options.token_ms, 0);
    cr_assert_eq(options.media_speed_per_mille, 60000);
    cr_assert_eq(result_of("--media-speed", "0.125", "--log", "calls.log"), SIM_OPTIONS_RUN);
    cr_assert_eq(options.media_speed_per_mille, 125);
    cr_assert_str_eq(options.log_file, "calls.log");
    cr_assert_eq(result_of("--fault", "cut:0.1", "--fault", "slow:1"), SIM_OPTIONS_RUN);
    cr_assert_eq(options.faults.count, 2);
}

Test(sim_options, what_is_wrong_is_refused)
{
    static const char *const bad[][2] = {
        {"--port", "65536"},       {"--port", "-1"},        {"--port", "x"},
        {"--port", NULL},          {"--latency-ms", "1.5"}, {"--latency-ms", "3600001"},
        {"--media-speed", "0"},    {"--media-speed", ""},   {"--media-speed", "1.2345"},
        {"--media-speed", "2000"}, {"--media-speed", "x"},  {"--fault", "cut"},
        {"--nonsense", NULL},      {"stray", NULL},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(result_of(bad[i][0], bad[i][1], NULL, NULL), SIM_OPTIONS_WRONG, "%s",
                     bad[i][0]);
}
