#include "runtime/world.h"

#include <sys/random.h>
#include <time.h>

#include "runtime/assert.h"

static uint64_t
read_clock_ns(clockid_t clock)
{
    struct timespec now;
    int failed = clock_gettime(clock, &now);
    RT_ASSERT(failed == 0);
    return (uint64_t)now.tv_sec * RT_NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t
real_now_ns(void *self)
{
    (void)self;
    return read_clock_ns(CLOCK_MONOTONIC);
}

static uint64_t
real_boot_ns(void *self)
{
    (void)self;
    return read_clock_ns(CLOCK_BOOTTIME);
}

static int64_t
real_wall_ms(void *self)
{
    (void)self;
    return (int64_t)(read_clock_ns(CLOCK_REALTIME) / RT_NS_PER_MS);
}

static void
real_random(void *self, void *bytes_out, size_t size_bytes)
{
    (void)self;
    char *at = bytes_out;
    while (size_bytes > 0) {
        ssize_t got = getrandom(at, size_bytes, 0);
        if (got < 0)
            continue; /* interrupted before the kernel's pool was ready */
        at += got;
        size_bytes -= (size_t)got;
    }
}

const struct rt_world *
rt_world_real(void)
{
    static const struct rt_world world = {
        .now_ns = real_now_ns,
        .boot_ns = real_boot_ns,
        .wall_ms = real_wall_ms,
        .random = real_random,
    };
    return &world;
}
