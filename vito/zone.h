/*
 * vito/zone.h - a time zone in memory. For the parts of vito; others use vito/period.h.
 *
 * Source: RFC 8536 (TZif), versions 2 to 4; read 2026-11.
 */
#ifndef VITO_ZONE_H
#define VITO_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vito/period.h"
#include "vito/policy_config.h"
#include "vito/tz_rule.h"

struct vito_zone_change {
    int64_t at_s;
    int offset_s; /* from then on */
};

struct vito_zone {
    struct vito_zone *next; /* in the cache */
    char name[VITO_ZONE_NAME_BYTES];
    int first_offset_s; /* before all changes */
    bool has_rule;      /* for the time from the last change on */
    struct vito_tz_rule rule;
    size_t change_count;
    struct vito_zone_change changes[]; /* ascending */
};

/* Reads a TZif file's contents. RT_OK | RT_INVALID | RT_NO_MEMORY. The caller owns *zone_out, by
 * free(); its name is empty. */
RT_MUST_USE enum rt_status vito_zone_decode(const uint8_t *bytes, size_t size_bytes,
                                            struct vito_zone **zone_out);

/* The stretch of one offset that `at_s` lies in. */
struct vito_zone_span vito_zone_span(const struct vito_zone *zone, int64_t at_s);

#endif
