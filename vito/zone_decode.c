/*
 * TZif files: two blocks of data, of which the second has 64-bit times, and a footer with the
 * standing rule.
 */
#include <stdlib.h>
#include <string.h>

#include "vito/zone.h"

enum {
    HEADER_BYTES = 44,
    TIME_V1_BYTES = 4,
    TIME_BYTES = 8,
    TYPE_BYTES = 6, /* offset, whether it is daylight time, abbreviation */
    LEAP_COUNT_BYTES = 4,
    COUNT_MAX = 1 << 16,
};

struct counts {
    uint32_t ut, standard, leaps, times, types, chars;
};

/* What is left to read. */
struct source {
    const uint8_t *at;
    size_t left;
};

static const uint8_t *
take(struct source *source, size_t size_bytes)
{
    if (size_bytes > source->left)
        return NULL;
    const uint8_t *bytes = source->at;
    source->at += size_bytes;
    source->left -= size_bytes;
    return bytes;
}

/* A big-endian two's complement number of `size_bytes`. */
static int64_t
number_at(const uint8_t *bytes, int size_bytes)
{
    uint64_t value = bytes[0] & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < size_bytes; i++)
        value = value << 8 | bytes[i];
    return (int64_t)value;
}

/* Count number `index` of a header. */
static uint32_t
count_at(const uint8_t *header, int index)
{
    enum { COUNTS_AT = 20 };
    return (uint32_t)number_at(header + COUNTS_AT + (size_t)index * 4, 4);
}

static bool
take_header(struct source *source, struct counts *counts_out)
{
    const uint8_t *header = take(source, HEADER_BYTES);
    if (header == NULL || memcmp(header, "TZif", 4) != 0 || header[4] < '2')
        return false; /* a file of version 1 says nothing about the time after 2037 */
    for (int i = 0; i < 6; i++)
        if (count_at(header, i) > COUNT_MAX)
            return false;
    *counts_out = (struct counts){
        .ut = count_at(header, 0),
        .standard = count_at(header, 1),
        .leaps = count_at(header, 2),
        .times = count_at(header, 3),
        .types = count_at(header, 4),
        .chars = count_at(header, 5),
    };
    return counts_out->types > 0;
}

static size_t
block_bytes(const struct counts *counts, size_t time_bytes)
{
    return counts->times * (time_bytes + 1) + counts->types * (size_t)TYPE_BYTES + counts->chars +
           counts->leaps * (time_bytes + LEAP_COUNT_BYTES) + counts->standard + counts->ut;
}

static bool
read_changes(struct vito_zone *zone, const struct counts *counts, const uint8_t *block)
{
    const uint8_t *times = block;
    const uint8_t *type_of = times + counts->times * (size_t)TIME_BYTES;
    const uint8_t *types = type_of + counts->times;
    for (uint32_t i = 0; i < counts->types; i++) {
        int64_t offset_s = number_at(types + i * (size_t)TYPE_BYTES, 4);
        if (offset_s > VITO_OFFSET_MAX_S || offset_s < -VITO_OFFSET_MAX_S)
            return false;
    }
    zone->first_offset_s = (int)number_at(types, 4);
    for (uint32_t i = 0; i < counts->times; i++) {
        if (type_of[i] >= counts->types)
            return false;
        zone->changes[i].at_s = number_at(times + i * (size_t)TIME_BYTES, TIME_BYTES);
        zone->changes[i].offset_s = (int)number_at(types + type_of[i] * (size_t)TYPE_BYTES, 4);
        if (i > 0 && zone->changes[i].at_s <= zone->changes[i - 1].at_s)
            return false;
    }
    zone->change_count = counts->times;
    return true;
}

/* A newline, the rule or nothing, a newline. */
static bool
read_footer(struct vito_zone *zone, struct source *source)
{
    if (source->left < 2 || source->at[0] != '\n')
        return false;
    const char *text = (const char *)source->at + 1;
    const char *end = memchr(text, '\n', source->left - 1);
    if (end == NULL)
        return false;
    zone->has_rule = end > text;
    return !zone->has_rule || vito_tz_rule_parse(text, (size_t)(end - text), &zone->rule);
}

enum rt_status
vito_zone_decode(const uint8_t *bytes, size_t size_bytes, struct vito_zone **zone_out)
{
    struct source source = {bytes, size_bytes};
    struct counts counts;
    if (!take_header(&source, &counts) ||
        take(&source, block_bytes(&counts, TIME_V1_BYTES)) == NULL ||
        !take_header(&source, &counts))
        return RT_INVALID;
    const uint8_t *block = take(&source, block_bytes(&counts, TIME_BYTES));
    if (block == NULL || counts.leaps > 0)
        return RT_INVALID; /* zones that count leap seconds do not tell Unix time */

    struct vito_zone *zone =
        calloc(1, sizeof(*zone) + counts.times * sizeof(struct vito_zone_change));
    if (zone == NULL)
        return RT_NO_MEMORY;
    if (!read_changes(zone, &counts, block) || !read_footer(zone, &source)) {
        free(zone);
        return RT_INVALID;
    }
    *zone_out = zone;
    return RT_OK;
}
