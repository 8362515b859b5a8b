/*
 * tests/sim/world/sim_run.h - what one seed makes happen, from the first tenant to the last book.
 *
 * A run has one or more lives: a life may end in a crash, and the next goes on with what was
 * durable. In the last one all faults heal in the end: then every request must get its answer,
 * everybody must go home, and the books must close.
 */
#ifndef TESTS_SIM_WORLD_SIM_RUN_H
#define TESTS_SIM_WORLD_SIM_RUN_H

#include "tests/sim/world/sim_books.h"
#include "tests/sim/world/sim_fleet.h"
#include "tests/sim/world/sim_life.h"
#include "tests/sim/world/sim_store.h"

enum { SIM_TENANTS = 3 };

extern const char *const sim_run_tenants[SIM_TENANTS], *const sim_run_keys[SIM_TENANTS];

/* A bug put in on purpose: the auditors must find it. */
struct sim_plant {
    const char *name;
    const char *finding; /* what is found begins with this */
    enum sim_store_bug store;
    enum sim_vendor_bug vendor;
};

struct sim_run_options {
    const char *faults, *dump;
    uint64_t failing_request; /* for memory: this one fails, from 1; 0: none */
    unsigned nodes; /* at most; 0, 1: one gateway on its embedded store; more: sim_fleet.h */
};

/* One seed's run. What outlives a crash is here. */
struct sim_run {
    uint64_t seed;
    const struct sim_plant *plant;
    struct sim_run_options options;
    struct sim_swarm swarm;
    struct rt_random dice;
    struct vito_sqlite *database;
    struct vito_keyring *keyring;
    struct sim_truths truths;
    struct sim_books books;
    struct sim_seen seen;
    unsigned happened[CHAOS_KIND_COUNT];
    uint64_t hash;
    int64_t wall_ms;
    bool store_fails; /* in this life: a slice may stay out until the next */
    struct sim_fleet_seen fleet;
    unsigned outlived; /* legs that went on although the store was away when they needed more */
    bool has_one_life; /* no crash: what is counted comes into the trail */
};

/* From `from` to below `to`, by the run's dice. */
uint64_t sim_run_dice(struct sim_run *run, uint64_t from, uint64_t to);

bool sim_run_is_sound(const struct sim_run *run);

/* Says which actors are left, once a gateway does not drain. */
void sim_run_name_actors(struct rt_sim *sim);

/* Settles the rooms that were adopted: nobody is left to end them, so they cost what they held. */
void sim_run_settle_rooms(struct sim_run *run);

/*
 * Runs a seed. What was found is in books.finding, "" when all is well.
 *
 *   plant      NULL: the product as it is
 *   options    of the faults the seed has, these alone (sim_swarm_only()), NULL: all;
 *              where to put the database when something is found, or NULL, and which request
 *              for memory fails
 *   returns    the hash of all that happened
 */
uint64_t sim_run_seed(struct sim_run *run, uint64_t seed, const struct sim_plant *plant,
                      const struct sim_run_options *options);

#endif
