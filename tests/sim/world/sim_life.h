/*
 * tests/sim/world/sim_life.h - one life of one gateway: what does not outlive a crash.
 */
#ifndef TESTS_SIM_WORLD_SIM_LIFE_H
#define TESTS_SIM_WORLD_SIM_LIFE_H

#include "actors/world.h"
#include "tests/sim/world/sim_chaos.h"
#include "tests/sim/world/sim_clients.h"
#include "tests/sim/world/sim_vendors.h"

struct sim_run;

struct sim_life {
    struct sim_run *run;
    struct rt_sim *sim;
    struct sim_vendors vendors;
    struct sim_chaos chaos;
    struct sim_clients clients;
    struct world world;
    bool drained;
};

/* Starts the actors over a store, and sends clients. `sim` has been made for it. */
void sim_life_begin(struct sim_life *life, const struct vito_store *store, unsigned clients);

/* No more faults, and nobody asks for more. */
void sim_life_heal(struct sim_life *life);

/* Asks the gateway to drain; then `drained` becomes true. */
void sim_life_shut_down(struct sim_life *life);

/* Frees it, `sim` included. Its part of the trace is in the run's hash. */
void sim_life_end(struct sim_life *life);

#endif
