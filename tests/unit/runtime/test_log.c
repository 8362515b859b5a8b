/* What the log promises: one line an event, whole, escaped, and nothing below its level. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "runtime/log.h"

static int pipe_fds[2];
static char text[8192];

static void
start(enum rt_log_format format)
{
    cr_assert_eq(pipe(pipe_fds), 0);
    struct rt_log_options options = {
        .level = RT_LOG_INFO, .format = format, .fd = pipe_fds[1], .world = rt_world_real()};
    cr_assert_eq(rt_log_start(&options), RT_OK);
}

static const char *
stop_and_read(void)
{
    rt_log_stop();
    close(pipe_fds[1]);
    ssize_t size = read(pipe_fds[0], text, sizeof(text) - 1);
    text[size < 0 ? 0 : size] = '\0';
    return text;
}

TestSuite(log, .timeout = 60);

Test(log, a_line_is_an_event_and_its_fields)
{
    start(RT_LOG_TEXT);
    rt_log(RT_LOG_INFO, "session.ended", RT_STR("session", "s1"), RT_U64("turns", 3),
           RT_I64("left_ms", -5), RT_BOOL("cut", true));
    rt_log(RT_LOG_DEBUG, "not.wanted", RT_U64("n", 1));
    const char *got = stop_and_read();
    cr_assert_not_null(
        strstr(got, " info  session.ended session=\"s1\" turns=3 left_ms=-5 cut=true\n"));
    cr_assert_null(strstr(got, "not.wanted"));
}

Test(log, json_lines_are_escaped)
{
    start(RT_LOG_JSON);
    rt_log(RT_LOG_WARN, "bad.input", RT_STR("text", "a\"b\\c\nd"));
    cr_assert_not_null(
        strstr(stop_and_read(),
               "\"level\":\"warn\",\"event\":\"bad.input\",\"text\":\"a\\\"b\\\\c\\u000ad\"}\n"));
}

Test(log, an_overlong_line_is_cut_and_still_ends)
{
    start(RT_LOG_JSON);
    char big[4000];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    rt_log(RT_LOG_WARN, "big.input", RT_STR("text", big));
    const char *got = stop_and_read();
    cr_assert_lt(strlen(got), 1024);
    cr_assert_eq(got[strlen(got) - 1], '\n');
}
