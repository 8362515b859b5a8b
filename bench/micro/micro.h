/*
 * bench/micro/micro.h - the parts of twin-bench-micro.
 *
 * A workload measures one thing once, in a process of its own, so that no round finds the memory
 * or the caches of another. The program repeats it and reports the median and the spread.
 *
 * A message is one send and one handler run. Workers, message sizes and the shape of the traffic
 * are those of bench/peers, where the same workloads are written for Erlang and CAF.
 */
#ifndef BENCH_MICRO_MICRO_H
#define BENCH_MICRO_MICRO_H

#include <semaphore.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/system.h"

enum { MICRO_FIGURES_MAX = 6 };

struct micro_setup {
    unsigned workers;
    unsigned percent; /* of the usual amount of work */
};

/* What one round found; as many as its workload has names for. */
struct micro_figures {
    double values[MICRO_FIGURES_MAX];
};

struct micro_workload {
    const char *name;
    const char *what;                     /* one line for people */
    const char *names[MICRO_FIGURES_MAX]; /* of its figures, with units, up to a NULL */
    void (*run)(const struct micro_setup *setup, struct micro_figures *figures_out);
};

extern const struct micro_workload micro_workloads[];
extern const unsigned micro_workload_count;

/* The workloads' own functions. */
void micro_ping_pong(const struct micro_setup *setup, struct micro_figures *figures_out);
void micro_fan_in(const struct micro_setup *setup, struct micro_figures *figures_out);
void micro_ring(const struct micro_setup *setup, struct micro_figures *figures_out);
void micro_big(const struct micro_setup *setup, struct micro_figures *figures_out);
void micro_create(const struct micro_setup *setup, struct micro_figures *figures_out);
void micro_timer(const struct micro_setup *setup, struct micro_figures *figures_out);
void micro_hogs(const struct micro_setup *setup, struct micro_figures *figures_out);
void micro_lua_hogs(const struct micro_setup *setup, struct micro_figures *figures_out);
void micro_idle(const struct micro_setup *setup, struct micro_figures *figures_out);
void micro_policy(const struct micro_setup *setup, struct micro_figures *figures_out);
void micro_recorder(const struct micro_setup *setup, struct micro_figures *figures_out);

/* What the workloads share (stage.c). Any failure ends the process with a line on stderr. */

RT_NORETURN void micro_fail(const char *what);
uint64_t micro_now_ns(void);
uint64_t micro_cpu_ns(void); /* of this process */
uint64_t micro_resident_bytes(void);
void micro_sleep_ms(uint64_t ms);
uint64_t micro_scaled(const struct micro_setup *setup, uint64_t usual);

/* A started system. */
struct rt_system *micro_system(const struct micro_setup *setup);
void micro_system_end(struct rt_system *system);

struct rt_address micro_spawn(struct rt_system *system, const struct rt_behaviour *behaviour,
                              const void *args);

/* Sends an actor `kind` with one number, from outside. */
void micro_post(struct rt_system *system, struct rt_address to, uint32_t kind, uint64_t number);

/* A message with one number, and that number. */
struct rt_message *micro_message(uint32_t kind, uint64_t number);
uint64_t *micro_number(struct rt_message *message);

/* The span between a begin and the moment the workload's last actor posts `done`. */
struct micro_span {
    sem_t done;
    uint64_t wall_ns, cpu_ns;
};
void micro_span_begin(struct micro_span *span);
void micro_span_await(struct micro_span *span);

/* Runs a timer again and again beside whatever else the system does, and reports its lateness in
 * microseconds: median, nine tenths, worst. (timing.c) */
void micro_watch(const struct micro_setup *setup, struct rt_system *system,
                 struct micro_figures *figures_out);

/* Both figures of an exchange: wall and CPU time a message. */
void micro_span_report(const struct micro_span *span, uint64_t messages,
                       struct micro_figures *figures_out);

/* Sorts `values` and gives the one below which `percent` of them lie. */
double micro_percentile(double *values, unsigned count, unsigned percent);

#endif
