/*
 * vito/calendar.h - the Gregorian calendar as arithmetic: days since 1 January 1970.
 *
 * Years are counted from March, so that the leap day is the last one of its year and every
 * month's start is a linear function of its number. Years before 1 are negative or zero.
 */
#ifndef VITO_CALENDAR_H
#define VITO_CALENDAR_H

#include <stdint.h>

enum { VITO_DAY_S = 86400 };

struct vito_date {
    int64_t year;
    int month, day; /* from 1 */
};

/* Division and remainder that round towards minus infinity. `divisor` > 0. */
static inline int64_t
vito_floor_div(int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0);
}

static inline int64_t
vito_floor_mod(int64_t value, int64_t divisor)
{
    return value - vito_floor_div(value, divisor) * divisor;
}

/* Days from 1 March of year 0 to 1 March of `year`. */
static inline int64_t
vito_march_days(int64_t year)
{
    return 365 * year + vito_floor_div(year, 4) - vito_floor_div(year, 100) +
           vito_floor_div(year, 400);
}

enum { VITO_EPOCH_MARCH_DAYS = 719468 }; /* from 1 March of year 0 to 1 January 1970 */

/* The day's number; 0 is 1 January 1970. `month` is 1 … 12; `day` may lie outside its month. */
static inline int64_t
vito_day_of(int64_t year, int month, int day)
{
    int since_march = (month + 9) % 12;
    int64_t march_year = month < 3 ? year - 1 : year;
    return vito_march_days(march_year) + (153 * since_march + 2) / 5 + day - 1 -
           VITO_EPOCH_MARCH_DAYS;
}

static inline struct vito_date
vito_date_of(int64_t day)
{
    day += VITO_EPOCH_MARCH_DAYS;
    int64_t year = vito_floor_div(day * 400, 146097); /* by the mean year: off by one at most */
    if (vito_march_days(year) > day)
        year--;
    else if (vito_march_days(year + 1) <= day)
        year++;
    int of_year = (int)(day - vito_march_days(year));
    int since_march = (5 * of_year + 2) / 153;
    return (struct vito_date){
        .year = since_march < 10 ? year : year + 1,
        .month = (since_march + 2) % 12 + 1,
        .day = of_year - (153 * since_march + 2) / 5 + 1,
    };
}

static inline int
vito_days_in_month(int64_t year, int month)
{
    return (int)(month == 12 ? 31 : vito_day_of(year, month + 1, 1) - vito_day_of(year, month, 1));
}

/* 0 is Sunday; 1 January 1970 was a Thursday. */
static inline int
vito_weekday_of(int64_t day)
{
    return (int)vito_floor_mod(day + 4, 7);
}

#endif
