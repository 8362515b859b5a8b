/*
 * tests/sim/edge/sim_wire.h - a connection's wire made of nothing, under the real code of net/:
 * it stands where net/carrier.h, net/timers.h and net/listener.h are in the gateway, on the
 * simulator's clock.
 *
 * A whole wire brings what the client has sent at once and takes what it is given. A chopped one
 * brings it in pieces of any size, is full now and then, and may break after any byte.
 */
#ifndef TESTS_SIM_EDGE_SIM_WIRE_H
#define TESTS_SIM_EDGE_SIM_WIRE_H

#include "net/server.h"
#include "runtime/sim.h"

enum { SIM_WIRE_NEVER = -1 };

struct sim_wire_options {
    struct net_server_options server; /* `system` is filled in */
    const uint8_t *sent;              /* by the client */
    size_t sent_bytes;
    bool is_chopped;
    long breaks_at; /* so many bytes, in both directions together; or SIM_WIRE_NEVER */
    bool loses;     /* a planted bug: a byte, where two pieces meet */
};

struct sim_wire;

/* Connects; the client begins to send. Never NULL. */
struct sim_wire *sim_wire_connect(struct rt_sim *sim, const struct sim_wire_options *options);

/* What the client has got. */
const uint8_t *sim_wire_got(const struct sim_wire *wire, size_t *size_bytes_out);

/* Whether the server knows that the connection is gone. */
bool sim_wire_is_gone(const struct sim_wire *wire);

/* The client goes, if it has not gone yet. */
void sim_wire_hang_up(struct sim_wire *wire);

/* After it is gone. */
void sim_wire_free(struct sim_wire *wire);

#endif
