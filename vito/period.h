/*
 * vito/period.h - budget months, in the tenant's own time zone.
 *
 * A month begins at local midnight of its first day, and if a change of clocks skips or repeats
 * that moment, at the first instant that belongs to the day. Zones come from the system's
 * time-zone database (TZif files, RFC 8536).
 */
#ifndef VITO_PERIOD_H
#define VITO_PERIOD_H

#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/status.h"

struct vito_zone;

/*
 * Loads a zone such as "Europe/Madrid" or "UTC". Reads a file: not from actors' turns, but when
 * configuration is read.
 *
 *   returns    RT_OK | RT_NOT_FOUND | RT_INVALID (the name is malformed, or the file is)
 *   ownership  zones are cached for the life of the process; nothing to free
 *   threads    any
 */
RT_MUST_USE enum rt_status vito_zone_load(const char *name, const struct vito_zone **zone_out);

/* Local time of an instant, as the database has it. */
struct vito_local_time {
    int year, month, day, hour, minute, second; /* month and day from 1 */
    int weekday;                                /* 0 is Sunday */
    int offset_s;                               /* east of UTC */
};
struct vito_local_time vito_zone_local(const struct vito_zone *zone, int64_t wall_ms);

struct vito_period {
    int64_t start_ms, end_ms; /* Unix time; the end is the next month's start */
};

/* The month that `wall_ms` lies in. */
struct vito_period vito_period_of(const struct vito_zone *zone, int64_t wall_ms);

/* Writes Unix milliseconds as RFC 3339 in UTC, "2026-11-21T21:40:00.000Z". Returns text_out. */
enum { VITO_TIME_TEXT_BYTES = 32 };
const char *vito_time_format(int64_t wall_ms, char text_out[VITO_TIME_TEXT_BYTES]);

/* Reads RFC 3339 with 'Z' or an offset, with or without fractions. RT_OK | RT_INVALID. */
RT_MUST_USE enum rt_status vito_time_parse(const char *text, int64_t *wall_ms_out);

#endif
