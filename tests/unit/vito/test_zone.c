/* What the zone reader promises: standing rules as the C library reads them, and no harm from
 * files that are cut short or garbled. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/random.h"
#include "vito/zone.h"

TestSuite(zone, .timeout = 60);

static struct vito_tz_rule
rule_of(const char *text)
{
    struct vito_tz_rule rule = {0};
    cr_assert(vito_tz_rule_parse(text, strlen(text), &rule), "%s", text);
    return rule;
}

Test(zone, rules_give_the_time_of_the_c_library)
{
    static const char *const rules[] = {
        "UTC0",
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "EST5EDT,M3.2.0,M11.1.0",
        "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", /* half an hour; southern */
        "IST-2IDT,M3.4.4/26,M10.5.0",           /* hours beyond the day */
        "EET-2EEST,M3.5.0/0,M10.5.0/0",
        "<+0330>-3:30<+0430>,J79/24,J263/24",
        "XXX3YYY,59/1:30,300/1:02:03",
        "AAA-5:59:59BBB-6:01,J60/0,J365",
        "IST-1GMT0,M10.5.0,M3.5.0/1", /* daylight time that lies west of standard time */
    };
    struct rt_random random;
    rt_random_seed(&random, 6);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        struct vito_tz_rule rule = rule_of(rules[i]);
        setenv("TZ", rules[i], 1);
        tzset();
        for (int j = 0; j < 20000; j++) {
            time_t when = (time_t)rt_random_below(&random, UINT64_C(16725225600)); /* to 2500 */
            struct tm theirs;
            localtime_r(&when, &theirs);
            cr_assert_eq(vito_tz_rule_span(&rule, when).offset_s, theirs.tm_gmtoff, "%s at %lld",
                         rules[i], (long long)when);
        }
    }
}

Test(zone, a_span_ends_where_the_offset_changes_and_no_earlier)
{
    struct vito_tz_rule rule = rule_of("CET-1CEST,M3.5.0,M10.5.0/3");
    int64_t at_s = 1795297200; /* 21 November 2026 */
    for (int i = 0; i < 100; i++) {
        struct vito_zone_span span = vito_tz_rule_span(&rule, at_s);
        cr_assert_gt(span.end_s, at_s);
        cr_assert_lt(span.end_s - at_s, 250 * 86400);
        cr_assert_eq(vito_tz_rule_span(&rule, span.end_s - 1).offset_s, span.offset_s);
        cr_assert_neq(vito_tz_rule_span(&rule, span.end_s).offset_s, span.offset_s);
        at_s = span.end_s;
    }
    struct vito_tz_rule still = rule_of("<+0545>-5:45");
    cr_assert_eq(vito_tz_rule_span(&still, at_s).end_s, INT64_MAX);
}

Test(zone, daylight_time_that_lasts_all_year_never_ends)
{
    struct vito_tz_rule rule = rule_of("EST5EDT,0/0,J365/25"); /* the example of RFC 8536 */
    for (int64_t at_s = 1767225600 - 7 * 86400; at_s < 1767225600 + 7 * 86400; at_s += 60)
        cr_assert_eq(vito_tz_rule_span(&rule, at_s).offset_s, -4 * 3600);
}

Test(zone, malformed_rules_are_refused)
{
    static const char *const wrong[] = {
        "",
        "UTC",
        "UT0",
        "UTC0X",
        "<UTC0",
        "UTC25",
        "UTC0:60",
        "UTC0:0:60",
        "CET-1CEST",
        "CET-1CEST,M3.5.0",
        "A1B",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,M3.5,M10.5.0",
        "CET-1CEST,J0,J1",
        "CET-1CEST,J366,J1",
        "CET-1CEST,366,1",
        "CET-1CEST,M3.5.0/168,M10.5.0",
        "CET-1CEST,M3.5.0,M10.5.0,",
        "CET-1CEST,M3.5.0,M10.5.0/",
        ":Europe/Madrid",
        "CET-99999999999999999999",
        "CET--1",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct vito_tz_rule rule;
        cr_assert_not(vito_tz_rule_parse(wrong[i], strlen(wrong[i]), &rule), "\"%s\"", wrong[i]);
    }
}

static size_t
read_madrid(uint8_t *bytes, size_t room)
{
    FILE *file = fopen("/usr/share/zoneinfo/Europe/Madrid", "rb");
    cr_assert_not_null(file, "the package tzdata is needed");
    size_t size = fread(bytes, 1, room, file);
    fclose(file);
    return size;
}

Test(zone, a_file_cut_short_anywhere_is_invalid)
{
    uint8_t bytes[8192];
    size_t size = read_madrid(bytes, sizeof(bytes));
    struct vito_zone *zone;
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *exact = malloc(cut + 1); /* so that a sanitizer sees reads beyond the end */
        memcpy(exact, bytes, cut);
        cr_assert_eq(vito_zone_decode(exact, cut, &zone), RT_INVALID, "at %zu of %zu", cut, size);
        free(exact);
    }
    cr_assert_eq(vito_zone_decode(bytes, size, &zone), RT_OK);
    free(zone);
}

Test(zone, garbled_files_are_refused_or_read_as_some_zone)
{
    uint8_t good[8192], bytes[8192];
    size_t size = read_madrid(good, sizeof(good));
    struct rt_random random;
    rt_random_seed(&random, 7);
    unsigned refused = 0;
    for (int i = 0; i < 20000; i++) {
        memcpy(bytes, good, size);
        for (uint64_t n = rt_random_below(&random, 4) + 1; n > 0; n--)
            bytes[rt_random_below(&random, n % 2 == 0 ? size : 100)] =
                (uint8_t)rt_random_u64(&random);
        struct vito_zone *zone;
        if (vito_zone_decode(bytes, size, &zone) != RT_OK) {
            refused++;
            continue;
        }
        int64_t when_ms = (int64_t)(rt_random_u64(&random) >> 20);
        struct vito_period period = vito_period_of(zone, when_ms);
        cr_assert(period.start_ms <= when_ms && when_ms < period.end_ms);
        free(zone);
    }
    cr_assert_gt(refused, 1000);
}

Test(zone, without_a_rule_the_last_change_holds_for_ever)
{
    static const uint8_t header[44] = {
        'T', 'Z', 'i', 'f', '2', [31] = 0, [35] = 1, [39] = 2, [43] = 4};
    static const uint8_t empty[44] = {'T', 'Z', 'i', 'f', '2', [39] = 1, [43] = 1};
    static const uint8_t data[] = {0,    0,    0,    0,    0,    0,
                                   0,    100,  1,                   /* one change, to type 1 */
                                   0,    0,    0,    60,   0,    0, /* type 0: a minute east */
                                   0xff, 0xff, 0xff, 0xc4, 0,    0, /* type 1: a minute west */
                                   'A',  'A',  'A',  0,    '\n', '\n'};
    uint8_t bytes[256];
    size_t size = 0;
    memcpy(bytes, empty, sizeof(empty));
    size += sizeof(empty) + 7; /* the first block: one type, one character */
    memset(bytes + sizeof(empty), 0, 7);
    memcpy(bytes + size, header, sizeof(header));
    size += sizeof(header);
    memcpy(bytes + size, data, sizeof(data));
    size += sizeof(data);
    struct vito_zone *zone;
    cr_assert_eq(vito_zone_decode(bytes, size, &zone), RT_OK);
    cr_assert_eq(vito_zone_span(zone, 99).offset_s, 60);
    cr_assert_eq(vito_zone_span(zone, 99).end_s, 100);
    cr_assert_eq(vito_zone_span(zone, INT64_MIN).offset_s, 60);
    cr_assert_eq(vito_zone_span(zone, 100).offset_s, -60);
    cr_assert_eq(vito_zone_span(zone, 100).end_s, INT64_MAX);
    free(zone);
}
