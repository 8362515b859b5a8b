/*
 * vito/tz_rule.h - a zone's standing rule, such as "CET-1CEST,M3.5.0,M10.5.0/3".
 *
 * TZif files list past changes of clocks one by one and end with the rule for all later times.
 * Source: RFC 8536, section 3.3; POSIX.1-2017, Base Definitions, section 8.3 (TZ).
 */
#ifndef VITO_TZ_RULE_H
#define VITO_TZ_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stretch of time in which clocks keep one distance from UTC. */
struct vito_zone_span {
    int offset_s;  /* east of UTC */
    int64_t end_s; /* Unix time of the next change; INT64_MAX when there is none */
};

/* Where in a year clocks change. */
struct vito_tz_change {
    enum { VITO_TZ_JULIAN, VITO_TZ_DAY_OF_YEAR, VITO_TZ_WEEKDAY } kind;
    int month, week; /* WEEKDAY: 1 … 12; 1 … 5, where 5 is the last one */
    int day;    /* JULIAN: 1 … 365, never 29 February; DAY_OF_YEAR: from 0; WEEKDAY: 0 … 6 */
    int time_s; /* local, after midnight; may be negative or beyond the day */
};

struct vito_tz_rule {
    int standard_s, daylight_s; /* offsets east of UTC */
    bool has_daylight;
    struct vito_tz_change start, end; /* of daylight time */
};

/* RFC 8536 bounds offsets by -25 and +26 hours. */
enum { VITO_OFFSET_MAX_S = 26 * 3600 };

/* Reads a rule. False when it is malformed, or names daylight time without saying when. */
bool vito_tz_rule_parse(const char *text, size_t chars, struct vito_tz_rule *rule_out);

struct vito_zone_span vito_tz_rule_span(const struct vito_tz_rule *rule, int64_t at_s);

#endif
