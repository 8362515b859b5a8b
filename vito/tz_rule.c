#include "vito/tz_rule.h"

#include "vito/calendar.h"

struct text {
    const char *at, *end;
};

static char
peek(const struct text *text)
{
    if (text->at == text->end)
        return '\0';
    return *text->at;
}

static bool
skip(struct text *text, char wanted)
{
    if (peek(text) != wanted || wanted == '\0')
        return false;
    text->at++;
    return true;
}

static bool
read_number(struct text *text, int min, int max, int *value_out)
{
    int value = 0;
    const char *start = text->at;
    while (peek(text) >= '0' && peek(text) <= '9' && value <= max)
        value = value * 10 + (*text->at++ - '0');
    *value_out = value;
    return text->at > start && value >= min && value <= max;
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The abbreviation of a kind of time: three letters or more, or <anything>. */
static bool
skip_name(struct text *text)
{
    const char *start = text->at;
    if (skip(text, '<')) {
        while (text->at < text->end && *text->at != '>')
            text->at++;
        return skip(text, '>');
    }
    while (is_letter(peek(text)))
        text->at++;
    return text->at - start >= 3;
}

/* [+-]hours[:minutes[:seconds]] */
static bool
read_time(struct text *text, int hours_max, int *seconds_out)
{
    int sign = skip(text, '-') ? -1 : 1;
    if (sign > 0)
        skip(text, '+');
    int hours, minutes = 0, seconds = 0;
    if (!read_number(text, 0, hours_max, &hours))
        return false;
    if (skip(text, ':') && !read_number(text, 0, 59, &minutes))
        return false;
    if (skip(text, ':') && !read_number(text, 0, 59, &seconds))
        return false;
    *seconds_out = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

/* Written west of UTC, kept east of it. */
static bool
read_offset(struct text *text, int *offset_out)
{
    int west_s;
    if (!read_time(text, 24, &west_s))
        return false;
    *offset_out = -west_s;
    return true;
}

static bool
read_day(struct text *text, struct vito_tz_change *change)
{
    if (skip(text, 'J')) {
        change->kind = VITO_TZ_JULIAN;
        return read_number(text, 1, 365, &change->day);
    }
    if (!skip(text, 'M')) {
        change->kind = VITO_TZ_DAY_OF_YEAR;
        return read_number(text, 0, 365, &change->day);
    }
    change->kind = VITO_TZ_WEEKDAY;
    return read_number(text, 1, 12, &change->month) && skip(text, '.') &&
           read_number(text, 1, 5, &change->week) && skip(text, '.') &&
           read_number(text, 0, 6, &change->day);
}

static bool
read_change(struct text *text, struct vito_tz_change *change)
{
    enum { TWO_OCLOCK_S = 2 * 3600, HOURS_MAX = 167 /* a week, since version 3 */ };
    change->time_s = TWO_OCLOCK_S;
    if (!skip(text, ',') || !read_day(text, change))
        return false;
    return !skip(text, '/') || read_time(text, HOURS_MAX, &change->time_s);
}

static bool
read_daylight(struct text *text, struct vito_tz_rule *rule)
{
    rule->has_daylight = true;
    rule->daylight_s = rule->standard_s + 3600;
    if (!skip_name(text))
        return false;
    if (peek(text) != ',' && !read_offset(text, &rule->daylight_s))
        return false;
    return read_change(text, &rule->start) && read_change(text, &rule->end);
}

bool
vito_tz_rule_parse(const char *text, size_t chars, struct vito_tz_rule *rule_out)
{
    struct text rest = {text, text + chars};
    struct vito_tz_rule rule = {0};
    if (!skip_name(&rest) || !read_offset(&rest, &rule.standard_s))
        return false;
    if (rest.at < rest.end && !read_daylight(&rest, &rule))
        return false;
    if (rest.at < rest.end)
        return false;
    *rule_out = rule;
    return true;
}

static int64_t
weekday_in_month(int64_t year, const struct vito_tz_change *change)
{
    int64_t first = vito_day_of(year, change->month, 1);
    int ahead = (change->day - vito_weekday_of(first) + 7) % 7;
    int day = ahead + 7 * (change->week - 1);
    while (day >= vito_days_in_month(year, change->month))
        day -= 7; /* week 5 is the last one, be it the fifth or the fourth */
    return first + day;
}

/* When the change happens in `year`, as Unix time. */
static int64_t
change_in(int64_t year, const struct vito_tz_change *change, int offset_before_s)
{
    int64_t day = vito_day_of(year, 1, 1);
    switch (change->kind) {
    case VITO_TZ_JULIAN:
        day += change->day - 1;
        if (change->day > 59 && vito_days_in_month(year, 2) == 29)
            day++; /* 29 February has no number */
        break;
    case VITO_TZ_DAY_OF_YEAR:
        day += change->day;
        break;
    case VITO_TZ_WEEKDAY:
        day = weekday_in_month(year, change);
        break;
    }
    return day * VITO_DAY_S + change->time_s - offset_before_s;
}

/* The latest change up to an instant, and the first one after it. */
struct neighbours {
    int64_t at_s, before_s, after_s;
    int offset_s;
};

static void
consider(struct neighbours *neighbours, int64_t change_s, int offset_after_s)
{
    if (change_s > neighbours->at_s) {
        if (change_s < neighbours->after_s)
            neighbours->after_s = change_s;
    } else if (change_s >= neighbours->before_s) {
        /* Of two at once the later one listed counts: daylight time that ends where the next
         * year's begins never ends. */
        neighbours->before_s = change_s;
        neighbours->offset_s = offset_after_s;
    }
}

struct vito_zone_span
vito_tz_rule_span(const struct vito_tz_rule *rule, int64_t at_s)
{
    if (!rule->has_daylight)
        return (struct vito_zone_span){rule->standard_s, INT64_MAX};
    struct neighbours neighbours = {
        .at_s = at_s, .before_s = INT64_MIN, .after_s = INT64_MAX, .offset_s = rule->standard_s};
    int64_t day = vito_floor_div(at_s + rule->standard_s, VITO_DAY_S);
    int64_t year = vito_date_of(day).year;
    /* A time of day of up to a week moves a change into the neighbouring year. */
    for (int64_t y = year - 2; y <= year + 1; y++) {
        consider(&neighbours, change_in(y, &rule->start, rule->standard_s), rule->daylight_s);
        consider(&neighbours, change_in(y, &rule->end, rule->daylight_s), rule->standard_s);
    }
    return (struct vito_zone_span){neighbours.offset_s, neighbours.after_s};
}
