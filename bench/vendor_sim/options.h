/*
 * bench/vendor_sim/options.h - the command line of twin-vendor-sim.
 */
#ifndef BENCH_VENDOR_SIM_OPTIONS_H
#define BENCH_VENDOR_SIM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/vendor_sim/fault.h"

struct sim_options {
    char listen[128]; /* "host:port" */
    char host[96];    /* as given */
    uint16_t port;
    uint32_t latency_ms;
    uint32_t token_ms;
    uint32_t media_speed_per_mille; /* 1000: as fast as it is spoken */
    struct sim_faults faults;
    uint32_t id_base;     /* in millions */
    const char *log_file; /* NULL: none */
};

enum sim_options_result { SIM_OPTIONS_RUN, SIM_OPTIONS_SHOWN, SIM_OPTIONS_WRONG };

/*
 * Reads the command line. Prints help, the version, or one line on stderr that says what is wrong
 * and how to mend it.
 */
enum sim_options_result sim_options_read(int count, char **arguments,
                                         struct sim_options *options_out);

#endif
