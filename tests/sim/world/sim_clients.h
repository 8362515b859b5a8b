/*
 * tests/sim/world/sim_clients.h - clients with sockets made of nothing: they come, talk, read
 * slowly, interrupt, change their minds, send rubbish, and go, with or without a farewell.
 */
#ifndef TESTS_SIM_WORLD_SIM_CLIENTS_H
#define TESTS_SIM_WORLD_SIM_CLIENTS_H

#include "actors/frames.h"
#include "actors/world.h"
#include "runtime/sim.h"

enum { SIM_CLIENTS_MAX = 32 };

struct sim_clients;

struct sim_client {
    struct sim_clients *all;
    struct rt_address actor;
    enum { CLIENT_AWAY, CLIENT_ASKING, CLIENT_TALKING, CLIENT_GONE } phase;
    unsigned tenant;
    unsigned visits, actions; /* left */
    size_t queued_bytes;      /* sent to it, not yet read by it */
    bool is_slow, drain_is_set, action_is_set;
};

/* What was seen by all of them, to know that a run was not an empty one. */
struct sim_seen {
    unsigned answers, refusals, upgrades;
    unsigned frames[FRAME_TYPE_COUNT];
    unsigned cut; /* session.ended for COST_LIMIT */
};

struct sim_clients {
    struct rt_sim *sim;
    const struct world *world;
    const char *const *tenants; /* ids */
    const char *const *keys;
    unsigned tenant_count, client_count;
    bool closing; /* nobody comes any more */
    struct sim_seen *seen;
    struct sim_client clients[SIM_CLIENTS_MAX];
};

/* Sends the first of them on their way. `world` has been started. */
void sim_clients_start(struct sim_clients *clients);

#endif
