/*
 * tests/sim/world/sim_clients.h - clients with sockets made of nothing: they come, talk, read
 * slowly, interrupt, change their minds, send rubbish, and go, with or without a farewell. Their
 * network is slow, and may lose them without a word. They remember what they have asked: in the end
 * every request must have its answer.
 */
#ifndef TESTS_SIM_WORLD_SIM_CLIENTS_H
#define TESTS_SIM_WORLD_SIM_CLIENTS_H

#include "actors/frames.h"
#include "actors/world.h"
#include "runtime/sim.h"

enum { SIM_CLIENTS_MAX = 32 };

struct sim_clients;
struct sim_packet;

struct sim_client {
    struct sim_clients *all;
    struct rt_address actor;
    enum { CLIENT_AWAY, CLIENT_ASKING, CLIENT_TALKING, CLIENT_GONE } phase;
    unsigned tenant;
    unsigned visits, actions; /* left */
    size_t queued_bytes;      /* sent to it, not yet read by it */
    uint64_t arrives_ns;      /* the last thing it has sent, at the gateway */
    uint32_t open_turns;      /* asked and not answered, by their ids */
    unsigned done;            /* turns of this session */
    bool is_slow, drain_is_set, action_is_set;
    bool comes_back; /* its connection broke: it will take its session up again */
    char token[FRAME_RESUME_TOKEN_BYTES], session_id[VITO_ID_BYTES];
    uint64_t last_seq; /* of what it has of that session */
    uint64_t seen_seq; /* and of what it had before its connection broke, if that was more */
    bool vanished;     /* neither reads nor writes any more, and nobody was told */
};

/* What was seen by all of them, to know that a run was not an empty one. */
struct sim_seen {
    unsigned answers, refusals, upgrades;
    unsigned frames[FRAME_TYPE_COUNT];
    unsigned resumes; /* of sessions whose connection broke: asked for */
    unsigned resumed; /* … and done */
    unsigned cut;     /* session.ended for COST_LIMIT */
    unsigned denied;  /* turns and sessions that a tenant refused, of the refusals */
};

struct sim_clients {
    struct rt_sim *sim;
    const struct world *world;
    const char *const *tenants; /* ids */
    const char *const *keys;
    unsigned tenant_count, client_count;
    uint32_t delay_max_ms; /* from a client to the gateway */
    uint32_t acts_within_ms;
    unsigned vanish; /* per mille of actions */
    unsigned resume; /* per mille of actions: a connection breaks, and its client comes back */
    bool closing;    /* nobody comes or asks any more */
    struct sim_seen *seen;
    /* A client was told that a turn is done: so many of this session. */
    void (*told)(void *context, const char *session_id, unsigned done);
    void *context;
    struct sim_packet *packets; /* on their way */
    struct sim_client clients[SIM_CLIENTS_MAX];
};

/* Sends the first of them on their way. `world` has been started. */
void sim_clients_start(struct sim_clients *clients);

/* What is still on its way is lost. */
void sim_clients_stop(struct sim_clients *clients);

/* How many wait for an answer that may still come. */
unsigned sim_clients_waiting(const struct sim_clients *clients);

#endif
