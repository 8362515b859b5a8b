/*
 * tests/sim/world/sim_fleet.h - several gateways on one shared store, as one world.
 *
 * Each has its own actors, clocks, clients and faults (sim_life.h), and a way to the store
 * (sim_link.h) that fails by itself. They crash and come back, in time or too late, or never.
 * What goes on in the simulation of one is carried out in the order of the world's clock, which has
 * no actors: it is the store's, the network's, and that of crashes.
 */
#ifndef TESTS_SIM_WORLD_SIM_FLEET_H
#define TESTS_SIM_WORLD_SIM_FLEET_H

#include <stdbool.h>
#include <stdint.h>

struct sim_run;

/* What was seen, to know that a run was not an empty one. */
struct sim_fleet_seen {
    unsigned gateways; /* lives of them */
    unsigned crashes, partitions, pauses, outages;
    unsigned fenced;             /* transactions of gateways that had been taken for dead */
    unsigned reaped;             /* gateways that were taken for dead by others */
    unsigned adopted;            /* rooms that others ended */
    unsigned alone, alone_late;  /* rooms that went on without their gateway; for too long */
    unsigned recalled;           /* times that one asked the others for money */
    unsigned changes, lost_news; /* of keys; news of them that did not arrive */
};

/* Within sim_run_seed(): with up to options.nodes gateways. */
void sim_fleet_run(struct sim_run *run);

#endif
