#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench/micro/micro.h"
#include "runtime/pool.h"

void
micro_fail(const char *what)
{
    fprintf(stderr, "twin-bench-micro: %s\n", what);
    exit(1);
}

static uint64_t
read_ns(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        micro_fail("no clock");
    return (uint64_t)now.tv_sec * RT_NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t
micro_now_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t
micro_cpu_ns(void)
{
    return read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t
micro_resident_bytes(void)
{
    unsigned long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &size, &resident) != 2)
        micro_fail("cannot read /proc/self/statm");
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void
micro_sleep_ms(uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0)
        ;
}

uint64_t
micro_scaled(const struct micro_setup *setup, uint64_t usual)
{
    uint64_t scaled = usual * setup->percent / 100;
    return scaled == 0 ? 1 : scaled;
}

struct rt_system *
micro_system(const struct micro_setup *setup)
{
    struct rt_system_options options = {.workers = setup->workers, .world = rt_world_real()};
    struct rt_system *system = rt_system_create(&options);
    if (system == NULL || rt_system_start(system) != RT_OK)
        micro_fail("cannot start the workers");
    return system;
}

void
micro_system_end(struct rt_system *system)
{
    rt_system_stop(system);
    rt_system_destroy(system);
    rt_pool_thread_end();
}

struct rt_address
micro_spawn(struct rt_system *system, const struct rt_behaviour *behaviour, const void *args)
{
    struct rt_address address;
    struct rt_spawn_options options = {
        .behaviour = behaviour, .args = args, .worker = RT_ANY_WORKER};
    if (rt_spawn(system, &options, &address) != RT_OK)
        micro_fail("cannot spawn an actor");
    return address;
}

struct rt_message *
micro_message(uint32_t kind, uint64_t number)
{
    struct rt_message *message = rt_message_create(kind, sizeof(number));
    if (message == NULL)
        micro_fail("out of memory");
    *micro_number(message) = number;
    return message;
}

uint64_t *
micro_number(struct rt_message *message)
{
    return rt_message_payload(message);
}

void
micro_post(struct rt_system *system, struct rt_address to, uint32_t kind, uint64_t number)
{
    if (rt_post(system, to, micro_message(kind, number)) != RT_OK)
        micro_fail("an actor refused its first message");
}

void
micro_span_begin(struct micro_span *span)
{
    sem_init(&span->done, 0, 0);
    span->cpu_ns = micro_cpu_ns();
    span->wall_ns = micro_now_ns();
}

void
micro_span_await(struct micro_span *span)
{
    while (sem_wait(&span->done) != 0)
        ;
    span->wall_ns = micro_now_ns() - span->wall_ns;
    span->cpu_ns = micro_cpu_ns() - span->cpu_ns;
    sem_destroy(&span->done);
}

void
micro_span_report(const struct micro_span *span, uint64_t messages,
                  struct micro_figures *figures_out)
{
    figures_out->values[0] = (double)span->wall_ns / (double)messages;
    figures_out->values[1] = (double)span->cpu_ns / (double)messages;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double
micro_percentile(double *values, unsigned count, unsigned percent)
{
    qsort(values, count, sizeof(values[0]), compare);
    unsigned index = count * percent / 100;
    return values[index < count ? index : count - 1];
}
