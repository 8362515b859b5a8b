/* What periods promise: local time as the C library has it, in every zone and century, and months
 * that follow each other without a gap whatever the clocks do. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/random.h"
#include "vito/period.h"

TestSuite(period, .timeout = 60);

static int64_t
at(const char *text)
{
    int64_t wall_ms = 0;
    cr_assert_eq(vito_time_parse(text, &wall_ms), RT_OK, "%s", text);
    return wall_ms;
}

static const struct vito_zone *
zone_of(const char *name)
{
    const struct vito_zone *zone = NULL;
    cr_assert_eq(vito_zone_load(name, &zone), RT_OK, "%s", name);
    return zone;
}

static void
assert_period(const char *zone, const char *when, const char *start, const char *end)
{
    struct vito_period period = vito_period_of(zone_of(zone), at(when));
    char text[VITO_TIME_TEXT_BYTES];
    cr_assert_str_eq(vito_time_format(period.start_ms, text), start, "%s at %s: start %s", zone,
                     when, text);
    cr_assert_str_eq(vito_time_format(period.end_ms, text), end, "%s at %s: end %s", zone, when,
                     text);
}

Test(period, a_month_begins_at_local_midnight)
{
    assert_period("UTC", "2026-11-21T21:40:00Z", "2026-11-01T00:00:00.000Z",
                  "2026-12-01T00:00:00.000Z");
    assert_period("Europe/Madrid", "2026-11-21T21:40:00Z", "2026-10-31T23:00:00.000Z",
                  "2026-11-30T23:00:00.000Z");
    assert_period("Asia/Kathmandu", "2024-02-29T23:59:59Z", "2024-02-29T18:15:00.000Z",
                  "2024-03-31T18:15:00.000Z");
}

/* Local midnight to local midnight, whatever the clocks do on the way. */
Test(period, a_month_may_be_an_hour_or_half_of_one_longer_or_shorter)
{
    /* Clocks change on the last day of the month, after its last midnight. */
    assert_period("Europe/Madrid", "2024-03-31T21:59:59.999Z", "2024-02-29T23:00:00.000Z",
                  "2024-03-31T22:00:00.000Z");
    assert_period("Europe/Madrid", "2021-10-31T00:30:00Z", "2021-09-30T22:00:00.000Z",
                  "2021-10-31T23:00:00.000Z");
    /* And on the first one, after its first. */
    assert_period("Australia/Sydney", "2023-10-01T00:00:00Z", "2023-09-30T14:00:00.000Z",
                  "2023-10-31T13:00:00.000Z");
    assert_period("America/St_Johns", "2026-11-01T04:30:00Z", "2026-11-01T02:30:00.000Z",
                  "2026-12-01T03:30:00.000Z");
    /* By half an hour. */
    assert_period("Australia/Lord_Howe", "2023-10-15T00:00:00Z", "2023-09-30T13:30:00.000Z",
                  "2023-10-31T13:00:00.000Z");
}

Test(period, zones_without_daylight_time_have_whole_days)
{
    assert_period("Asia/Tokyo", "2026-03-15T00:00:00Z", "2026-02-28T15:00:00.000Z",
                  "2026-03-31T15:00:00.000Z");
    assert_period("Asia/Kolkata", "2026-10-31T18:30:00Z", "2026-10-31T18:30:00.000Z",
                  "2026-11-30T18:30:00.000Z");
    assert_period("Asia/Kolkata", "2026-10-31T18:29:59.999Z", "2026-09-30T18:30:00.000Z",
                  "2026-10-31T18:30:00.000Z");
    assert_period("Pacific/Marquesas", "2026-01-01T00:00:00Z", "2025-12-01T09:30:00.000Z",
                  "2026-01-01T09:30:00.000Z");
    assert_period("Asia/Kathmandu", "2026-01-31T18:14:59.999Z", "2025-12-31T18:15:00.000Z",
                  "2026-01-31T18:15:00.000Z");
}

Test(period, a_month_has_its_days_in_leap_years_and_others)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const struct {
        int year, february;
    } years[] = {{1900, 28}, {2000, 29}, {2023, 28}, {2024, 29},
                 {2026, 28}, {2100, 28}, {2400, 29}};
    for (size_t i = 0; i < sizeof(years) / sizeof(years[0]); i++) {
        for (int month = 1; month <= 12; month++) {
            char when[VITO_TIME_TEXT_BYTES];
            snprintf(when, sizeof(when), "%04d-%02d-15T12:00:00Z", years[i].year, month);
            struct vito_period period = vito_period_of(zone_of("UTC"), at(when));
            int64_t expected = month == 2 ? years[i].february : days[month - 1];
            cr_assert_eq((period.end_ms - period.start_ms) / 86400000, expected, "%s", when);
            cr_assert_eq((period.end_ms - period.start_ms) % 86400000, 0);
            cr_assert_eq(vito_period_of(zone_of("UTC"), period.end_ms - 1).start_ms,
                         period.start_ms, "%s: its last instant", when);
        }
    }
}

Test(period, the_first_instant_belongs_to_the_month_and_the_last_does_not)
{
    assert_period("Europe/Madrid", "2026-10-31T22:59:59.999Z", "2026-09-30T22:00:00.000Z",
                  "2026-10-31T23:00:00.000Z");
    assert_period("Europe/Madrid", "2026-10-31T23:00:00.000Z", "2026-10-31T23:00:00.000Z",
                  "2026-11-30T23:00:00.000Z");
    assert_period("UTC", "2026-12-31T23:59:59.999Z", "2026-12-01T00:00:00.000Z",
                  "2027-01-01T00:00:00.000Z");
    assert_period("UTC", "1969-12-31T23:59:59.999Z", "1969-12-01T00:00:00.000Z",
                  "1970-01-01T00:00:00.000Z");
}

Test(period, where_midnight_is_skipped_the_month_begins_after_it)
{
    /* 1 October 2017 in Paraguay: from 23:59:59 to 01:00:00. */
    assert_period("America/Asuncion", "2017-10-15T12:00:00Z", "2017-10-01T04:00:00.000Z",
                  "2017-11-01T03:00:00.000Z");
    assert_period("America/Asuncion", "2017-10-01T03:59:59.999Z", "2017-09-01T04:00:00.000Z",
                  "2017-10-01T04:00:00.000Z");
}

Test(period, where_midnight_comes_twice_the_month_begins_at_the_first)
{
    /* 1 November 2015 in Cuba: from 00:59:59 back to 00:00:00. */
    assert_period("America/Havana", "2015-11-15T12:00:00Z", "2015-11-01T04:00:00.000Z",
                  "2015-12-01T05:00:00.000Z");
    assert_period("America/Havana", "2015-11-01T05:30:00Z", "2015-11-01T04:00:00.000Z",
                  "2015-12-01T05:00:00.000Z");
}

Test(period, a_month_that_has_begun_goes_on_although_clocks_show_the_old_one_again)
{
    /* 1 November 2009 in Labrador: at 00:01 back to 23:01 on 31 October. */
    assert_period("America/Goose_Bay", "2009-11-01T03:00:30Z", "2009-11-01T03:00:00.000Z",
                  "2009-12-01T04:00:00.000Z");
    struct vito_local_time local =
        vito_zone_local(zone_of("America/Goose_Bay"), at("2009-11-01T03:30:00Z"));
    cr_assert_eq(local.month, 10);
    assert_period("America/Goose_Bay", "2009-11-01T03:30:00Z", "2009-11-01T03:00:00.000Z",
                  "2009-12-01T04:00:00.000Z");
    assert_period("America/Goose_Bay", "2009-11-01T02:59:59.999Z", "2009-10-01T03:00:00.000Z",
                  "2009-11-01T03:00:00.000Z");
}

/* Calls `visit` for every zone with a name of its own. */
static void
each_zone(void (*visit)(const char *name, struct rt_random *random))
{
    struct rt_random random;
    rt_random_seed(&random, 4);
    FILE *table = fopen("/usr/share/zoneinfo/tzdata.zi", "r");
    cr_assert_not_null(table, "the package tzdata is needed");
    char line[256], name[64];
    int count = 0;
    while (fgets(line, sizeof(line), table) != NULL)
        if (sscanf(line, "Z %63s", name) == 1) {
            visit(name, &random);
            count++;
        }
    fclose(table);
    cr_assert_gt(count, 300);
}

/* An instant from 1850 to 2250. */
static int64_t
some_time_s(struct rt_random *random)
{
    int64_t start = at("1850-01-01T00:00:00Z") / 1000, end = at("2250-01-01T00:00:00Z") / 1000;
    return start + (int64_t)rt_random_below(random, (uint64_t)(end - start));
}

static void
compare_with_c_library(const char *name, struct rt_random *random)
{
    const struct vito_zone *zone = zone_of(name);
    setenv("TZ", name, 1);
    tzset();
    for (int i = 0; i < 500; i++) {
        time_t when = some_time_s(random);
        struct tm theirs;
        localtime_r(&when, &theirs);
        struct vito_local_time ours = vito_zone_local(zone, (int64_t)when * 1000 + i);
        cr_assert_eq(ours.offset_s, theirs.tm_gmtoff, "%s at %lld: %d", name, (long long)when,
                     ours.offset_s);
        cr_assert(ours.year == theirs.tm_year + 1900 && ours.month == theirs.tm_mon + 1 &&
                  ours.day == theirs.tm_mday && ours.hour == theirs.tm_hour &&
                  ours.minute == theirs.tm_min && ours.second == theirs.tm_sec &&
                  ours.weekday == theirs.tm_wday);
    }
}

Test(period, local_time_agrees_with_the_c_library_in_every_zone)
{
    each_zone(compare_with_c_library);
}

static int
months_of(struct vito_local_time local)
{
    return local.year * 12 + local.month;
}

static void
check_months(const char *name, struct rt_random *random)
{
    const struct vito_zone *zone = zone_of(name);
    for (int i = 0; i < 50; i++) {
        int64_t when = some_time_s(random) * 1000;
        struct vito_period period = vito_period_of(zone, when);
        cr_assert(period.start_ms <= when && when < period.end_ms, "%s", name);
        struct vito_period next = vito_period_of(zone, period.end_ms);
        cr_assert_eq(next.start_ms, period.end_ms, "%s: months follow each other", name);
        struct vito_period last = vito_period_of(zone, period.end_ms - 1);
        cr_assert_eq(last.start_ms, period.start_ms, "%s", name);
        int before = months_of(vito_zone_local(zone, period.start_ms - 1));
        int first = months_of(vito_zone_local(zone, period.start_ms));
        cr_assert_lt(before, first, "%s: the first instant of its month", name);
    }
}

Test(period, months_follow_each_other_without_gap_in_every_zone)
{
    each_zone(check_months);
}

Test(period, names_that_are_no_zone_are_refused)
{
    static const char *const malformed[] = {
        "",
        "/",
        "../etc/passwd",
        "/etc/passwd",
        "Europe/",
        "/UTC",
        "Europe//Paris",
        ".",
        "UTC\n",
        "Europe/Ma drid",
        "a.b",
        "Very/Long/Name/That/Goes/On/And/On/And/On/And/On/And/On/And/On/And"};
    const struct vito_zone *zone = NULL;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        cr_assert_eq(vito_zone_load(malformed[i], &zone), RT_INVALID, "\"%s\"", malformed[i]);
    cr_assert_eq(vito_zone_load("Europe/Atlantis", &zone), RT_NOT_FOUND);
    cr_assert_eq(vito_zone_load("Europe", &zone), RT_INVALID, "a directory");
    cr_assert_eq(vito_zone_load("leapseconds", &zone), RT_INVALID, "not a zone");
    cr_assert_null(zone);
}

Test(period, a_zone_is_read_once)
{
    cr_assert_eq(zone_of("Europe/Madrid"), zone_of("Europe/Madrid"));
    cr_assert_neq(zone_of("Europe/Madrid"), zone_of("Europe/Paris"));
}
