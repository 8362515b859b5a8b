/*
 * twin-vendor-sim: see sim.h, and --help.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/vendor_sim/sim.h"
#include "runtime/log.h"
#include "runtime/pool.h"
#include "runtime/system.h"

enum { EXIT_USAGE = 2 };

/* Blocks the signals that end us, so that sigwait() gets them. Before any thread is started: one
 * that has them not blocked would be ended by them, and all of us with it. */
static sigset_t
block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return signals;
}

static void
run_until_signalled(struct sim *sim, const sigset_t *signals)
{
    printf("twin-vendor-sim listening on http://%s:%u\n", sim->options->host,
           net_server_port(sim->server));
    fflush(stdout);
    int signal;
    sigwait(signals, &signal);
    rt_system_stop(sim->system);
}

static int
run(const struct sim_options *options, const sigset_t *signals)
{
    struct rt_system *system =
        rt_system_create(&(struct rt_system_options){.workers = 1, .world = rt_world_real()});
    struct sim *sim = malloc(sizeof(*sim));
    char problem[300] = "out of memory or file descriptors";
    enum rt_status status = RT_NO_MEMORY;
    if (system != NULL && sim != NULL) {
        status = sim_open(sim, options, system, problem, sizeof(problem));
        if (status == RT_OK && (status = rt_system_start(system)) == RT_OK)
            run_until_signalled(sim, signals);
        sim_close(sim);
    }
    if (status != RT_OK)
        fprintf(stderr, "twin-vendor-sim: %s\n", problem);
    if (system != NULL)
        rt_system_destroy(system);
    free(sim);
    return status == RT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int count, char **arguments)
{
    static struct sim_options options;
    switch (sim_options_read(count, arguments, &options)) {
    case SIM_OPTIONS_SHOWN:
        return EXIT_SUCCESS;
    case SIM_OPTIONS_WRONG:
        return EXIT_USAGE;
    case SIM_OPTIONS_RUN:
        break;
    }
    sigset_t signals = block_signals();
    const struct rt_log_options log = {
        .level = RT_LOG_WARN, .format = RT_LOG_TEXT, .fd = 2, .world = rt_world_real()};
    if (rt_log_start(&log) != RT_OK)
        return EXIT_FAILURE;
    int status = run(&options, &signals);
    rt_log_stop();
    rt_pool_thread_end();
    return status;
}
