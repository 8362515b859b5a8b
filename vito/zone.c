/*
 * Zones by name, read once, and local time in them.
 */
#include "vito/zone.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/assert.h"
#include "vito/calendar.h"

#define ZONE_DIRECTORY "/usr/share/zoneinfo/"

enum { FILE_BYTES_MAX = 64 * 1024 };

static struct {
    pthread_mutex_t mutex;
    struct vito_zone *zones; /* grows by what the database has, and no further */
} cache = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Parts of letters, digits, '+', '-' and '_', joined by single slashes: nothing that leads out
 * of the directory. */
static bool
name_is_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789+-_";
    if (strnlen(name, VITO_ZONE_NAME_BYTES) == VITO_ZONE_NAME_BYTES)
        return false;
    for (;;) {
        size_t part = strspn(name, allowed);
        if (part == 0)
            return false;
        if (name[part] != '/')
            return name[part] == '\0';
        name += part + 1;
    }
}

/* Reads at most `room` bytes of a regular file. */
static enum rt_status
read_file(const char *path, uint8_t *bytes, size_t room, size_t *size_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return RT_NOT_FOUND;
    struct stat status;
    size_t size = 0;
    ssize_t got = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? 1 : -1;
    while (got > 0 && size < room) {
        got = read(fd, bytes + size, room - size);
        size += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    *size_out = size;
    return got == 0 ? RT_OK : RT_INVALID;
}

static enum rt_status
read_zone(const char *name, struct vito_zone **zone_out)
{
    char path[sizeof(ZONE_DIRECTORY) + VITO_ZONE_NAME_BYTES];
    snprintf(path, sizeof(path), "%s%s", ZONE_DIRECTORY, name);
    uint8_t *bytes = malloc(FILE_BYTES_MAX);
    if (bytes == NULL)
        return RT_NO_MEMORY;
    size_t size_bytes;
    enum rt_status status = read_file(path, bytes, FILE_BYTES_MAX, &size_bytes);
    if (status == RT_OK)
        status = vito_zone_decode(bytes, size_bytes, zone_out);
    free(bytes);
    if (status == RT_OK)
        memcpy((*zone_out)->name, name, strlen(name) + 1);
    return status;
}

static enum rt_status
load_locked(const char *name, const struct vito_zone **zone_out)
{
    for (struct vito_zone *zone = cache.zones; zone != NULL; zone = zone->next)
        if (strcmp(zone->name, name) == 0) {
            *zone_out = zone;
            return RT_OK;
        }
    struct vito_zone *zone;
    enum rt_status status = read_zone(name, &zone);
    if (status != RT_OK)
        return status;
    zone->next = cache.zones;
    cache.zones = zone;
    *zone_out = zone;
    return RT_OK;
}

enum rt_status
vito_zone_load(const char *name, const struct vito_zone **zone_out)
{
    RT_ASSERT(name != NULL);
    if (!name_is_valid(name))
        return RT_INVALID;
    pthread_mutex_lock(&cache.mutex);
    enum rt_status status = load_locked(name, zone_out);
    pthread_mutex_unlock(&cache.mutex);
    return status;
}

struct vito_zone_span
vito_zone_span(const struct vito_zone *zone, int64_t at_s)
{
    size_t low = 0,
           high = zone->change_count; /* changes before `low` are past, from `high` on not */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].at_s <= at_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->change_count && zone->has_rule)
        return vito_tz_rule_span(&zone->rule, at_s);
    return (struct vito_zone_span){
        .offset_s = low == 0 ? zone->first_offset_s : zone->changes[low - 1].offset_s,
        .end_s = low == zone->change_count ? INT64_MAX : zone->changes[low].at_s,
    };
}

struct vito_local_time
vito_zone_local(const struct vito_zone *zone, int64_t wall_ms)
{
    int64_t at_s = vito_floor_div(wall_ms, 1000);
    int offset_s = vito_zone_span(zone, at_s).offset_s;
    int64_t local_s = at_s + offset_s;
    int64_t day = vito_floor_div(local_s, VITO_DAY_S);
    int of_day = (int)vito_floor_mod(local_s, VITO_DAY_S);
    struct vito_date date = vito_date_of(day);
    return (struct vito_local_time){
        .year = (int)date.year,
        .month = date.month,
        .day = date.day,
        .hour = of_day / 3600,
        .minute = of_day / 60 % 60,
        .second = of_day % 60,
        .weekday = vito_weekday_of(day),
        .offset_s = offset_s,
    };
}
