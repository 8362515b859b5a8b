/*
 * Instants as text: RFC 3339.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/assert.h"
#include "vito/calendar.h"
#include "vito/period.h"

/* What four digits of a year can say. */
#define TIME_MIN_MS (vito_day_of(0, 1, 1) * VITO_DAY_S * 1000)
#define TIME_MAX_MS (vito_day_of(10000, 1, 1) * VITO_DAY_S * 1000 - 1)

const char *
vito_time_format(int64_t wall_ms, char text_out[VITO_TIME_TEXT_BYTES])
{
    if (wall_ms < TIME_MIN_MS)
        wall_ms = TIME_MIN_MS;
    if (wall_ms > TIME_MAX_MS)
        wall_ms = TIME_MAX_MS;
    int64_t day = vito_floor_div(wall_ms, (int64_t)VITO_DAY_S * 1000);
    unsigned ms = (unsigned)vito_floor_mod(wall_ms, (int64_t)VITO_DAY_S * 1000);
    struct vito_date date = vito_date_of(day);
    /* The remainders tell the compiler what we know: that all of it fits. */
    snprintf(text_out, VITO_TIME_TEXT_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)date.year % 10000, (unsigned)date.month % 100, (unsigned)date.day % 100,
             ms / 3600000 % 24, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
    return text_out;
}

/* Reads exactly `digits` digits, of a number between the bounds. */
static bool
read_number(const char **at, int digits, int min, int max, int *value_out)
{
    int value = 0;
    for (int i = 0; i < digits; i++, ++*at) {
        if (**at < '0' || **at > '9')
            return false;
        value = value * 10 + (**at - '0');
    }
    *value_out = value;
    return value >= min && value <= max;
}

static bool
skip(const char **at, const char *either)
{
    if (**at == '\0' || strchr(either, **at) == NULL)
        return false;
    ++*at;
    return true;
}

static bool
read_date(const char **at, int64_t *day_out)
{
    int year, month, day;
    if (!read_number(at, 4, 0, 9999, &year) || !skip(at, "-") ||
        !read_number(at, 2, 1, 12, &month) || !skip(at, "-") ||
        !read_number(at, 2, 1, vito_days_in_month(year, month), &day))
        return false;
    *day_out = vito_day_of(year, month, day);
    return true;
}

/* Digits beyond the third are dropped. */
static bool
read_fraction(const char **at, int *ms_out)
{
    int unit_ms = 100, ms = 0;
    const char *start = *at;
    for (; **at >= '0' && **at <= '9'; ++*at, unit_ms /= 10)
        ms += (**at - '0') * unit_ms;
    *ms_out = ms;
    return *at > start;
}

static bool
read_time(const char **at, int64_t *ms_out)
{
    int hour, minute, second, ms = 0;
    if (!read_number(at, 2, 0, 23, &hour) || !skip(at, ":") ||
        !read_number(at, 2, 0, 59, &minute) || !skip(at, ":") ||
        !read_number(at, 2, 0, 60, &second)) /* 60 is a leap second: the next one, to Unix */
        return false;
    if (skip(at, ".") && !read_fraction(at, &ms))
        return false;
    *ms_out = ((hour * 60 + minute) * 60 + second) * INT64_C(1000) + ms;
    return true;
}

static bool
read_offset(const char **at, int64_t *ms_out)
{
    *ms_out = 0;
    if (skip(at, "Zz"))
        return true;
    int sign = **at == '-' ? -1 : 1;
    int hours, minutes;
    if (!skip(at, "+-") || !read_number(at, 2, 0, 23, &hours) || !skip(at, ":") ||
        !read_number(at, 2, 0, 59, &minutes))
        return false;
    *ms_out = (int64_t)sign * (hours * 60 + minutes) * 60000;
    return true;
}

enum rt_status
vito_time_parse(const char *text, int64_t *wall_ms_out)
{
    RT_ASSERT(text != NULL);
    int64_t day, of_day_ms, offset_ms;
    if (!read_date(&text, &day) || !skip(&text, "Tt ") || !read_time(&text, &of_day_ms) ||
        !read_offset(&text, &offset_ms) || *text != '\0')
        return RT_INVALID;
    *wall_ms_out = day * VITO_DAY_S * 1000 + of_day_ms - offset_ms;
    return RT_OK;
}
