/* What instants as text promise: RFC 3339 in UTC out, any RFC 3339 in, nothing else. */
#include <criterion/criterion.h>

#include "runtime/random.h"
#include "vito/period.h"

TestSuite(time_text, .timeout = 60);

static void
assert_shown(int64_t wall_ms, const char *wanted)
{
    char text[VITO_TIME_TEXT_BYTES];
    cr_assert_str_eq(vito_time_format(wall_ms, text), wanted);
}

Test(time_text, instants_are_shown_in_utc_with_milliseconds)
{
    assert_shown(0, "1970-01-01T00:00:00.000Z");
    assert_shown(-1, "1969-12-31T23:59:59.999Z");
    assert_shown(1795297200000, "2026-11-21T21:40:00.000Z");
    assert_shown(951782400007, "2000-02-29T00:00:00.007Z");
    assert_shown(4107542400000, "2100-03-01T00:00:00.000Z");
}

Test(time_text, years_that_four_digits_cannot_say_are_clamped)
{
    assert_shown(INT64_MAX, "9999-12-31T23:59:59.999Z");
    assert_shown(INT64_MIN, "0000-01-01T00:00:00.000Z");
}

Test(time_text, what_is_shown_is_read_back_as_the_same_instant)
{
    struct rt_random random;
    rt_random_seed(&random, 5);
    for (int i = 0; i < 100000; i++) {
        int64_t wall_ms = (int64_t)rt_random_below(&random, UINT64_C(315537897600000)) -
                          INT64_C(62135596800000); /* years 1 to 9999 */
        char text[VITO_TIME_TEXT_BYTES];
        int64_t read_ms = 0;
        cr_assert_eq(vito_time_parse(vito_time_format(wall_ms, text), &read_ms), RT_OK, "%s", text);
        cr_assert_eq(read_ms, wall_ms, "%s", text);
    }
}

Test(time_text, offsets_fractions_and_lower_case_are_read)
{
    static const char *const same[] = {
        "2026-11-21T21:40:00Z",      "2026-11-21t21:40:00z",      "2026-11-21 21:40:00.000Z",
        "2026-11-21T22:40:00+01:00", "2026-11-22T03:25:00+05:45", "2026-11-21T16:40:00.0-05:00",
        "2026-11-21T21:40:00-00:00", "2026-11-21T21:40:00.0009Z", "2026-11-21T21:39:60Z",
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        int64_t wall_ms = 0;
        cr_assert_eq(vito_time_parse(same[i], &wall_ms), RT_OK, "%s", same[i]);
        cr_assert_eq(wall_ms, 1795297200000, "%s", same[i]);
    }
    int64_t wall_ms = 0;
    cr_assert_eq(vito_time_parse("1970-01-01T00:00:00.123456789123456789Z", &wall_ms), RT_OK);
    cr_assert_eq(wall_ms, 123);
}

Test(time_text, anything_else_is_invalid)
{
    static const char *const wrong[] = {
        "",
        "2026-11-21",
        "2026-11-21T21:40:00",
        "2026-11-21T21:40Z",
        "2026-11-21T21:40:00.Z",
        "2026-11-21T21:40:00Z ",
        " 2026-11-21T21:40:00Z",
        "2026-11-21T21:40:00+1:00",
        "2026-11-21T21:40:00+0100",
        "2026-11-21T21:40:00+24:00",
        "2026-11-21T24:00:00Z",
        "2026-11-21T21:60:00Z",
        "2026-11-21T21:40:61Z",
        "2026-00-21T21:40:00Z",
        "2026-13-21T21:40:00Z",
        "2026-11-00T21:40:00Z",
        "2026-11-31T21:40:00Z",
        "2025-02-29T21:40:00Z",
        "1900-02-29T21:40:00Z",
        "26-11-21T21:40:00Z",
        "+2026-11-21T21:40:00Z",
        "2026/11/21T21:40:00Z",
        "2026-11-21X21:40:00Z",
        "1795297200000",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int64_t wall_ms = 42;
        cr_assert_eq(vito_time_parse(wrong[i], &wall_ms), RT_INVALID, "\"%s\"", wrong[i]);
        cr_assert_eq(wall_ms, 42);
    }
}
