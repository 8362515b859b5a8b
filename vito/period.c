#include "vito/period.h"

#include "runtime/assert.h"
#include "vito/calendar.h"
#include "vito/zone.h"

/*
 * The first instant whose local time is the first of the month or later. Local time runs
 * straight within a span and jumps between spans, so the spans around the month's nominal start
 * are searched in order.
 */
static int64_t
month_start_s(const struct vito_zone *zone, int64_t year, int month)
{
    int64_t nominal_s = vito_day_of(year, month, 1) * VITO_DAY_S;
    int64_t at_s = nominal_s - VITO_OFFSET_MAX_S;
    for (;;) {
        struct vito_zone_span span = vito_zone_span(zone, at_s);
        int64_t reached_s = nominal_s - span.offset_s;
        if (reached_s < span.end_s)
            return reached_s > at_s ? reached_s : at_s;
        at_s = span.end_s;
    }
}

struct vito_period
vito_period_of(const struct vito_zone *zone, int64_t wall_ms)
{
    RT_ASSERT(zone != NULL);
    int64_t at_s = vito_floor_div(wall_ms, 1000);
    struct vito_local_time local = vito_zone_local(zone, wall_ms);
    int64_t months = (int64_t)local.year * 12 + local.month - 1;
    int64_t bounds_s[3];
    for (int i = 0; i < 3; i++) {
        int64_t year = vito_floor_div(months + i, 12);
        bounds_s[i] = month_start_s(zone, year, (int)vito_floor_mod(months + i, 12) + 1);
    }
    /* Clocks put back over midnight show the old month again, although the new one has begun. */
    int first = at_s >= bounds_s[1] ? 1 : 0;
    return (struct vito_period){bounds_s[first] * 1000, bounds_s[first + 1] * 1000};
}
